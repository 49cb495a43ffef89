//! Which pages of a range have memory.
//!
//! Linux tells since version 6.7, for about the price of an empty system call. Where it does not,
//! nobody can know, and whoever asks has to suppose all of them.

use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use super::{Mapping, page_size};

/// `struct page_region` of `linux/fs.h`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg` of `linux/fs.h`.
#[repr(C)]
#[derive(Default)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `PAGEMAP_SCAN`: `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::Ioctl =
    ((3 << 30) | (size_of::<Scan>() << 16) | ((b'f' as usize) << 8) | 16) as libc::Ioctl;

/// `PAGE_IS_PRESENT` and `PAGE_IS_SWAPPED`: what has been swapped out has contents too.
const POPULATED: u64 = 1 << 3 | 1 << 4;

/// The descriptor to ask, plus one; 0 when this process has none yet; negative when there is no
/// use in asking. It lies in a page that is zero again in a forked child: the descriptor would
/// tell of the parent's memory there. Null until somebody has asked.
static DESCRIPTOR: AtomicPtr<AtomicI32> = AtomicPtr::new(ptr::null_mut());

static UNAVAILABLE: AtomicI32 = AtomicI32::new(-1);

/// The place of the descriptor.
fn place() -> &'static AtomicI32 {
    let mut place = DESCRIPTOR.load(Ordering::Acquire);
    if place.is_null() {
        let new = page_that_forks_empty().unwrap_or(ptr::from_ref(&UNAVAILABLE).cast_mut());
        let null = ptr::null_mut();
        place = match DESCRIPTOR.compare_exchange(null, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            // Another thread was faster; a page stays unused.
            Err(other) => other,
        };
    }
    // SAFETY: it is a static, or a page that is never unmapped; all zero is a good value.
    unsafe { &*place }
}

fn page_that_forks_empty() -> Option<*mut AtomicI32> {
    let page = Mapping::reserve(page_size()).ok()?;
    page.make_writable(0..page.len()).ok()?;
    // SAFETY: the page is ours, and empty.
    if unsafe { libc::madvise(page.base().cast(), page.len(), libc::MADV_WIPEONFORK) } != 0 {
        return None;
    }
    Some(std::mem::ManuallyDrop::new(page).base().cast())
}

/// The descriptor to ask, opened on first need.
fn descriptor() -> Option<i32> {
    let place = place();
    let known = place.load(Ordering::Acquire);
    if known != 0 {
        return (known > 0).then(|| known - 1);
    }
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: the path is a C string.
    let mut new = unsafe { libc::open(c"/proc/self/pagemap".as_ptr(), flags) };
    if new >= 0 && !scan(new, &mut Scan::default(), 0..0, &mut []) {
        // SAFETY: the descriptor has just been opened.
        unsafe { libc::close(new) };
        new = -1;
    }
    let value = if new < 0 { -1 } else { new + 1 };
    match place.compare_exchange(0, value, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => (value > 0).then_some(new),
        Err(other) => {
            if new >= 0 {
                // SAFETY: as above.
                unsafe { libc::close(new) };
            }
            (other > 0).then(|| other - 1)
        }
    }
}

fn scan(file: i32, scan: &mut Scan, range: Range<usize>, regions: &mut [Region]) -> bool {
    *scan = Scan {
        size: size_of::<Scan>() as u64,
        start: range.start as u64,
        end: range.end as u64,
        vec: regions.as_mut_ptr().expose_provenance() as u64,
        vec_len: regions.len() as u64,
        category_anyof_mask: POPULATED,
        return_mask: POPULATED,
        ..Scan::default()
    };
    // SAFETY: the kernel writes to `scan`, and no more regions than there are.
    let count = unsafe { libc::ioctl(file, PAGEMAP_SCAN, ptr::from_mut(scan)) };
    // From here on the field says how many regions have been written.
    scan.vec_len = count.max(0) as u64;
    count >= 0
}

/// Calls `visit` with the ranges of pages among the first `len` bytes of a mapping that have memory
/// of their own, in order, until it returns false. False when the system does not tell; `visit` may
/// have been called nevertheless.
pub fn populated(
    mapping: &Mapping,
    len: usize,
    mut visit: impl FnMut(Range<usize>) -> bool,
) -> bool {
    assert!(len <= mapping.len());
    let Some(file) = descriptor() else { return false };
    let base = mapping.base() as usize;
    let mut regions = [Region::default(); 32];
    let mut result = Scan::default();
    let mut at = base;
    while at < base + len {
        if !scan(file, &mut result, at..base + len, &mut regions) {
            place().store(-1, Ordering::Release);
            return false;
        }
        for region in &regions[..result.vec_len as usize] {
            let start = (region.start as usize).clamp(base, base + len);
            let end = (region.end as usize).clamp(start, base + len);
            if !visit(start - base..end - base) {
                return true;
            }
        }
        let next = result.walk_end as usize;
        if next <= at {
            return false;
        }
        at = next;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pages with memory among the first `count`, as a set of numbers.
    fn pages(mapping: &Mapping, count: usize) -> Option<Vec<usize>> {
        let mut found = Vec::new();
        let told = populated(mapping, count * page_size(), |range| {
            found.extend(range.start / page_size()..range.end.div_ceil(page_size()));
            true
        });
        told.then_some(found)
    }

    #[test]
    fn tells_which_pages_have_been_written() {
        let mapping = Mapping::reserve(200 * page_size()).unwrap();
        mapping.make_writable(0..190 * page_size()).unwrap();
        let Some(none) = pages(&mapping, 200) else {
            eprintln!("skipped: this system does not tell");
            return;
        };
        assert_eq!(none, []);
        // More ranges than are asked for at once.
        let written: Vec<usize> = (0..180).filter(|page| page % 2 == 1 || *page < 7).collect();
        for page in &written {
            // SAFETY: so many pages are writable.
            unsafe { mapping.base().add(page * page_size() + 5).write(1) };
        }
        assert_eq!(pages(&mapping, 200).unwrap(), written);
        assert_eq!(pages(&mapping, 8).unwrap(), (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn a_forked_child_is_told_of_its_own_memory() {
        let mapping = Mapping::reserve(4 * page_size()).unwrap();
        mapping.make_writable(0..4 * page_size()).unwrap();
        if pages(&mapping, 4).is_none() {
            eprintln!("skipped: this system does not tell");
            return;
        }
        // SAFETY: the child only asks for its memory and ends; nothing that it needs can be locked
        // by other threads.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                mapping.base().add(2 * page_size()).write(1);
                let mut found = usize::MAX;
                let told = populated(&mapping, 4 * page_size(), |range| {
                    found = range.start / page_size();
                    true
                });
                libc::_exit(if told && found == 2 { 0 } else { 1 });
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            assert_eq!(status, 0);
        }
        assert_eq!(pages(&mapping, 4).unwrap(), []);
    }
}
