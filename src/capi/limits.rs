//! The part of `tenon.h` by which execution is ended from outside, and limited.

use std::time::Duration;

use super::boundary::{OrError, guard, outcome, refuse, shared};
use super::engine::wasm_config_t;
use super::store::wasm_store_t;
use super::tenon::{configure, tenon_error_code_t};
use crate::engine::{InterruptHandle, Store, StoreLimits};

/// What ends execution in a store from other threads.
///
/// Ownership: whoever made it owns it; it may outlive the store.
pub struct tenon_interrupt_t(InterruptHandle);

/// Calls `body` with the store; the kind of error when that fails.
///
/// # Safety
///
/// The store is live or null.
unsafe fn with_store(
    store: *mut wasm_store_t,
    body: impl FnOnce(&Store) -> Option<()>,
) -> tenon_error_code_t {
    // SAFETY: the caller's contract.
    outcome(|| body(&unsafe { shared(store, "the store") }?.0))
}

/// Sets whether what a store runs can be ended from outside, by a `tenon_interrupt_t` or a
/// deadline. Code then looks for it at the beginning of functions and in loops, which costs it some
/// speed. Off by default.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_interruptible_set(
    config: *mut wasm_config_t,
    on: bool,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.interruptible(on);
            Some(())
        })
    }
}

/// Sets whether instructions consume the store's fuel (see `tenon_store_fuel_set`). Counting costs
/// speed. Off by default.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_fuel_set(
    config: *mut wasm_config_t,
    on: bool,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.fuel(on);
            Some(())
        })
    }
}

/// Makes what ends execution in a store from other threads. Returns null when the engine's code
/// cannot be interrupted (see `tenon_config_interruptible_set`).
///
/// Ownership: borrows the store; the caller owns the result, which may outlive the store, and
/// releases it with `tenon_interrupt_delete`.
///
/// # Safety
///
/// The store is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_interrupt_new(
    store: *mut wasm_store_t,
) -> Option<Box<tenon_interrupt_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = unsafe { shared(store, "the store") }?;
        Some(Box::new(tenon_interrupt_t(store.0.interrupt_handle().or_error()?)))
    })
}

/// Releases it; null is nothing to release. What it has raised stays raised.
///
/// Ownership: takes it over.
///
/// # Safety
///
/// It is live or null, and no other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_interrupt_delete(interrupt: Option<Box<tenon_interrupt_t>>) {
    guard((), || drop(interrupt));
}

/// Lets what the store runs end by the trap `TENON_TRAP_INTERRUPT`; if it runs nothing, what it runs
/// next. Loops, calls, long operations on memory and waiting, in WASI or on a shared memory, all end
/// soon; callbacks only when they return. Any thread may call it at any time, and signal handlers.
///
/// Ownership: borrows it.
///
/// # Safety
///
/// It is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_interrupt_raise(interrupt: Option<&tenon_interrupt_t>) {
    if let Some(interrupt) = interrupt {
        interrupt.0.interrupt();
    }
}

/// Takes back an interrupt that nothing has ended by, so that it does not end what comes next.
///
/// Ownership: borrows it.
///
/// # Safety
///
/// It is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_interrupt_clear(interrupt: Option<&tenon_interrupt_t>) {
    if let Some(interrupt) = interrupt {
        interrupt.0.clear();
    }
}

/// Lets everything that the store runs after so many nanoseconds from now end by the trap
/// `TENON_TRAP_DEADLINE_EXCEEDED`, until another deadline is set or it is cleared. Fails when the
/// engine's code cannot be interrupted (see `tenon_config_interruptible_set`).
///
/// Ownership: borrows the store.
///
/// # Safety
///
/// The store is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_deadline_set(
    store: *mut wasm_store_t,
    nanoseconds: u64,
) -> tenon_error_code_t {
    let after = Duration::from_nanos(nanoseconds);
    // SAFETY: the contract of this function.
    unsafe { with_store(store, |store| store.set_deadline(Some(after)).or_error()) }
}

/// Lets the store run for ever again.
///
/// Ownership: borrows the store.
///
/// # Safety
///
/// The store is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_deadline_clear(
    store: *mut wasm_store_t,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe { with_store(store, |store| store.set_deadline(None).or_error()) }
}

/// Sets how much the store's code may execute: every instruction but those that only give structure
/// takes one unit, operations on ranges one more for 64 bytes or 8 elements. When nothing is left,
/// execution ends by the trap `TENON_TRAP_OUT_OF_FUEL` at the next beginning of a function or turn
/// of a loop. A new store has none. Fails when the engine's code consumes no fuel (see
/// `tenon_config_fuel_set`), and for more than 2⁶³ − 1.
///
/// Ownership: borrows the store.
///
/// # Safety
///
/// The store is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_fuel_set(
    store: *mut wasm_store_t,
    amount: u64,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe { with_store(store, |store| store.set_fuel(amount).or_error()) }
}

/// Writes to `out` how much fuel is left. Fails when the engine's code consumes none.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The store is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_fuel_get(
    store: *mut wasm_store_t,
    out: *mut u64,
) -> tenon_error_code_t {
    let get = |store: &Store| {
        let left = store.fuel().or_error()?;
        if out.is_null() {
            return refuse("there is nowhere to write to");
        }
        // SAFETY: the contract of this function.
        unsafe { out.write(left) };
        Some(())
    };
    // SAFETY: the contract of this function.
    unsafe { with_store(store, get) }
}

/// Sets how many bytes all linear memories of the store may have together. Growing beyond it fails
/// as growing can fail; making a memory or an instance beyond it fails with `TENON_ERROR_LIMIT`.
/// What there is already stays. Without it there is no such limit.
///
/// Ownership: borrows the store.
///
/// # Safety
///
/// The store is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_max_memory_set(
    store: *mut wasm_store_t,
    bytes: u64,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe { limit(store, |limits| limits.memory = bytes) }
}

/// As `tenon_store_max_memory_set`, for the elements of all tables.
///
/// Ownership: borrows the store.
///
/// # Safety
///
/// The store is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_max_table_elements_set(
    store: *mut wasm_store_t,
    elements: u64,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe { limit(store, |limits| limits.table_elements = elements) }
}

/// As `tenon_store_max_memory_set`, for the number of instances.
///
/// Ownership: borrows the store.
///
/// # Safety
///
/// The store is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_max_instances_set(
    store: *mut wasm_store_t,
    count: u64,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe { limit(store, |limits| limits.instances = count) }
}

/// # Safety
///
/// The store is live or null.
unsafe fn limit(
    store: *mut wasm_store_t,
    change: impl FnOnce(&mut StoreLimits),
) -> tenon_error_code_t {
    let set = |store: &Store| {
        let mut limits = store.limits();
        change(&mut limits);
        store.set_limits(limits);
        Some(())
    };
    // SAFETY: the caller's contract.
    unsafe { with_store(store, set) }
}

/// Returns how many bytes all linear memories of the store have together; 0 for null.
///
/// Ownership: borrows the store.
///
/// # Safety
///
/// The store is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_memory_size(store: *mut wasm_store_t) -> u64 {
    guard(0, || {
        // SAFETY: the contract of this function.
        unsafe { shared(store, "the store") }.map_or(0, |store| store.0.usage().memory)
    })
}

/// Sets how many bytes the heap of the store may have, on which structs, arrays and exceptions are.
/// When it is full of what is still referred to, making more of them ends by a trap. While the
/// collector runs, the heap takes up to twice as much memory.
///
/// Ownership: borrows the store.
///
/// # Safety
///
/// The store is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_max_heap_set(
    store: *mut wasm_store_t,
    bytes: u64,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe { limit(store, |limits| limits.heap = bytes) }
}

/// Returns how many bytes the heap of the store has, used ones and free ones; 0 for null.
///
/// Ownership: borrows the store.
///
/// # Safety
///
/// The store is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_heap_size(store: *mut wasm_store_t) -> u64 {
    guard(0, || {
        // SAFETY: the contract of this function.
        unsafe { shared(store, "the store") }.map_or(0, |store| store.0.usage().heap)
    })
}

/// Returns how many bytes of the heap of the store objects have, those included that nothing refers to
/// any more and that have not been freed yet; 0 for null.
///
/// Ownership: borrows the store.
///
/// # Safety
///
/// The store is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_heap_used(store: *mut wasm_store_t) -> u64 {
    guard(0, || {
        // SAFETY: the contract of this function.
        unsafe { shared(store, "the store") }.map_or(0, |store| store.0.heap_used())
    })
}

/// Sets whether every making of a struct or an array first frees and moves what can be: for tests,
/// in which it brings to light references that are not kept. Off by default.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_collect_always_set(
    config: *mut wasm_config_t,
    on: bool,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.collect_always(on);
            Some(())
        })
    }
}
