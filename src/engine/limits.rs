//! What ends execution from outside, and what a store may take.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Error, Store, Trap};
use crate::vm::fork;
use crate::vm::interrupt::Interrupt;
use crate::vm::without_signals;
#[cfg(doc)]
use crate::wasm::TrapCode;

/// Ends what a store runs, from any thread, also when the store is gone. Cloning it gives another
/// handle to the same store's execution.
#[derive(Clone)]
pub struct InterruptHandle(Arc<Interrupt>);

impl InterruptHandle {
    /// Lets what the store runs end by the trap [`TrapCode::Interrupt`]; if it runs nothing, what
    /// it runs next. Loops, calls, long operations on memory and waiting, in WASI or on a shared
    /// memory, all end soon; functions of the host only when they return to wasm.
    pub fn interrupt(&self) {
        self.0.request();
    }

    /// Takes an interrupt back that nothing has ended by, so that it does not end what comes next.
    pub fn clear(&self) {
        self.0.withdraw();
    }
}

/// The most that a store may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of all linear memories together.
    pub memory: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Instances.
    pub instances: u64,
    /// Bytes of the heap. The collector may take as many again while it runs.
    pub heap: u64,
}

impl Default for StoreLimits {
    /// No limits.
    fn default() -> StoreLimits {
        let none = u64::MAX;
        StoreLimits { memory: none, table_elements: none, instances: none, heap: none }
    }
}

impl Store {
    /// What ends execution in this store from other threads.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when the engine is not [interruptible](super::Config::interruptible).
    pub fn interrupt_handle(&self) -> Result<InterruptHandle, Error> {
        Ok(InterruptHandle(self.require_interruptible()?.clone()))
    }

    /// Lets everything that the store runs `after` this time end by the trap
    /// [`TrapCode::DeadlineExceeded`], until another deadline is set, or none.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when the engine is not [interruptible](super::Config::interruptible);
    /// [`Error::Limit`] when the system has no thread that could wait for the deadline.
    pub fn set_deadline(&self, after: Option<Duration>) -> Result<(), Error> {
        let interrupt = self.require_interruptible()?;
        let mut deadline = self.deadline().borrow_mut();
        *deadline = None;
        interrupt.set_late(false);
        // A time that the clock does not have never comes.
        let Some(time) = after.and_then(|after| Instant::now().checked_add(after)) else {
            return Ok(());
        };
        *deadline = Some(self.engine().deadlines().add(time, interrupt)?);
        Ok(())
    }

    /// When the deadline is, if there is one.
    pub fn deadline_time(&self) -> Option<Instant> {
        self.deadline().borrow().as_ref().map(|deadline| deadline.key.0)
    }

    /// Whether the engine is [interruptible](super::Config::interruptible). Functions of the host
    /// that wait should then look at [`Store::take_interrupt`] now and then.
    pub fn is_interruptible(&self) -> bool {
        self.vm().config().interruptible
    }

    /// The trap that a function of the host should end with because somebody wants execution to
    /// end, if somebody does. The interrupt is fulfilled by it.
    pub fn take_interrupt(&self) -> Option<Trap> {
        self.vm().take_interrupt().map(Trap::from)
    }

    /// Whether the engine's code consumes [fuel](super::Config::fuel).
    pub fn has_fuel(&self) -> bool {
        self.vm().config().fuel
    }

    /// Sets how much the store's code may execute: every instruction but those that only give
    /// structure takes one unit, operations on ranges one more for 64 bytes or 8 elements. When
    /// nothing is left, execution ends by the trap [`TrapCode::OutOfFuel`] at the next beginning
    /// of a function or turn of a loop. A new store has none.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when the engine has no [fuel](super::Config::fuel), or the amount is
    /// above 2⁶³ − 1.
    pub fn set_fuel(&self, amount: u64) -> Result<(), Error> {
        self.require_fuel()?;
        let Ok(amount) = i64::try_from(amount) else {
            return Err(Error::Config("there is no more fuel than 2^63 - 1".to_owned()));
        };
        self.vm().set_fuel(amount);
        Ok(())
    }

    /// The fuel that is left.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when the engine has no [fuel](super::Config::fuel).
    pub fn fuel(&self) -> Result<u64, Error> {
        self.require_fuel()?;
        Ok(u64::try_from(self.vm().fuel()).unwrap_or(0))
    }

    /// Sets what the store may have. Growing beyond it fails as the specification lets it fail,
    /// making something beyond it with [`Error::Limit`]. What there is already stays.
    pub fn set_limits(&self, limits: StoreLimits) {
        let budgets = self.vm().budgets();
        budgets.memory.set_limit(limits.memory);
        budgets.elements.set_limit(limits.table_elements);
        budgets.instances.set_limit(limits.instances);
        budgets.heap.set_limit(limits.heap);
    }

    /// What the store may have.
    pub fn limits(&self) -> StoreLimits {
        let budgets = self.vm().budgets();
        StoreLimits {
            memory: budgets.memory.limit(),
            table_elements: budgets.elements.limit(),
            instances: budgets.instances.limit(),
            heap: budgets.heap.limit(),
        }
    }

    /// What the store has.
    pub fn usage(&self) -> StoreLimits {
        let budgets = self.vm().budgets();
        StoreLimits {
            memory: budgets.memory.used(),
            table_elements: budgets.elements.used(),
            instances: budgets.instances.used(),
            heap: budgets.heap.used(),
        }
    }

    fn require_interruptible(&self) -> Result<&Arc<Interrupt>, Error> {
        let message = "the engine's code cannot be interrupted: it was not asked for";
        self.vm().interrupt().ok_or_else(|| Error::Config(message.to_owned()))
    }

    fn require_fuel(&self) -> Result<(), Error> {
        if self.has_fuel() {
            return Ok(());
        }
        Err(Error::Config("the engine's code consumes no fuel: it was not asked for".into()))
    }
}

/// When, and a number that makes it unique.
type Key = (Instant, u64);

/// The deadlines of an engine's stores. A thread waits for them as long as there are any.
#[derive(Default)]
pub(super) struct Deadlines(Arc<Queue>);

/// What is in it changes [inside](fork::inside), so that a forked child can go on with it.
#[derive(Default)]
struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: BTreeMap<Key, Weak<Interrupt>>,
    next: u64,
    waiter: Option<Waiter>,
    /// Whether the engine is gone.
    closing: bool,
}

/// The thread that waits.
struct Waiter {
    thread: ManuallyDrop<JoinHandle<()>>,
    /// See [`fork::generation`]: a forked child has no such thread, nor what its handle refers to.
    generation: u64,
    /// Whether the thread has nothing to wait for any more, and goes.
    leaving: bool,
}

impl Waiter {
    fn new(thread: JoinHandle<()>) -> Waiter {
        let generation = fork::generation();
        Waiter { thread: ManuallyDrop::new(thread), generation, leaving: false }
    }

    fn is_here(&self) -> bool {
        self.generation == fork::generation()
    }

    /// Tells the thread that there is something earlier, or nothing to wait for any more.
    fn wake(&self) {
        if self.is_here() {
            self.thread.thread().unpark();
        }
    }

    /// Waits until the thread is gone.
    fn join(self) {
        if self.is_here() {
            // It has nothing to say, even if it has panicked.
            let _ = ManuallyDrop::into_inner(self.thread).join();
        }
    }
}

/// A deadline that counts as long as this lives.
pub(super) struct Deadline {
    queue: Arc<Queue>,
    key: Key,
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.queue.change(|state| {
            state.waiting.remove(&self.key);
            if let (true, Some(waiter)) = (state.waiting.is_empty(), &state.waiter) {
                waiter.wake();
            }
        });
    }
}

impl Deadlines {
    fn add(&self, time: Instant, interrupt: &Arc<Interrupt>) -> Result<Deadline, Error> {
        let (deadline, gone) = self.0.change(|state| {
            let mut gone = None;
            if !state.waiter.as_ref().is_some_and(|waiter| waiter.is_here() && !waiter.leaving) {
                let queue = self.0.clone();
                let builder = thread::Builder::new().name("tenon-deadlines".to_owned());
                // The embedder's signals are not for this thread.
                let thread = without_signals(|| builder.spawn(move || queue.wait_for_all()))
                    .map_err(|e| Error::Limit(format!("no thread to wait for deadlines: {e}")))?;
                gone = state.waiter.replace(Waiter::new(thread));
            }
            let key = (time, state.next);
            state.next += 1;
            let is_first = state.waiting.first_key_value().is_none_or(|(first, _)| key < *first);
            state.waiting.insert(key, Arc::downgrade(interrupt));
            if let (true, Some(waiter)) = (is_first, &state.waiter) {
                waiter.wake();
            }
            Ok::<_, Error>((Deadline { queue: self.0.clone(), key }, gone))
        })?;
        // It has left the queue for good: whoever drops the engine waits for the new one only.
        if let Some(gone) = gone {
            gone.join();
        }
        Ok(deadline)
    }
}

impl Drop for Deadlines {
    /// Waits until the thread is gone: the embedder may unload the library next.
    fn drop(&mut self) {
        let waiter = self.0.change(|state| {
            state.closing = true;
            state.waiter.take()
        });
        if let Some(waiter) = waiter {
            waiter.wake();
            waiter.join();
        }
    }
}

/// How long the thread stays when there is nothing to wait for: calls with deadlines often follow
/// each other.
const IDLE: Duration = Duration::from_millis(100);

impl Queue {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        fork::inside(|| change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// What the thread does.
    fn wait_for_all(&self) {
        let mut idle_since = None;
        while let Some(pause) = self.change(|state| state.pass(Instant::now(), &mut idle_since)) {
            thread::park_timeout(pause);
        }
    }
}

impl State {
    /// Ends what is late. How long to wait for what comes next; none if the thread is to go.
    fn pass(&mut self, now: Instant, idle_since: &mut Option<Instant>) -> Option<Duration> {
        while let Some(first) = self.waiting.first_entry().filter(|e| e.key().0 <= now) {
            if let Some(interrupt) = first.remove().upgrade() {
                interrupt.set_late(true);
            }
        }
        if self.closing {
            return None;
        }
        if let Some((first, _)) = self.waiting.first_key_value() {
            *idle_since = None;
            return Some(first.0 - now);
        }
        let idle = now - *idle_since.get_or_insert(now);
        let rest = IDLE.checked_sub(idle).filter(|rest| !rest.is_zero());
        if rest.is_none()
            && let Some(waiter) = &mut self.waiter
        {
            waiter.leaving = true;
        }
        rest
    }
}
