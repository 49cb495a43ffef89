//! Compiling while wasm runs: on the thread that wants a function, on a stack made for it, and on
//! workers that compile what that function calls before it does.
//!
//! Workers are threads of the engine. They come when there is something to do, block the
//! embedder's signals, and go when there has been nothing to do for a while, or with the engine. A
//! forked child has none and gets none; neither does a process that may not have threads. There,
//! functions are compiled when they are called.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, mem};

use super::growing::{Growing, Job};
use super::workers::{WORKER_STACK, most_workers};
use crate::compile::Scratch;
use crate::vm;
use crate::vm::fork;
use crate::vm::stack::OwnStack;

/// How long workers stay without work.
const IDLE: Duration = Duration::from_millis(200);

/// Before or after all others that wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    Next,
    Last,
}

/// The most functions that wait for a worker; others are compiled when they are called.
const MOST_WAITING: usize = 4096;

/// An engine's workers, and what compiling needs.
pub(super) struct Ahead(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Tells workers that there is something to do.
    more: Condvar,
    /// What nobody compiles with at the moment.
    benches: Mutex<Vec<Bench>>,
    /// See [`fork::generation`]: workers are only in the process that has made them.
    generation: u64,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Arc<Growing>, Job)>,
    workers: Vec<JoinHandle<()>>,
    /// Workers that have not begun to leave, and those of them without work.
    staying: usize,
    idle: usize,
    /// Whether no more threads can be had, or the engine is gone.
    closed: bool,
}

/// A stack to compile on, and memory to compile with.
struct Bench {
    stack: OwnStack,
    /// Made on that stack: it is too large for others.
    scratch: Option<Box<Scratch>>,
}

impl Default for Ahead {
    fn default() -> Ahead {
        Ahead(Arc::new(Shared {
            state: Mutex::default(),
            more: Condvar::new(),
            benches: Mutex::default(),
            generation: fork::generation(),
        }))
    }
}

impl Ahead {
    /// Runs a piece of work that compiles, on a stack of its own. The thread takes no signals of
    /// the embedder's meanwhile: their handlers may leave by `longjmp`.
    ///
    /// # Errors
    ///
    /// When there is no memory for a stack.
    pub(super) fn compile_here<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> io::Result<T> {
        let kept = fork::inside(|| lock(&self.0.benches).pop());
        let mut bench = match kept {
            Some(bench) => bench,
            None => Bench { stack: OwnStack::new(WORKER_STACK)?, scratch: None },
        };
        let scratch = &mut bench.scratch;
        let result = bench.stack.run(|| work(scratch.get_or_insert_with(Box::default)));
        fork::inside(|| lock(&self.0.benches).push(bench));
        Ok(result)
    }

    /// Has functions compiled by workers, the first one first. Whether that will happen, if there is
    /// not too much to do.
    pub(super) fn compile_later(&self, code: &Arc<Growing>, jobs: &[Job], turn: Turn) -> bool {
        let most = most_workers() - 1;
        if jobs.is_empty() || most == 0 || self.is_in_child() {
            return false;
        }
        let (closed, wanted) = fork::inside(|| {
            let mut state = self.0.lock();
            if state.closed {
                return (true, false);
            }
            match turn {
                Turn::Next => {
                    for job in jobs.iter().rev() {
                        state.waiting.push_front((code.clone(), *job));
                    }
                }
                Turn::Last => state.waiting.extend(jobs.iter().map(|job| (code.clone(), *job))),
            }
            state.waiting.truncate(MOST_WAITING);
            for _ in 0..jobs.len().min(state.idle) {
                self.0.more.notify_one();
            }
            (false, state.idle < jobs.len() && state.staying < most)
        });
        if wanted {
            self.add_worker();
        }
        !closed
    }

    fn add_worker(&self) {
        let shared = self.0.clone();
        let builder = thread::Builder::new().name("tenon".to_owned()).stack_size(WORKER_STACK);
        // The lock is held until the thread is counted: it does not begin before.
        fork::inside(|| {
            let mut state = self.0.lock();
            match vm::without_signals(|| builder.spawn(move || shared.work())) {
                Ok(worker) => {
                    state.workers.retain(|worker| !worker.is_finished());
                    state.workers.push(worker);
                    state.staying += 1;
                }
                Err(_) => {
                    state.closed = state.staying == 0;
                    if state.closed {
                        state.waiting.clear();
                    }
                }
            }
        });
    }

    fn is_in_child(&self) -> bool {
        self.0.generation != fork::generation()
    }
}

impl Drop for Ahead {
    /// Waits until the workers are gone: the embedder may unload the library next.
    fn drop(&mut self) {
        if self.is_in_child() {
            // Neither are there workers, nor is the state safe to touch: they may have had it.
            return;
        }
        let mut state = self.0.lock();
        state.closed = true;
        let waiting = mem::take(&mut state.waiting);
        let workers = mem::take(&mut state.workers);
        drop(state);
        drop(waiting);
        self.0.more.notify_all();
        let own = thread::current().id();
        for worker in workers {
            if worker.thread().id() != own {
                // A worker that has panicked has nothing to say.
                let _ = worker.join();
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// What a worker does.
    fn work(&self) {
        let mut scratch = Scratch::new();
        let was_last = loop {
            match self.next() {
                Ok((code, job)) => code.compile_ahead(&mut scratch, job),
                Err(Leave { is_last }) => break is_last,
            }
        };
        drop(scratch);
        if was_last {
            drop(fork::inside(|| mem::take(&mut *lock(&self.benches))));
            vm::give_back_memory();
        }
    }

    /// What to compile next, if it is not time to leave.
    fn next(&self) -> Result<(Arc<Growing>, Job), Leave> {
        let mut state = self.lock();
        let leave = |mut state: MutexGuard<State>| {
            state.staying -= 1;
            Err(Leave { is_last: state.staying == 0 })
        };
        loop {
            if state.closed {
                return leave(state);
            }
            if let Some(next) = state.waiting.pop_front() {
                return Ok(next);
            }
            state.idle += 1;
            let waited = self.more.wait_timeout(state, IDLE);
            let (woken, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if outcome.timed_out() && state.waiting.is_empty() {
                return leave(state);
            }
        }
    }
}

/// Tells a worker to leave, and whether it is the last one.
struct Leave {
    is_last: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
