//! Memory that code is written to and runs in.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fork;
use super::place;
use super::registry::GRANULE;
use super::sys::{self, Mapping};

/// Memory for code. With two views it is written through one and runs in the other. Where the
/// system refuses that, pages are writable first and executable later, never both.
///
/// Two views are shared memory, which a forked child shares with its parent. So what changes (the
/// slots, which are data) is in neither view, and a child that has code to write goes on in a copy
/// of its own.
pub(super) struct CodeMemory {
    exec: Mapping,
    /// Bytes at the start that are not code.
    data: usize,
    write: Mutex<Write>,
}

/// How code is written.
struct Write {
    /// The second view, of everything but the data.
    view: Option<Mapping>,
    /// Whether there were ever two views.
    two_views: bool,
    /// The process that shares the views with nobody, see [`fork::generation`].
    generation: u64,
}

impl CodeMemory {
    /// Memory of `len` bytes, of which the first `data`, whole pages, are data.
    pub(super) fn new(data: usize, len: usize) -> io::Result<CodeMemory> {
        let exec = place::reserve(len)?;
        exec.make_writable(0..data)?;
        let view = sys::show_twice(&exec, data..len, 0).ok();
        let generation = fork::generation();
        let write = Mutex::new(Write { two_views: view.is_some(), view, generation });
        Ok(CodeMemory { exec, data, write })
    }

    /// Memory with this code, to which no more can be added. It is writable first and executable
    /// later, which costs less than two views; they are there for systems that refuse it.
    pub(super) fn with(code: &[u8]) -> io::Result<CodeMemory> {
        let len = code.len().max(1).next_multiple_of(GRANULE);
        let exec = place::reserve(len)?;
        exec.make_writable(0..len)?;
        // SAFETY: the memory is new, writable, and large enough.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), exec.base(), code.len()) };
        if exec.make_executable(0..len).is_ok() {
            return Ok(CodeMemory::closed(exec));
        }
        let memory = CodeMemory::new(0, len)?;
        memory.write_code(0, code)?;
        memory.close();
        Ok(memory)
    }

    /// Memory that has code already.
    pub(super) fn closed(exec: Mapping) -> CodeMemory {
        let generation = fork::generation();
        let write = Mutex::new(Write { view: None, two_views: true, generation });
        CodeMemory { exec, data: 0, write }
    }

    pub(super) fn base(&self) -> *mut u8 {
        self.exec.base()
    }

    pub(super) fn len(&self) -> usize {
        self.exec.len()
    }

    fn write(&self) -> MutexGuard<'_, Write> {
        self.write.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up writing for good.
    pub(super) fn close(&self) {
        self.write().view = None;
    }

    /// Where the next batch can begin, `at` or later; all that is before is kept.
    pub(super) fn batch_start(&self, at: usize) -> io::Result<usize> {
        let mut write = self.write();
        if write.two_views && write.generation != fork::generation() {
            let view = sys::show_twice(&self.exec, self.data..self.len(), at - self.data)?;
            let generation = fork::generation();
            *write = Write { view: Some(view), two_views: true, generation };
        }
        // Without a second view, a page that runs must not become writable again.
        Ok(if write.two_views { at } else { at.next_multiple_of(sys::page_size()) })
    }

    /// Whether there is code that can be changed while it runs.
    pub(super) fn can_patch_any(&self) -> bool {
        self.write().view.is_some()
    }

    /// A pointer among the data.
    pub(super) fn pointer(&self, at: usize) -> &AtomicPtr<u8> {
        assert!(at.is_multiple_of(size_of::<usize>()) && at + size_of::<usize>() <= self.data);
        // SAFETY: data is at the start of the memory, writable, and only accessed atomically.
        unsafe { AtomicPtr::from_ptr(self.base().wrapping_add(at).cast()) }
    }

    /// A number among the data.
    pub(super) fn number(&self, at: usize) -> &AtomicI32 {
        assert!(at.is_multiple_of(size_of::<i32>()) && at + size_of::<i32>() <= self.data);
        // SAFETY: as above. Code that counts does so without synchronization, by plain moves of the
        // whole aligned number, which processors make one at a time.
        unsafe { AtomicI32::from_ptr(self.base().wrapping_add(at).cast()) }
    }

    /// Whether the four bytes at `at` can be changed while other threads run them: those see the
    /// old or the new ones, never a mixture. Processors promise that inside of eight aligned bytes.
    pub(super) fn can_patch(&self, at: usize) -> bool {
        at % 8 <= 4 && self.write().view.is_some()
    }

    /// Changes the four bytes at `at`, see [`CodeMemory::can_patch`]. Whoever runs them sees it
    /// sooner or later. Nobody else patches at the same time.
    pub(super) fn patch(&self, at: usize, value: u32) {
        let write = self.write();
        let Some(view) = &write.view else { return };
        let word = view.base().wrapping_add((at & !7) - self.data);
        // SAFETY: the aligned word lies in the view, see `can_patch`; code is only changed here.
        let word = unsafe { AtomicU64::from_ptr(word.cast()) };
        let mut bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        bytes[at % 8..at % 8 + 4].copy_from_slice(&value.to_le_bytes());
        word.store(u64::from_ne_bytes(bytes), Ordering::Release);
    }

    /// Writes code to bytes that nobody uses yet, from where a batch can begin.
    pub(super) fn write_code(&self, at: usize, code: &[u8]) -> io::Result<()> {
        assert!(self.data <= at && at + code.len() <= self.len());
        let page = sys::page_size();
        let pages = at / page * page..(at + code.len()).next_multiple_of(page);
        let write = self.write();
        let to = match &write.view {
            Some(view) => view.base().wrapping_add(at - self.data),
            None => {
                assert!(!write.two_views, "the memory is open");
                self.exec.make_writable(pages.clone())?;
                self.base().wrapping_add(at)
            }
        };
        // SAFETY: the range lies in the memory (asserted), is writable in this view, and nobody
        // uses it: its caller has just allocated it.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), to, code.len()) };
        if write.view.is_none() {
            self.exec.make_executable(pages)?;
        }
        Ok(())
    }
}
