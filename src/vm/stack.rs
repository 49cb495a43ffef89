//! Stacks: how much is left of this one, and running on another.

use std::ffi::c_void;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::arch;
use super::sys::{Mapping, page_size};

/// Whether wasm is running on this thread.
pub fn is_inside_wasm() -> bool {
    // SAFETY: the thread's block is always there.
    unsafe { !(*arch::thread()).activation().is_null() }
}

/// Bytes of this thread's stack that are left, if its bounds are known.
pub fn room() -> Option<usize> {
    let sp = arch::stack_pointer();
    // SAFETY: nobody else uses this thread's block meanwhile.
    let bounds = unsafe { (*arch::thread()).stack() };
    bounds.filter(|bounds| bounds.contains(&sp)).map(|bounds| sp - bounds.start)
}

/// A stack to run something on that needs more than the current one may have.
#[derive(Debug)]
pub struct OwnStack(Mapping);

impl OwnStack {
    /// A stack of `size` bytes; they take memory as far as they are used.
    ///
    /// # Errors
    ///
    /// When the system has no memory for it.
    pub fn new(size: usize) -> io::Result<OwnStack> {
        let guard = page_size();
        let size = size.next_multiple_of(guard);
        let stack = Mapping::reserve(size + guard)?;
        stack.make_writable(guard..size + guard)?;
        Ok(OwnStack(stack))
    }

    /// Runs `work` on this stack.
    ///
    /// # Panics
    ///
    /// As `work` does.
    pub fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        struct Call<F, T> {
            work: Option<F>,
            result: Option<std::thread::Result<T>>,
        }
        unsafe extern "C" fn run<F: FnOnce() -> T, T>(call: *mut c_void) {
            // SAFETY: `function_for` has chosen this function for calls of this type.
            let call = unsafe { &mut *call.cast::<Call<F, T>>() };
            let work = call.work.take().expect("run once");
            call.result = Some(catch_unwind(AssertUnwindSafe(work)));
        }
        fn function_for<F: FnOnce() -> T, T>(_: &Call<F, T>) -> unsafe extern "C" fn(*mut c_void) {
            run::<F, T>
        }
        let mut call = Call { work: Some(work), result: None };
        let top = self.0.base().wrapping_add(self.0.len());
        // SAFETY: the function and its argument belong together; the stack is live, and borrowed
        // for as long as the call takes.
        unsafe { arch::call_on(top, function_for(&call), (&raw mut call).cast()) };
        call.result.expect("it has run").unwrap_or_else(|panic| resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_elsewhere_and_comes_back() {
        let here = arch::stack_pointer();
        let mut stack = OwnStack::new(1 << 20).unwrap();
        let there = stack.run(arch::stack_pointer);
        assert!(here.abs_diff(there) > 1 << 16);
        let panicked = catch_unwind(AssertUnwindSafe(|| stack.run(|| panic!("as told"))));
        assert!(panicked.is_err());
        assert_eq!(stack.run(|| 6 * 7), 42);
    }
}
