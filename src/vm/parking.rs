//! Threads that wait for notifications at addresses of a shared memory (threads proposal).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::wasm::TrapCode;

/// The threads that wait on one memory.
#[derive(Default)]
pub struct Parking {
    /// For each address the threads that wait there, in the order in which they came.
    queues: Mutex<Queues>,
}

type Queues = BTreeMap<u64, VecDeque<Arc<Waiter>>>;

/// A thread that waits.
#[derive(Default)]
struct Waiter {
    /// Whether it has been woken; set and read under the lock.
    woken: AtomicBool,
    /// Tells it to look.
    changed: Condvar,
}

/// Why a thread does not wait any more; the numbers are those of the instructions' results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waited {
    /// It was notified.
    Woken = 0,
    /// It has not waited: there was something else than it expected.
    NotEqual = 1,
    /// The time is over.
    TimedOut = 2,
}

/// Time between two looks at whether execution has to end. Whatever asks for that may do so in a
/// signal handler, which can wake nobody.
const STEP: Duration = Duration::from_millis(10);

impl Parking {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the thread wait for a notification at `address` if `is_expected` says that there is
    /// what it expects: no notification gets lost between that and the waiting. It waits for
    /// `timeout` at most, without end if there is none. While it waits, `interrupt` is asked now
    /// and then whether it has to end; there is none where nobody can want that.
    ///
    /// # Errors
    ///
    /// What `interrupt` says.
    pub fn wait(
        &self,
        address: u64,
        is_expected: impl FnOnce() -> bool,
        timeout: Option<Duration>,
        interrupt: Option<&dyn Fn() -> Option<TrapCode>>,
    ) -> Result<Waited, TrapCode> {
        // A time that the clock does not have never comes.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut queues = self.lock();
        if !is_expected() {
            return Ok(Waited::NotEqual);
        }
        let waiter = Arc::new(Waiter::default());
        queues.entry(address).or_default().push_back(waiter.clone());
        let ended = loop {
            if waiter.woken.load(Ordering::Relaxed) {
                return Ok(Waited::Woken);
            }
            if let Some(code) = interrupt.and_then(|interrupt| interrupt()) {
                break Err(code);
            }
            let rest = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if rest.is_some_and(|rest| rest.is_zero()) {
                break Ok(Waited::TimedOut);
            }
            let step = interrupt.map(|_| STEP);
            queues = match rest.into_iter().chain(step).min() {
                Some(pause) => {
                    let waited = waiter.changed.wait_timeout(queues, pause);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => waiter.changed.wait(queues).unwrap_or_else(PoisonError::into_inner),
            };
        };
        if let Some(queue) = queues.get_mut(&address) {
            queue.retain(|other| !Arc::ptr_eq(other, &waiter));
            if queue.is_empty() {
                queues.remove(&address);
            }
        }
        ended
    }

    /// Wakes up to `count` of the threads that wait at `address`, those first that came first.
    /// Returns how many.
    pub fn notify(&self, address: u64, count: u32) -> u32 {
        let mut queues = self.lock();
        let Some(queue) = queues.get_mut(&address) else { return 0 };
        let woken = queue.len().min(count as usize);
        for waiter in queue.drain(..woken) {
            waiter.woken.store(true, Ordering::Relaxed);
            waiter.changed.notify_one();
        }
        if queue.is_empty() {
            queues.remove(&address);
        }
        // It is no more than `count`.
        woken as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_as_many_as_asked_for_in_their_order() {
        let parking = Parking::default();
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for number in 0..3 {
                let (parking, order) = (&parking, &order);
                scope.spawn(move || {
                    assert_eq!(parking.wait(8, || true, None, None), Ok(Waited::Woken));
                    order.lock().unwrap().push(number);
                });
                while parking.lock().get(&8).map_or(0, |queue| queue.len()) <= number {
                    std::thread::yield_now();
                }
            }
            assert_eq!(parking.notify(16, 9), 0, "nobody waits there");
            assert_eq!(parking.notify(8, 0), 0);
            for number in 0..2 {
                assert_eq!(parking.notify(8, 1), 1);
                while order.lock().unwrap().len() <= number {
                    std::thread::yield_now();
                }
            }
            assert_eq!(parking.notify(8, u32::MAX), 1);
        });
        assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
        assert!(parking.lock().is_empty());
    }

    #[test]
    fn waiting_ends_for_every_reason() {
        let parking = Parking::default();
        let wait = |expected, timeout, interrupt| parking.wait(0, || expected, timeout, interrupt);
        assert_eq!(wait(false, None, None), Ok(Waited::NotEqual));
        assert_eq!(wait(true, Some(Duration::ZERO), None), Ok(Waited::TimedOut));
        let late = || Some(TrapCode::DeadlineExceeded);
        assert_eq!(wait(true, None, Some(&late)), Err(TrapCode::DeadlineExceeded));
        assert!(parking.lock().is_empty());
    }
}
