//! Which code space an address belongs to. Read by the signal handler: no lock, no allocation, no
//! thread-local.
//!
//! A tree over the bits of an address, as page tables are: code spaces are aligned to its leaves.
//! Nodes are added and never removed; leaves are set when a code space is made and cleared when it
//! is dropped. A thread that executes code keeps that code's space alive, so what the handler
//! finds for its own interrupted instruction is live.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::code::CodeSpace;

/// Code spaces begin and end at multiples of this.
pub const GRANULE: usize = 1 << 16;

const LEAF_BITS: u32 = 10;
const MIDDLE_BITS: u32 = 10;
const ROOT_BITS: u32 = 47 - 16 - LEAF_BITS - MIDDLE_BITS;

struct Leaf([AtomicPtr<CodeSpace>; 1 << LEAF_BITS]);
struct Middle([AtomicPtr<Leaf>; 1 << MIDDLE_BITS]);

static ROOT: [AtomicPtr<Middle>; 1 << ROOT_BITS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; 1 << ROOT_BITS];

/// Indices into root, middle and leaf; none for an address that user space cannot have.
fn indices(address: usize) -> Option<(usize, usize, usize)> {
    let granule = address / GRANULE;
    let leaf = granule & ((1 << LEAF_BITS) - 1);
    let middle = (granule >> LEAF_BITS) & ((1 << MIDDLE_BITS) - 1);
    let root = granule >> (LEAF_BITS + MIDDLE_BITS);
    (root < 1 << ROOT_BITS).then_some((root, middle, leaf))
}

/// The code space that `pc` lies in.
pub fn find(pc: usize) -> Option<*const CodeSpace> {
    let (root, middle, leaf) = indices(pc)?;
    // SAFETY: nodes are published when complete and never freed.
    let node = unsafe { ROOT[root].load(Ordering::Acquire).as_ref() }?;
    // SAFETY: as above.
    let node = unsafe { node.0[middle].load(Ordering::Acquire).as_ref() }?;
    let space = node.0[leaf].load(Ordering::Acquire);
    if space.is_null() { None } else { Some(space) }
}

/// Lets `find` answer `space` for every granule of the range. Null takes the answer away.
pub fn set(start: usize, len: usize, space: *const CodeSpace) {
    debug_assert!(start.is_multiple_of(GRANULE));
    for address in (start..start + len).step_by(GRANULE) {
        let (root, middle, leaf) = indices(address).expect("mappings lie in user space");
        let node = child(&ROOT[root]);
        let node = child(&node.0[middle]);
        node.0[leaf].store(space.cast_mut(), Ordering::Release);
    }
}

/// The node at `place`, made if there is none.
fn child<T: Default>(place: &AtomicPtr<T>) -> &'static T {
    let mut node = place.load(Ordering::Acquire);
    if node.is_null() {
        let new = Box::into_raw(Box::<T>::default());
        match place.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => node = new,
            Err(other) => {
                // SAFETY: nobody has seen the new node.
                drop(unsafe { Box::from_raw(new) });
                node = other;
            }
        }
    }
    // SAFETY: nodes are never freed.
    unsafe { &*node }
}

impl Default for Leaf {
    fn default() -> Leaf {
        Leaf([const { AtomicPtr::new(ptr::null_mut()) }; 1 << LEAF_BITS])
    }
}

impl Default for Middle {
    fn default() -> Middle {
        Middle([const { AtomicPtr::new(ptr::null_mut()) }; 1 << MIDDLE_BITS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_set_and_nothing_else() {
        let space = ptr::without_provenance::<CodeSpace>(0x1234_0000);
        let start = 0x7abc_1230_0000;
        assert_eq!(find(start), None);
        set(start, 2 * GRANULE, space);
        assert_eq!(find(start), Some(space));
        assert_eq!(find(start + 2 * GRANULE - 1), Some(space));
        assert_eq!(find(start - 1), None);
        assert_eq!(find(start + 2 * GRANULE), None);
        set(start, 2 * GRANULE, ptr::null());
        assert_eq!(find(start), None);
        assert_eq!(find(usize::MAX), None);
    }
}
