//! Functions on descriptors.

use std::mem::MaybeUninit;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, RawDir, SeekFrom};
use rustix::pipe::{PipeFlags, pipe_with};

use super::call::Sys;
use crate::wasi::errno::Errno;
use crate::wasi::fds::{Entry, File, MAX_FDS, Object};
use crate::wasi::fs::file;
use crate::wasi::guest::Guest;
use crate::wasi::types::{Layout, rights};

/// How files are opened, in numbers of Linux.
pub(super) mod flags {
    use crate::wasi::types::fdflags;

    pub const ACCESS: u32 = 3;
    pub const WRITE_ONLY: u32 = 1;
    pub const READ_WRITE: u32 = 2;
    pub const CREATE: u32 = 0o100;
    pub const EXCLUSIVE: u32 = 0o200;
    pub const TRUNCATE: u32 = 0o1000;
    pub const APPEND: u32 = 0o2000;
    pub const NONBLOCK: u32 = 0o4000;
    pub const DSYNC: u32 = 0o10000;
    pub const DIRECTORY: u32 = 0o200000;
    pub const NO_FOLLOW: u32 = 0o400000;
    pub const CLOSE_ON_EXEC: u32 = 0o2000000;
    /// Contains [`DSYNC`].
    pub const SYNC: u32 = 0o4010000;

    const PAIRS: [(u32, u16); 4] = [
        (APPEND, fdflags::APPEND),
        (NONBLOCK, fdflags::NONBLOCK),
        (SYNC, fdflags::SYNC),
        (DSYNC, fdflags::DSYNC),
    ];

    pub(in crate::wasi::emscripten) fn to_wasi(flags: u32) -> u16 {
        let set = PAIRS.into_iter().filter(|(linux, _)| flags & linux == *linux);
        set.fold(0, |all, (_, wasi)| all | wasi)
    }

    pub(in crate::wasi::emscripten) fn from_wasi(flags: u16) -> u32 {
        let set = PAIRS.into_iter().filter(|(_, wasi)| flags & wasi != 0);
        set.fold(0, |all, (linux, _)| all | linux)
    }
}

/// Commands of `fcntl`.
mod command {
    pub const DUPLICATE: u32 = 0;
    pub const GET_FD: u32 = 1;
    pub const SET_FD: u32 = 2;
    pub const GET_FLAGS: u32 = 3;
    pub const SET_FLAGS: u32 = 4;
    // Of locks there are two series of numbers: which one a program has depends on its headers.
    pub const GET_LOCK: [u32; 2] = [5, 12];
    pub const SET_LOCK: [u32; 4] = [6, 7, 13, 14];
    pub const DUPLICATE_CLOSE_ON_EXEC: u32 = 1030;
}

/// The type of a lock that is none.
const UNLOCKED: u16 = 2;

/// Requests of `ioctl`.
mod request {
    pub const GET_WINDOW_SIZE: u32 = 0x5413;
    pub const READABLE_BYTES: u32 = 0x541b;
    pub const SET_NONBLOCK: u32 = 0x5421;
}

pub(super) fn __syscall_dup(sys: &mut Sys, fd: u32) -> Result<i32, Errno> {
    let entry = sys.ctx.fds.get(fd)?.clone();
    Ok(sys.ctx.fds.add(entry)? as i32)
}

pub(super) fn __syscall_dup3(sys: &mut Sys, from: u32, to: u32, how: u32) -> Result<i32, Errno> {
    if from == to || how & !flags::CLOSE_ON_EXEC != 0 {
        return Err(Errno::Invalid);
    }
    let entry = sys.ctx.fds.get(from)?.clone();
    sys.ctx.fds.put(to, entry)?;
    Ok(to as i32)
}

pub(super) fn __syscall_pipe(sys: &mut Sys, result: u32) -> Result<i32, Errno> {
    sys.guest.check(result, 8)?;
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let ends = [(read, rights::FD_READ), (write, rights::FD_WRITE)];
    // The host says that a pipe has no positions.
    let others = rights::FILE & !(rights::FD_READ | rights::FD_WRITE);
    let mut numbers = Vec::new();
    for (fd, direction) in ends {
        let object = Object::File(Rc::new(File { fd, regular: false }));
        let entry = Entry { object, rights: others | direction, inheriting: 0 };
        match sys.ctx.fds.add(entry) {
            Ok(number) => numbers.push(number),
            Err(error) => {
                // The other end would be of no use.
                numbers.into_iter().for_each(|number| drop(sys.ctx.fds.remove(number)));
                return Err(error);
            }
        }
    }
    for (at, number) in [result, result + 4].into_iter().zip(numbers) {
        sys.guest.put_u32(at, number)?;
    }
    Ok(0)
}

pub(super) fn __syscall_fcntl64(sys: &mut Sys, fd: u32, cmd: u32, args: u32) -> Result<i32, Errno> {
    let entry = sys.ctx.fds.get(fd)?;
    match cmd {
        command::DUPLICATE | command::DUPLICATE_CLOSE_ON_EXEC => {
            let entry = entry.clone();
            let least = sys.vararg(args)?;
            if least as usize >= MAX_FDS {
                return Err(Errno::Invalid);
            }
            Ok(sys.ctx.fds.add_from(least, entry)? as i32)
        }
        // Nothing is ever executed instead of a guest.
        command::GET_FD | command::SET_FD => Ok(0),
        command::GET_FLAGS => {
            let both = rights::FD_READ | rights::FD_WRITE;
            let access = match entry.rights & both {
                both_set if both_set == both => flags::READ_WRITE,
                rights::FD_WRITE => flags::WRITE_ONLY,
                _ => 0,
            };
            let set = match entry.object.host_fd() {
                Some(fd) => file::wasi_flags(rustix::fs::fcntl_getfl(fd)?),
                None => 0,
            };
            Ok((access | flags::from_wasi(set)) as i32)
        }
        command::SET_FLAGS => {
            let wanted = flags::to_wasi(sys.vararg(args)?);
            file::fd_fdstat_set_flags(sys.ctx, sys.guest, fd, wanted.into())?;
            Ok(0)
        }
        // A guest is the only process that it knows of: no lock of its own keeps it out.
        _ if command::GET_LOCK.contains(&cmd) => {
            let lock = sys.vararg(args)?;
            sys.guest.put(lock, &UNLOCKED.to_le_bytes())?;
            Ok(0)
        }
        _ if command::SET_LOCK.contains(&cmd) => Ok(0),
        _ => Err(Errno::Invalid),
    }
}

pub(super) fn __syscall_ioctl(
    sys: &mut Sys,
    fd: u32,
    request: u32,
    args: u32,
) -> Result<i32, Errno> {
    let entry = sys.ctx.fds.get(fd)?;
    let host = entry.object.host_fd();
    match request {
        request::GET_WINDOW_SIZE => {
            let size = sys.vararg(args)?;
            let is_output =
                matches!(entry.object, Object::Stream(_)) && entry.rights & rights::FD_WRITE != 0;
            let window = host.and_then(|fd| rustix::termios::tcgetwinsize(fd).ok());
            let (rows, columns) = match window {
                Some(window) => (window.ws_row, window.ws_col),
                // The C library takes a stream without a size for a file, and keeps what is
                // written until it is closed. Most modules have nothing that would close it.
                None if is_output => (0, 0),
                None => return Err(Errno::NotTerminal),
            };
            sys.guest.put(size, &Layout::<8>::new().u16(0, rows).u16(2, columns).0)?;
            Ok(0)
        }
        request::READABLE_BYTES => {
            let result = sys.vararg(args)?;
            let bytes = match host {
                Some(fd) => rustix::io::ioctl_fionread(fd)?,
                None => 0,
            };
            sys.guest.put_u32(result, u32::try_from(bytes).unwrap_or(u32::MAX))?;
            Ok(0)
        }
        request::SET_NONBLOCK => {
            let on = sys.guest.get(sys.vararg(args)?).map(u32::from_le_bytes)? != 0;
            let mut set = match host {
                Some(fd) => flags::from_wasi(file::wasi_flags(rustix::fs::fcntl_getfl(fd)?)),
                None => 0,
            };
            set = if on { set | flags::NONBLOCK } else { set & !flags::NONBLOCK };
            file::fd_fdstat_set_flags(sys.ctx, sys.guest, fd, flags::to_wasi(set).into())?;
            Ok(0)
        }
        _ => Err(Errno::NotTerminal),
    }
}

pub(super) fn __syscall_fstat64(sys: &mut Sys, fd: u32, result: u32) -> Result<i32, Errno> {
    let entry = sys.ctx.fds.with_rights(fd, rights::FD_FILESTAT_GET)?;
    let stat = match entry.object.host_fd() {
        Some(fd) => rustix::fs::fstat(fd)?,
        None => {
            // As /dev/null is one: a device for characters.
            let mut stat = rustix::fs::stat("/dev/null")?;
            (stat.st_dev, stat.st_ino, stat.st_nlink) = (0, 0, 1);
            stat
        }
    };
    sys.state.stat_layout.put(sys.guest, result, &stat)
}

pub(super) fn __syscall_ftruncate64(sys: &mut Sys, fd: u32, len: u64) -> Result<i32, Errno> {
    file::fd_filestat_set_size(sys.ctx, sys.guest, fd, len)?;
    Ok(0)
}

pub(super) fn __syscall_fallocate(
    sys: &mut Sys,
    fd: u32,
    mode: u32,
    at: u64,
    len: u64,
) -> Result<i32, Errno> {
    if mode != 0 {
        return Err(Errno::NotSupported);
    }
    file::fd_allocate(sys.ctx, sys.guest, fd, at, len)?;
    Ok(0)
}

pub(super) fn __syscall_fadvise64(
    sys: &mut Sys,
    fd: u32,
    at: u64,
    len: u64,
    advice: u32,
) -> Result<i32, Errno> {
    // WASI numbers the third and the fourth kind of advice as Linux does, but not the others.
    file::fd_advise(sys.ctx, sys.guest, fd, at, len, advice_of_wasi(advice))?;
    Ok(0)
}

/// Linux: normal, random, sequential; WASI: normal, sequential, random.
fn advice_of_wasi(advice: u32) -> u32 {
    match advice {
        1 => 2,
        2 => 1,
        other => other,
    }
}

pub(super) fn __syscall_fdatasync(sys: &mut Sys, fd: u32) -> Result<i32, Errno> {
    file::fd_datasync(sys.ctx, sys.guest, fd)?;
    Ok(0)
}

/// Fails for a descriptor that is there: modes and owners are the host's.
pub(super) fn refuse(sys: &mut Sys, fd: u32) -> Result<i32, Errno> {
    sys.ctx.fds.get(fd)?;
    Err(Errno::NotPermitted)
}

/// A record of `getdents64` begins with this many bytes; the name and a zero byte follow.
const DIRENT_HEAD: usize = 19;

pub(super) fn __syscall_getdents64(
    sys: &mut Sys,
    fd: u32,
    buffer: u32,
    len: u32,
) -> Result<i32, Errno> {
    let directory = sys.ctx.fds.directory(fd, rights::FD_READDIR)?;
    let len = len.min(i32::MAX as u32);
    sys.guest.check(buffer, len)?;
    let mut position = rustix::fs::tell(&directory.fd)?;
    let mut host_buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(&directory.fd, &mut host_buffer);
    let mut filled = 0;
    let mut full = false;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        let size = (DIRENT_HEAD + name.len() + 1).next_multiple_of(8);
        if size > (len - filled) as usize {
            full = true;
            break;
        }
        // What is no text has no name for a guest.
        if std::str::from_utf8(name).is_ok() {
            let head = Layout::<DIRENT_HEAD>::new()
                .u64(0, entry.ino())
                .u64(8, entry.next_entry_cookie())
                .u16(16, size as u16)
                .u8(18, kind(entry.file_type()));
            let mut record = head.0.to_vec();
            record.extend(name);
            record.resize(size, 0);
            sys.guest.put(buffer + filled, &record)?;
            filled += size as u32;
        }
        position = entry.next_entry_cookie();
    }
    // The host has read on; what has not been given is read again.
    rustix::fs::seek(&directory.fd, SeekFrom::Start(position))?;
    if full && filled == 0 { Err(Errno::Invalid) } else { Ok(filled as i32) }
}

/// The kind of an entry, as directories of Linux number it.
fn kind(ty: FileType) -> u8 {
    match ty {
        FileType::Fifo => 1,
        FileType::CharacterDevice => 2,
        FileType::Directory => 4,
        FileType::BlockDevice => 6,
        FileType::RegularFile => 8,
        FileType::Symlink => 10,
        FileType::Socket => 12,
        FileType::Unknown => 0,
    }
}

/// How long a guest waits between two looks at whether execution has to end.
pub(super) const STEP: Duration = Duration::from_millis(10);

/// The most descriptors that one call can wait for.
const MAX_POLLED: u32 = 4096;

pub(super) fn __syscall_poll(
    sys: &mut Sys,
    fds: u32,
    count: u32,
    timeout: i32,
) -> Result<i32, Errno> {
    if count > MAX_POLLED {
        return Err(Errno::Invalid);
    }
    sys.guest.check(fds, count * 8)?;
    // What happens on each, as far as it is known without waiting.
    let mut events = vec![PollFlags::empty(); count as usize];
    let mut polled = Vec::new();
    let mut waits = timeout != 0;
    for i in 0..count {
        let [a, b, c, d, e, f, ..]: [u8; 8] = sys.guest.get(fds + i * 8)?;
        let fd = i32::from_le_bytes([a, b, c, d]);
        let wanted = PollFlags::from_bits_truncate(u16::from_le_bytes([e, f]));
        let Ok(fd) = u32::try_from(fd) else { continue };
        match sys.ctx.fds.with_rights(fd, rights::POLL_FD_READWRITE) {
            Err(_) => events[i as usize] = PollFlags::NVAL,
            Ok(entry) => match entry.object.host_fd() {
                Some(fd) => polled.push((i as usize, PollFd::from_borrowed_fd(fd, wanted))),
                // Streams that are no descriptors of the host never block.
                None => events[i as usize] = wanted & (PollFlags::IN | PollFlags::OUT),
            },
        }
        waits &= events[i as usize].is_empty();
    }
    wait(sys.guest, &mut polled, if waits { timeout } else { 0 })?;
    for (i, fd) in &polled {
        events[*i] = fd.revents();
    }
    for (i, event) in events.iter().enumerate() {
        sys.guest.put(fds + i as u32 * 8 + 6, &event.bits().to_le_bytes())?;
    }
    Ok(events.iter().filter(|event| !event.is_empty()).count() as i32)
}

/// Waits at most so many milliseconds; without end if it is negative.
fn wait(guest: &Guest, polled: &mut [(usize, PollFd)], timeout: i32) -> Result<(), Errno> {
    let timeout = u64::try_from(timeout).ok().map(Duration::from_millis);
    let deadline = timeout.map(|wait| Instant::now() + wait);
    let mut fds: Vec<PollFd> = polled.iter().map(|(_, fd)| fd.clone()).collect();
    loop {
        guest.check_interrupt()?;
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let step = guest.is_interruptible().then_some(STEP);
        let step = left.into_iter().chain(step).min();
        let at_most = step.map(|step| Timespec {
            tv_sec: step.as_secs() as i64,
            tv_nsec: step.subsec_nanos().into(),
        });
        match poll(&mut fds, at_most.as_ref()) {
            Ok(0) if left.is_none_or(|left| !left.is_zero()) => {}
            Err(rustix::io::Errno::INTR) => {}
            outcome => {
                outcome?;
                break;
            }
        }
    }
    for ((_, to), from) in polled.iter_mut().zip(fds) {
        *to = from;
    }
    Ok(())
}

/// Also goes to a position in a directory, as `rewinddir` and `seekdir` need it.
pub(super) fn fd_seek(
    sys: &mut Sys,
    fd: u32,
    delta: u64,
    whence: u32,
    position: u32,
) -> Result<(), Errno> {
    let delta = delta.cast_signed();
    if whence != 0 || !matches!(sys.ctx.fds.get(fd)?.object, Object::Directory(_)) {
        return file::fd_seek(sys.ctx, sys.guest, fd, delta, whence, position);
    }
    let directory = sys.ctx.fds.directory(fd, rights::FD_READDIR)?;
    sys.guest.check(position, 8)?;
    let to = u64::try_from(delta).map_err(|_| Errno::Invalid)?;
    sys.guest.put_u64(position, rustix::fs::seek(&directory.fd, SeekFrom::Start(to))?)
}
