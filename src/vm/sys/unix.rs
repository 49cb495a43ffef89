//! Memory and threads of Unix.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

/// Bytes of a page of the system.
pub fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        // SAFETY: sysconf has no preconditions.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).expect("the system has a page size")
    })
}

/// Whether something is mapped at an address.
pub fn is_mapped(address: usize) -> bool {
    let page = address & !(page_size() - 1);
    let mut resident = 0;
    // SAFETY: the system looks at nothing but its own tables, and writes one byte.
    unsafe { libc::mincore(ptr::without_provenance_mut(page), 1, &raw mut resident) == 0 }
}

/// A range of address space that belongs to this value alone.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is an address range; who may access it is its owner's business.
unsafe impl Send for Mapping {}
// SAFETY: as above; no method accesses the memory.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Reserves `len` bytes in which every access faults. `len` is not 0.
    ///
    /// # Errors
    ///
    /// When the system has no room, or a limit is reached.
    pub fn reserve(len: usize) -> io::Result<Mapping> {
        Mapping::reserve_at(0, len)
    }

    /// As [`Mapping::reserve`], at the address `hint` if nothing is there, and elsewhere if not.
    ///
    /// # Errors
    ///
    /// When the system has no room, or a limit is reached.
    pub fn reserve_at(hint: usize, len: usize) -> io::Result<Mapping> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        Mapping::map_at(hint, len, libc::PROT_NONE, flags, -1)
    }

    /// As [`Mapping::reserve`], at a multiple of `align`, itself a multiple of the page size;
    /// `len` is a whole number of pages.
    ///
    /// # Errors
    ///
    /// When the system has no room, or a limit is reached.
    pub fn reserve_aligned(len: usize, align: usize) -> io::Result<Mapping> {
        let larger = len.checked_add(align).ok_or(io::ErrorKind::OutOfMemory)?;
        let larger = Mapping::reserve(larger)?;
        let base = larger.base() as usize;
        let before = base.next_multiple_of(align) - base;
        let after = larger.len - before - len;
        let aligned = larger.base().wrapping_add(before);
        std::mem::forget(larger);
        for (start, len) in [(base, before), (aligned as usize + len, after)] {
            if len > 0 {
                // SAFETY: the range is one end of the mapping above, which nothing uses.
                unsafe { libc::munmap(start as *mut libc::c_void, len) };
            }
        }
        let base = NonNull::new(aligned).expect("the system maps nothing at address 0");
        Ok(Mapping { base, len })
    }

    /// Replaces a range, in whole pages, by a view of a file from `offset` on.
    fn replace(
        &self,
        range: Range<usize>,
        protection: i32,
        flags: i32,
        fd: i32,
        offset: libc::off_t,
    ) -> io::Result<()> {
        assert!(range.start <= range.end && range.end <= self.len);
        if range.is_empty() {
            return Ok(());
        }
        let (at, flags) = (self.base().wrapping_add(range.start), flags | libc::MAP_FIXED);
        // SAFETY: the range lies within the mapping (asserted), which is ours; the caller knows
        // that nobody uses what is there, or finds the same in its place.
        let shown = unsafe { libc::mmap(at.cast(), range.len(), protection, flags, fd, offset) };
        if shown == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Fills the beginning with a part of a file, which is executable; `range` starts at a page.
    ///
    /// # Errors
    ///
    /// When the system refuses that, as it does for files that must not be executed.
    pub fn show_file(&self, file: &File, range: Range<usize>) -> io::Result<()> {
        let executable = libc::PROT_READ | libc::PROT_EXEC;
        let offset = libc::off_t::try_from(range.start);
        let offset = offset.map_err(|_| io::ErrorKind::InvalidInput)?;
        let pages = 0..range.len().next_multiple_of(page_size());
        self.replace(pages, executable, libc::MAP_PRIVATE, file.as_raw_fd(), offset)
    }

    /// All of a file, to be read.
    ///
    /// # Errors
    ///
    /// When the system refuses that, or the file is empty.
    pub fn of_file(file: &File) -> io::Result<Mapping> {
        let len = usize::try_from(file.metadata()?.len());
        let len = len.map_err(|_| io::ErrorKind::OutOfMemory)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_POPULATE;
        Mapping::map(len, libc::PROT_READ, flags, file.as_raw_fd())
    }

    fn map(len: usize, protection: i32, flags: i32, fd: i32) -> io::Result<Mapping> {
        Mapping::map_at(0, len, protection, flags, fd)
    }

    fn map_at(
        hint: usize,
        len: usize,
        protection: i32,
        flags: i32,
        fd: i32,
    ) -> io::Result<Mapping> {
        let hint = ptr::without_provenance_mut(hint);
        // SAFETY: a new mapping at an address that the system chooses: it replaces nothing.
        let base = unsafe { libc::mmap(hint, len, protection, flags, fd, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).expect("the system maps nothing at address 0");
        Ok(Mapping { base, len })
    }

    /// The address of the first byte.
    pub fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Makes a range, given from the mapping's start in whole pages, readable and writable.
    ///
    /// # Errors
    ///
    /// When the system has no memory for it.
    pub fn make_writable(&self, range: Range<usize>) -> io::Result<()> {
        self.protect(range, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Makes every access to a range, given from the mapping's start in whole pages, fault. Its
    /// contents stay.
    ///
    /// # Errors
    ///
    /// When the system cannot do that.
    pub fn make_inaccessible(&self, range: Range<usize>) -> io::Result<()> {
        self.protect(range, libc::PROT_NONE)
    }

    /// A part, in whole pages, as a mapping that does not unmap it.
    ///
    /// # Safety
    ///
    /// The part belongs to the new value alone, which is not used longer than this one.
    pub unsafe fn part(&self, start: usize, len: usize) -> mem::ManuallyDrop<Mapping> {
        assert!(start <= self.len && len <= self.len - start);
        let base = NonNull::new(self.base().wrapping_add(start)).expect("nothing is at address 0");
        mem::ManuallyDrop::new(Mapping { base, len })
    }

    /// Puts new memory in the place of all that is there: zeros, writable or inaccessible.
    ///
    /// # Errors
    ///
    /// When the system cannot do that. What is there then is not known.
    pub fn renew(&self, writable: bool) -> io::Result<()> {
        let protection =
            if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_NONE };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: the range is this mapping, whose contents nobody needs.
        let new = unsafe { libc::mmap(self.base().cast(), self.len, protection, flags, -1, 0) };
        if new == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Makes a range, given from the mapping's start in whole pages, readable and executable.
    ///
    /// # Errors
    ///
    /// When the system forbids it.
    pub fn make_executable(&self, range: Range<usize>) -> io::Result<()> {
        self.protect(range, libc::PROT_READ | libc::PROT_EXEC)
    }

    /// A mapping of `len` bytes that begins with the first `used` bytes of this one, whole pages
    /// that are writable; the rest is inaccessible. Costs little however many bytes those are:
    /// pages are moved, not copied, and what nobody has touched takes no memory afterwards either.
    ///
    /// # Errors
    ///
    /// This mapping as it was, when the system cannot do that.
    pub fn enlarge(self, used: usize, len: usize) -> Result<Mapping, Mapping> {
        assert!(used <= self.len && self.len <= len);
        if used == 0 {
            return Err(self);
        }
        // SAFETY: the range is a part of this mapping, and nobody uses it meanwhile.
        let new = unsafe { libc::mremap(self.base().cast(), used, len, libc::MREMAP_MAYMOVE) };
        if new == libc::MAP_FAILED {
            return Err(self);
        }
        let new = NonNull::new(new.cast()).expect("the system maps nothing at address 0");
        // What has been moved is not ours any more where it was.
        let rest = mem::ManuallyDrop::new(self);
        if rest.len > used {
            // SAFETY: the range is the end of the old mapping, which nobody uses.
            unsafe { libc::munmap(rest.base().add(used).cast(), rest.len - used) };
        }
        let enlarged = Mapping { base: new, len };
        // Should this fail, there is more to access than there has to be.
        let _ = enlarged.protect(used..len, libc::PROT_NONE);
        Ok(enlarged)
    }

    fn protect(&self, range: Range<usize>, protection: i32) -> io::Result<()> {
        assert!(range.start <= range.end && range.end <= self.len);
        if range.is_empty() {
            return Ok(());
        }
        // SAFETY: the range lies within the mapping (asserted), which is ours.
        let done =
            unsafe { libc::mprotect(self.base().add(range.start).cast(), range.len(), protection) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// Gives the memory of a range of whole pages back to the system; it is zero when it is used again.
/// False when the system refuses, and all may stay as it is.
pub fn discard(mapping: &Mapping, range: Range<usize>) -> bool {
    assert!(range.start <= range.end && range.end <= mapping.len);
    // SAFETY: the range lies within the mapping (asserted), which is ours and whose contents the
    // caller does not need.
    unsafe {
        let start = mapping.base().add(range.start).cast();
        libc::madvise(start, range.len(), libc::MADV_DONTNEED) == 0
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and whoever used it has gone before its owner.
        unsafe { libc::munmap(self.base().cast(), self.len) };
    }
}

/// Fills a range of a mapping, in whole pages, with memory that runs there and can be written in a
/// second view, which is returned. The first `kept` bytes are those that are in the range already.
/// Forked children share the memory.
///
/// # Errors
///
/// When the system does not offer such memory; the range is as it was.
pub fn show_twice(mapping: &Mapping, range: Range<usize>, kept: usize) -> io::Result<Mapping> {
    assert!(range.end <= mapping.len && kept <= range.len());
    const NAME: &CStr = c"tenon-code";
    let fd = memory_file(NAME)?;
    let sized = libc::off_t::try_from(range.len()).map_err(|_| io::ErrorKind::InvalidInput.into());
    let view = sized.and_then(|size| {
        // SAFETY: the file is ours.
        if unsafe { libc::ftruncate(fd, size) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        let view = Mapping::map(range.len(), writable, libc::MAP_SHARED, fd)?;
        let from = mapping.base().wrapping_add(range.start);
        // SAFETY: both have this many bytes; what is kept can be read, the view is new.
        unsafe { ptr::copy_nonoverlapping(from, view.base(), kept) };
        let executable = libc::PROT_READ | libc::PROT_EXEC;
        mapping.replace(range, executable, libc::MAP_SHARED, fd, 0)?;
        Ok(view)
    });
    // SAFETY: the descriptor is ours; the mappings do not need it.
    unsafe { libc::close(fd) };
    view
}

/// An anonymous file that may be mapped executable.
fn memory_file(name: &CStr) -> io::Result<i32> {
    for flags in [libc::MFD_CLOEXEC | libc::MFD_EXEC, libc::MFD_CLOEXEC] {
        // SAFETY: the name is a C string.
        let fd = unsafe { libc::memfd_create(name.as_ptr(), flags) };
        if fd >= 0 {
            return Ok(fd);
        }
        // Kernels before 6.3 do not know the flag.
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINVAL) {
            break;
        }
    }
    Err(io::Error::last_os_error())
}

/// The addresses of the current thread's stack, without guard pages, if the system tells.
pub fn stack_bounds() -> Option<Range<usize>> {
    first_stack().or_else(thread_stack)
}

/// The stack that the process began with, if the current thread is on it and it is of a usual size.
///
/// `pthread_getattr_np` reads `/proc/self/maps` to find it, which takes longer than the compiling of
/// a small module, and longest in large processes.
fn first_stack() -> Option<Range<usize>> {
    unsafe extern "C" {
        fn pthread_getattr_default_np(attributes: *mut libc::pthread_attr_t) -> libc::c_int;
    }
    // SAFETY: what is written to are locals; the attributes are initialized when the result is 0,
    // and destroyed once.
    let (name, limit, first_limit) = unsafe {
        let (mut limit, mut attributes) = mem::zeroed::<(libc::rlimit, libc::pthread_attr_t)>();
        if libc::gettid() != libc::getpid()
            || libc::getrlimit(libc::RLIMIT_STACK, &mut limit) != 0
            || pthread_getattr_default_np(&mut attributes) != 0
        {
            return None;
        }
        let mut size = 0;
        libc::pthread_attr_getstacksize(&attributes, &mut size);
        libc::pthread_attr_destroy(&mut attributes);
        (libc::getauxval(libc::AT_EXECFN) as usize, limit.rlim_cur, size)
    };
    // What threads get is the limit with which the process began. Linux keeps that much free below
    // the stack (`mmap_base` in `arch/x86/mm/mmap.c`); beyond, something may be mapped.
    let limit = usize::try_from(limit).ok().filter(|limit| *limit <= first_limit)?;
    // The name of the program is the last thing on the stack (`fs/exec.c`), and shorter than a page.
    let end = name.checked_next_multiple_of(page_size())?;
    let start = (end + page_size()).checked_sub(limit)?;
    let here = ptr::from_ref(&limit).addr();
    (start..end).contains(&here).then_some(start..end)
}

/// What the thread library knows of the current thread's stack.
fn thread_stack() -> Option<Range<usize>> {
    // SAFETY: the attributes are initialized by pthread_getattr_np before anything reads them, and
    // destroyed once.
    unsafe {
        let mut attributes = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
            return None;
        }
        let (mut base, mut size, mut guard) = (ptr::null_mut(), 0, 0);
        let got = libc::pthread_attr_getstack(&attributes, &mut base, &mut size);
        let got_guard = libc::pthread_attr_getguardsize(&attributes, &mut guard);
        libc::pthread_attr_destroy(&mut attributes);
        if got != 0 || base.is_null() {
            return None;
        }
        // Whether the guard is part of the reported stack differs between systems; leaving its
        // size out of what is used is right for both.
        let guard = if got_guard == 0 { guard } else { 0 };
        let low = base as usize + guard.min(size);
        Some(low..base as usize + size)
    }
}

/// Has `function` called when the current thread ends, after the destructors of its thread-local
/// variables and every time again that this is asked for meanwhile, as often as the system allows.
pub fn at_thread_exit(function: fn()) {
    unsafe extern "C" fn call(function: *mut libc::c_void) {
        // SAFETY: the value is the one that is set below.
        let function = unsafe { std::mem::transmute::<*mut libc::c_void, fn()>(function) };
        function();
    }
    static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: the key is written when the result is 0.
        (unsafe { libc::pthread_key_create(&mut key, Some(call)) } == 0).then_some(key)
    });
    if let Some(key) = key {
        // SAFETY: the key is valid. Without memory for it the thread keeps what it has.
        unsafe { libc::pthread_setspecific(*key, function as *const libc::c_void) };
    }
}

/// A stack for signal handlers, in use by the thread that made it until it is dropped.
pub struct AlternateStack {
    memory: Mapping,
    previous: libc::stack_t,
}

/// Bytes of a signal stack of ours.
const ALTERNATE_STACK_SIZE: usize = 64 << 10;

/// The least that an existing signal stack must have to be good enough.
const ENOUGH_ALTERNATE_STACK: usize = 32 << 10;

impl AlternateStack {
    /// Gives the current thread a stack for signal handlers, unless it has one that is large
    /// enough, or the system refuses.
    pub fn install() -> Option<AlternateStack> {
        // SAFETY: sigaltstack only reads and writes the structs passed; the new stack lives until
        // `drop` has taken it out of use.
        unsafe {
            let mut previous: libc::stack_t = std::mem::zeroed();
            if libc::sigaltstack(ptr::null(), &mut previous) != 0 {
                return None;
            }
            let disabled = previous.ss_flags & libc::SS_DISABLE != 0;
            if !disabled && previous.ss_size >= ENOUGH_ALTERNATE_STACK {
                return None;
            }
            let memory = Mapping::reserve(ALTERNATE_STACK_SIZE + page_size()).ok()?;
            // The lowest page stays inaccessible.
            memory.make_writable(page_size()..memory.len()).ok()?;
            let new = libc::stack_t {
                ss_sp: memory.base().add(page_size()).cast(),
                ss_flags: 0,
                ss_size: ALTERNATE_STACK_SIZE,
            };
            if libc::sigaltstack(&new, ptr::null_mut()) != 0 {
                return None;
            }
            Some(AlternateStack { memory, previous })
        }
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        // SAFETY: as in `install`; the memory is unmapped after this, when nothing uses it.
        unsafe {
            let mut current: libc::stack_t = std::mem::zeroed();
            libc::sigaltstack(ptr::null(), &mut current);
            // Somebody who has replaced our stack keeps theirs.
            if current.ss_sp == self.memory.base().add(page_size()).cast() {
                libc::sigaltstack(&self.previous, ptr::null_mut());
            }
        }
    }
}

/// Signals that this thread does not take while this lives; those that it did not take before it
/// does not take afterwards either.
struct Blocked {
    before: libc::sigset_t,
}

impl Blocked {
    fn new(signals: &libc::sigset_t) -> Blocked {
        let mut before = empty_set();
        // SAFETY: the sets are initialized and live through the call.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, signals, &mut before) };
        Blocked { before }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set is what the mask was.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: sets of signals are plain data, which sigemptyset initializes.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&mut set);
        set
    }
}

/// Calls `write`, and swallows the SIGPIPE that it may raise on the calling thread, unless the host
/// has blocked one of its own that still waits. A host that takes the signal's default action thus
/// outlives writing to a pipe that nobody reads.
pub fn without_sigpipe<T>(write: impl FnOnce() -> T) -> T {
    let mut pipe = empty_set();
    // SAFETY: the set is initialized and lives through the call.
    unsafe { libc::sigaddset(&mut pipe, libc::SIGPIPE) };
    let blocked = Blocked::new(&pipe);
    // SAFETY: as above. Where the host does not block it, none has waited.
    let was_blocked = unsafe { libc::sigismember(&blocked.before, libc::SIGPIPE) } == 1;
    let waits = was_blocked && sigpipe_is_pending();
    let result = write();
    // Even a write of some bytes may have raised it.
    if !waits && sigpipe_is_pending() {
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the set and the time live through the call.
        unsafe { libc::sigtimedwait(&pipe, ptr::null_mut(), &at_once) };
    }
    result
}

/// Whether a SIGPIPE waits for the thread, or for the process.
fn sigpipe_is_pending() -> bool {
    let mut set = empty_set();
    // SAFETY: the set is initialized and lives through the calls.
    unsafe {
        libc::sigpending(&mut set);
        libc::sigismember(&set, libc::SIGPIPE) == 1
    }
}

/// Calls `start` while this thread takes no signals but those of faults. Threads that it starts
/// never take any, so that the embedder's handlers run on the embedder's threads.
pub fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    const FAULTS: [i32; 6] =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT];
    let mut signals = empty_set();
    // SAFETY: the set is initialized and lives through the calls.
    unsafe {
        libc::sigfillset(&mut signals);
        FAULTS.iter().for_each(|signal| {
            libc::sigdelset(&mut signals, *signal);
        });
    }
    let _blocked = Blocked::new(&signals);
    start()
}

/// Gives memory back to the system that has been freed but that the allocator keeps.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_views_show_the_same_bytes() {
        let page = page_size();
        let exec = Mapping::reserve_aligned(3 * page, 1 << 16).unwrap();
        assert_eq!(exec.base() as usize % (1 << 16), 0);
        let write = show_twice(&exec, page..3 * page, 0).unwrap();
        // SAFETY: both views are live, the second without the first page.
        unsafe {
            write.base().write(0x42);
            assert_eq!(exec.base().add(page).read(), 0x42);
            let other = show_twice(&exec, page..3 * page, 2).unwrap();
            write.base().write(0x43);
            assert_eq!(exec.base().add(page).read(), 0x42);
            other.base().add(1).write(0x44);
            assert_eq!(exec.base().add(page + 1).read(), 0x44);
        }
    }

    #[test]
    fn enlarging_keeps_bytes_however_often() {
        let step = 16 * page_size();
        let mut mapping = Mapping::reserve(step).unwrap();
        for round in 0..20usize {
            let used = step * round;
            if round > 0 {
                // Somebody else's memory is not in the way.
                let _other = Mapping::reserve(step).unwrap();
                mapping = mapping.enlarge(used, used + step).expect("Linux can");
            }
            mapping.make_writable(used..used + step).unwrap();
            // SAFETY: so many bytes are writable.
            unsafe {
                mapping.base().add(used).write(round as u8 + 1);
                for before in 0..=round {
                    assert_eq!(mapping.base().add(step * before).read(), before as u8 + 1);
                    assert_eq!(mapping.base().add(step * before + step - 1).read(), 0);
                }
            }
        }
    }

    #[test]
    fn the_stack_is_where_locals_are() {
        let local = 0u8;
        let bounds = stack_bounds().unwrap();
        assert!(bounds.contains(&(ptr::from_ref(&local) as usize)));
    }

    #[test]
    fn the_first_stack_is_no_other_thread_s() {
        let elsewhere = std::thread::spawn(|| (first_stack(), thread_stack(), stack_bounds()));
        let (first, own, chosen) = elsewhere.join().unwrap();
        assert_eq!((first, chosen), (None, own));
    }
}
