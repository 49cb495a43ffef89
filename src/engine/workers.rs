//! Threads to compile and validate on. They are made when there is work and gone after it: no
//! pool stays in the embedder's process, and a forked child misses nothing.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::vm;
use crate::vm::stack::OwnStack;

/// Stack of a worker; the compiler's recursion is bounded by it.
pub(super) const WORKER_STACK: usize = 8 << 20;

/// The most workers.
const MAX_WORKERS: usize = 8;

/// Stack that the calling thread must have left to do small work itself.
const ENOUGH_STACK: usize = 1 << 20;

/// Runs `job(0)`, …, `job(count - 1)` and returns when all are done: in parallel if there is more
/// than one, and never on a stack that wasm runs on. `small` promises that the jobs take little
/// stack and little time, so that no thread is worth it.
///
/// A job that panics lets the others finish; then the panic goes on here.
pub(super) fn spread(count: usize, small: bool, job: &(dyn Fn(usize) + Sync)) {
    if count == 0 {
        return;
    }
    if small && may_work_here() {
        (0..count).for_each(job);
        return;
    }
    let workers = most_workers().min(count);
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            job(index);
        }
    };
    thread::scope(|scope| {
        let mut started = Vec::with_capacity(workers);
        // The embedder's signals are not for these threads.
        vm::without_signals(|| {
            for _ in 0..workers {
                let worker = thread::Builder::new().stack_size(WORKER_STACK);
                started.extend(worker.name("tenon".to_owned()).spawn_scoped(scope, work));
            }
        });
        if started.is_empty() {
            // The embedder, or the system, allows no threads.
            own_stack().run(work);
        }
        // The scope would wait by itself, but for the work alone: this waits for the threads' end.
        for outcome in started.into_iter().map(thread::ScopedJoinHandle::join) {
            outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

/// How many threads may work at the same time.
pub(super) fn most_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS)
}

/// Runs one job as [`spread`] does, and returns its result. The job is small.
pub(super) fn aside<T>(job: impl FnOnce() -> T) -> T {
    if may_work_here() {
        return job();
    }
    away(job)
}

/// Runs one job on a stack of its own, and returns its result.
pub(super) fn away<T>(job: impl FnOnce() -> T) -> T {
    own_stack().run(job)
}

fn own_stack() -> OwnStack {
    OwnStack::new(WORKER_STACK).expect("there is memory for a stack")
}

/// Whether this thread's stack is large, and wasm is not running on it.
fn may_work_here() -> bool {
    !vm::stack::is_inside_wasm() && vm::stack::room().is_some_and(|room| room >= ENOUGH_STACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_runs_once() {
        for small in [false, true] {
            let counts: Vec<_> = (0..100).map(|_| AtomicUsize::new(0)).collect();
            spread(counts.len(), small, &|i| {
                counts[i].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        }
        assert_eq!(away(|| 6 * 7), 42);
    }
}
