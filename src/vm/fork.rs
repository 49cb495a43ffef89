//! Forking while other threads of the library work: the child has none of them, but all locks as
//! they were.
//!
//! What threads change together that the embedder knows nothing of, they change [`inside`]. A fork
//! waits until nobody is inside, so the child finds all of it whole and unlocked; that it is in
//! another process now, [`generation`] tells.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many forks lie between this process and the one that has loaded the library.
static GENERATION: AtomicU64 = AtomicU64::new(0);
/// How many forks this process and those that it comes from have begun.
static COUNT: AtomicU64 = AtomicU64::new(0);
/// Threads that are inside.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
/// Threads that are forking.
static FORKING: AtomicUsize = AtomicUsize::new(0);

/// The longest that a fork waits. Nobody stays inside that long; should it happen all the same, a
/// fork that goes on is better than one that hangs.
const PATIENCE: Duration = Duration::from_secs(2);

/// A number that is another one in a child that is forked from now on.
pub fn generation() -> u64 {
    static HANDLERS: Once = Once::new();
    HANDLERS.call_once(|| {
        // SAFETY: the functions only touch the variables above. Without memory for handlers, forks
        // are what they are without this module.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after_in_child)) };
    });
    GENERATION.load(Ordering::Relaxed)
}

/// A number that is another one after each fork, in the parent as in the child. It stays as it is
/// [`inside`].
pub fn count() -> u64 {
    generation();
    COUNT.load(Ordering::Relaxed)
}

/// Runs `change` at a time when no thread forks. It is short and does not fork.
pub fn inside<T>(change: impl FnOnce() -> T) -> T {
    struct Leaving;
    impl Drop for Leaving {
        fn drop(&mut self) {
            INSIDE.fetch_sub(1, Ordering::Release);
        }
    }
    generation();
    loop {
        INSIDE.fetch_add(1, Ordering::SeqCst);
        let leaving = Leaving;
        if FORKING.load(Ordering::SeqCst) == 0 {
            let result = change();
            drop(leaving);
            return result;
        }
        drop(leaving);
        thread::yield_now();
    }
}

unsafe extern "C" fn before() {
    FORKING.fetch_add(1, Ordering::SeqCst);
    let begin = Instant::now();
    while INSIDE.load(Ordering::SeqCst) != 0 && begin.elapsed() < PATIENCE {
        thread::yield_now();
    }
    COUNT.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn after() {
    FORKING.fetch_sub(1, Ordering::SeqCst);
}

unsafe extern "C" fn after_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    // Those who were inside are not there any more.
    INSIDE.store(0, Ordering::SeqCst);
    FORKING.store(0, Ordering::SeqCst);
}
