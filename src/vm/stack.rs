//! Stacks: how much is left of this one, and running on another.

use std::ffi::c_void;
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

/// Runs `work` on a stack of its own with `size` bytes.
///
/// # Panics
///
/// As `work` does, and when the system has no memory for a stack.
pub fn on_own_stack(size: usize, work: impl FnOnce()) {
    struct Call<F> {
        work: Option<F>,
        result: std::thread::Result<()>,
    }
    unsafe extern "C" fn run<F: FnOnce()>(call: *mut c_void) {
        // SAFETY: `function_for` has chosen this function for calls of this type.
        let call = unsafe { &mut *call.cast::<Call<F>>() };
        let work = call.work.take().expect("run once");
        call.result = catch_unwind(AssertUnwindSafe(work));
    }
    fn function_for<F: FnOnce()>(_: &Call<F>) -> unsafe extern "C" fn(*mut c_void) {
        run::<F>
    }
    let mut call = Call { work: Some(work), result: Ok(()) };
    let guard = page_size();
    let size = size.next_multiple_of(guard);
    let stack = Mapping::reserve(size + guard).and_then(|stack| {
        stack.make_writable(guard..size + guard)?;
        Ok(stack)
    });
    let stack = stack.expect("there is memory for a stack");
    let top = stack.base().wrapping_add(stack.len());
    // SAFETY: the function and its argument belong together; the stack is live and large.
    unsafe { arch::call_on(top, function_for(&call), (&raw mut call).cast()) };
    if let Err(panic) = call.result {
        resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_elsewhere_and_comes_back() {
        let here = arch::stack_pointer();
        let mut there = 0;
        on_own_stack(1 << 20, || there = arch::stack_pointer());
        assert!(here.abs_diff(there) > 1 << 16);
        let panicked = std::panic::catch_unwind(|| on_own_stack(1 << 20, || panic!("as told")));
        assert!(panicked.is_err());
    }
}
