//! The forms of `struct stat` and `struct timespec`, which have changed between releases.

use rustix::fs::{Stat, Timespec};

use super::ENV;
use crate::engine::Module;
use crate::wasi::errno::Errno;
use crate::wasi::guest::Guest;

/// The form that a module's C library knows. What a module imports shows its age.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StatLayout {
    /// Whether there are unused fields in front, as until release 3.1.42.
    padded: bool,
    /// Whether seconds have 64 bits, as from release 3.1.17 on.
    wide_seconds: bool,
}

impl StatLayout {
    pub(super) fn of(module: &Module) -> StatLayout {
        let imports =
            |name| module.imports().any(|import| import.module == ENV && import.name == name);
        let first = imports("__syscall_fstatat64") || imports("__syscall_open") || imports("time");
        let padded = first || imports("emscripten_memcpy_big");
        StatLayout { padded, wide_seconds: !first }
    }

    /// Bytes of `struct timespec`.
    pub(super) fn timespec_size(self) -> u32 {
        if self.wide_seconds { 16 } else { 8 }
    }

    /// The time at an address.
    pub(super) fn timespec(self, guest: &Guest, address: u32) -> Result<Timespec, Errno> {
        if self.wide_seconds {
            let bytes: [u8; 16] = guest.get(address)?;
            let (seconds, rest) = bytes.split_at(8);
            let [a, b, c, d, ..] = *rest else { return Err(Errno::Fault) };
            let seconds = <[u8; 8]>::try_from(seconds).map_err(|_| Errno::Fault)?;
            let nanoseconds = i32::from_le_bytes([a, b, c, d]).into();
            return Ok(Timespec { tv_sec: i64::from_le_bytes(seconds), tv_nsec: nanoseconds });
        }
        let [a, b, c, d, e, f, g, h]: [u8; 8] = guest.get(address)?;
        Ok(Timespec {
            tv_sec: i32::from_le_bytes([a, b, c, d]).into(),
            tv_nsec: i32::from_le_bytes([e, f, g, h]).into(),
        })
    }

    /// The bytes of a time.
    pub(super) fn time_bytes(self, seconds: i64, nanoseconds: i64) -> Vec<u8> {
        let mut bytes = Fields::default();
        bytes.time(self, seconds, nanoseconds);
        bytes.0
    }

    /// Writes what is known of a file. Users and groups are all 0.
    pub(super) fn put(self, guest: &Guest, address: u32, stat: &Stat) -> Result<i32, Errno> {
        guest.put(address, &self.bytes(stat))?;
        Ok(0)
    }

    fn bytes(self, stat: &Stat) -> Vec<u8> {
        let mut fields = Fields::default();
        fields.u32(stat.st_dev as u32);
        if self.padded {
            fields.u32(0).u32(stat.st_ino as u32);
        }
        fields.u32(stat.st_mode).u32(u32::try_from(stat.st_nlink).unwrap_or(u32::MAX));
        fields.u32(0).u32(0).u32(stat.st_rdev as u32);
        if self.padded {
            fields.u32(0);
        }
        fields.align(8).u64(stat.st_size as u64);
        fields.u32(stat.st_blksize as u32);
        fields.u32(u32::try_from(stat.st_blocks).unwrap_or(u32::MAX));
        fields.time(self, stat.st_atime, stat.st_atime_nsec as i64);
        fields.time(self, stat.st_mtime, stat.st_mtime_nsec as i64);
        fields.time(self, stat.st_ctime, stat.st_ctime_nsec as i64);
        fields.align(8).u64(stat.st_ino);
        fields.0
    }
}

/// The fields of a struct, one after the other.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn u32(&mut self, value: u32) -> &mut Fields {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Fields {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn align(&mut self, to: usize) -> &mut Fields {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
        self
    }

    fn time(&mut self, layout: StatLayout, seconds: i64, nanoseconds: i64) {
        if layout.wide_seconds {
            self.align(8).u64(seconds.cast_unsigned()).u32(nanoseconds as u32).align(8);
        } else {
            // A time that has no form is the last one that has.
            let seconds = seconds.clamp(i32::MIN.into(), i32::MAX.into());
            self.u32(seconds as u32).u32(nanoseconds as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_have_their_sizes() {
        let stat = rustix::fs::stat("/").expect("there is a root");
        let len = |padded, wide_seconds| StatLayout { padded, wide_seconds }.bytes(&stat).len();
        assert_eq!(len(true, false), 88);
        assert_eq!(len(true, true), 112);
        assert_eq!(len(false, true), 96);
    }

    #[test]
    fn times_go_there_and_back() {
        let narrow = StatLayout { padded: true, wide_seconds: false };
        assert_eq!(narrow.time_bytes(-1, 7), [255, 255, 255, 255, 7, 0, 0, 0]);
        assert_eq!(narrow.time_bytes(i64::MAX, 0)[..4], i32::MAX.to_le_bytes());
        let wide = StatLayout { padded: false, wide_seconds: true };
        assert_eq!(wide.time_bytes(i64::MAX, 0)[..8], i64::MAX.to_le_bytes());
    }
}
