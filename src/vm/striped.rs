//! Shared values whose users on different threads do not get in each other's way.
//!
//! A count that all threads write is a cache line that wanders from core to core. Here every thread
//! counts on a line of its own. Nobody can tell from such counts when they come to zero together, so
//! nobody tries as long as there is an *anchor*: a handle that says that the value is going to be
//! needed. When the last anchor goes, the counts are closed, one after the other, and what they
//! held is added to one in the middle, on which all count from then on.

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use super::enter;

/// Lines to count on; threads beyond that many share them.
pub(super) const STRIPES: usize = 16;

/// The count of some threads, from [`ORIGIN`] on: those who drop need not be those who clone.
/// Alone on its line, and on the one that is fetched with it.
#[repr(align(128))]
struct Stripe(AtomicU64);

const ORIGIN: u64 = 1 << 62;

/// Set in a stripe on which nobody counts any more.
const CLOSED: u64 = 1 << 63;

/// Set in the middle when all count there.
const ALL_HERE: u64 = 1 << 62;

/// Added to the middle while the stripes are being closed: more than there are handles.
const CLOSING: u64 = 1 << 60;

struct Block<T> {
    stripes: [Stripe; STRIPES],
    /// The number of anchors; of all handles, and [`ALL_HERE`], once there is no anchor any more.
    middle: AtomicU64,
    value: T,
}

/// A counted handle to a value.
pub struct Striped<T> {
    block: NonNull<Block<T>>,
    anchor: bool,
}

// SAFETY: handles give out shared references and drop the value on any thread, as `Arc` does.
unsafe impl<T: Send + Sync> Send for Striped<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Striped<T> {}

impl<T> Striped<T> {
    /// The first handle to `value`, an anchor.
    pub fn new(value: T) -> Striped<T> {
        let stripes = [const { Stripe(AtomicU64::new(ORIGIN)) }; STRIPES];
        let block = Box::new(Block { stripes, middle: AtomicU64::new(1), value });
        Striped { block: NonNull::from(Box::leak(block)), anchor: true }
    }

    /// Whether both are handles to the same value.
    pub fn is(&self, other: &Striped<T>) -> bool {
        self.block == other.block
    }

    /// Another handle, which is an anchor, unless the last one of those has gone already.
    pub fn anchor(&self) -> Striped<T> {
        let middle = &self.block().middle;
        let added = middle.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count < CLOSING).then_some(count + 1)
        });
        if added.is_ok() { Striped { block: self.block, anchor: true } } else { self.clone() }
    }

    #[inline]
    fn block(&self) -> &Block<T> {
        // SAFETY: handles keep the block alive.
        unsafe { self.block.as_ref() }
    }

    /// Takes one off the middle's count when all count there.
    ///
    /// # Safety
    ///
    /// It is that of this handle, which is not used any more.
    unsafe fn leave_middle(&self) {
        if self.block().middle.fetch_sub(1, Ordering::AcqRel) == ALL_HERE + 1 {
            // SAFETY: this was the last handle.
            unsafe { self.free() };
        }
    }

    /// Drops an anchor.
    ///
    /// # Safety
    ///
    /// The handle is an anchor and not used any more.
    unsafe fn drop_anchor(&self) {
        let block = self.block();
        let left = block.middle.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
            debug_assert!(count > 0 && count < CLOSING, "anchors are counted");
            Some(if count == 1 { ALL_HERE + CLOSING } else { count - 1 })
        });
        if left != Ok(1) {
            return;
        }
        let close = |stripe: &Stripe| stripe.0.swap(CLOSED | ORIGIN, Ordering::AcqRel);
        let held = block.stripes.iter().map(|stripe| close(stripe).wrapping_sub(ORIGIN));
        let held = held.fold(0, u64::wrapping_add);
        let change = held.wrapping_sub(CLOSING);
        let before = block.middle.fetch_add(change, Ordering::AcqRel);
        if before.wrapping_add(change) == ALL_HERE {
            // SAFETY: there is no other handle, and none can be made.
            unsafe { self.free() };
        }
    }

    /// # Safety
    ///
    /// Nobody has another handle.
    unsafe fn free(&self) {
        // SAFETY: the block came from a box (see `new`).
        drop(unsafe { Box::from_raw(self.block.as_ptr()) });
    }
}

impl<T> Deref for Striped<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.block().value
    }
}

impl<T> Clone for Striped<T> {
    /// Another handle; never an anchor.
    #[inline]
    fn clone(&self) -> Striped<T> {
        let block = self.block();
        let before = block.stripes[stripe()].0.fetch_add(1, Ordering::Relaxed);
        if before & CLOSED != 0 {
            block.middle.fetch_add(1, Ordering::Relaxed);
        }
        Striped { block: self.block, anchor: false }
    }
}

impl<T> Drop for Striped<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the handle is going. Where the stripe is open the block may be gone as soon as
        // that has counted; where it is closed, the middle counts this handle.
        unsafe {
            if self.anchor {
                self.drop_anchor();
            } else if self.block().stripes[stripe()].0.fetch_sub(1, Ordering::AcqRel) & CLOSED != 0
            {
                self.leave_middle();
            }
        }
    }
}

/// The stripe of the current thread.
#[inline]
pub(super) fn stripe() -> usize {
    enter::thread_number() % STRIPES
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counted() -> (Striped<Counted>, Arc<AtomicUsize>) {
        let drops = Arc::new(AtomicUsize::new(0));
        (Striped::new(Counted(drops.clone())), drops)
    }

    #[test]
    fn the_last_handle_drops_the_value_whatever_it_is() {
        for order in 0..6 {
            let (first, drops) = counted();
            let mut handles = vec![first.clone(), first.anchor(), first];
            for place in [order % 3, order / 3 % 2, 0] {
                assert_eq!(drops.load(Ordering::SeqCst), 0);
                drop(handles.swap_remove(place));
            }
            assert_eq!(drops.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn without_anchors_handles_still_count() {
        let (first, drops) = counted();
        let plain = first.clone();
        drop(first);
        let late = plain.anchor();
        let more: Vec<_> = (0..10).map(|_| late.clone()).collect();
        drop((plain, late));
        assert_eq!((more.len(), drops.load(Ordering::SeqCst)), (10, 0));
        drop(more);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn threads_clone_and_drop_while_the_anchor_goes() {
        for _ in 0..200 {
            let (first, drops) = counted();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    let mine = first.clone();
                    scope.spawn(move || {
                        let mut handles = vec![mine];
                        for round in 0..100 {
                            let last = &handles[handles.len() - 1];
                            assert_eq!(last.0.load(Ordering::SeqCst), 0);
                            let new = if round % 7 == 0 { last.anchor() } else { last.clone() };
                            handles.push(new);
                            if round % 3 == 0 {
                                handles.swap_remove(round % handles.len());
                            }
                        }
                    });
                }
                drop(first);
            });
            assert_eq!(drops.load(Ordering::SeqCst), 1);
        }
    }
}
