//! Where code lies.
//!
//! Processors predict a jump best if the upper half of the address stays the same. So code is put
//! into the four GiB in which the embedder's own is, if there is room. That is no more than a
//! preference: the same for all engines of the process, the last one's.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::registry::GRANULE;
use super::sys::Mapping;

/// What code should be near, 0 if nobody has said.
static HOME: AtomicUsize = AtomicUsize::new(0);
/// Below this address the next code is put.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Bytes that are left to the program, which may be as large, and has its heap above.
const DISTANCE: usize = 256 << 20;

/// Lets code lie near `address` from now on.
pub fn near(address: usize) {
    if !is_near(HOME.swap(address, Ordering::Relaxed), address) {
        NEXT.store(start(address), Ordering::Relaxed);
    }
}

/// The same, unless something else was wished before.
pub fn near_by_default(address: usize) {
    if HOME.load(Ordering::Relaxed) == 0 {
        near(address);
    }
}

fn is_near(one: usize, other: usize) -> bool {
    one >> 32 == other >> 32
}

/// The end of what is first used for code: below what it should be near, where nothing else grows, or
/// else far above that.
fn start(home: usize) -> usize {
    let below = home.wrapping_sub(DISTANCE);
    if is_near(below, home) { below } else { home.wrapping_add(8 * DISTANCE) }
}

/// Reserves addresses for code, at a multiple of [`GRANULE`]; `len` is one too.
///
/// # Errors
///
/// When the system has no room, or a limit is reached.
pub(super) fn reserve(len: usize) -> io::Result<Mapping> {
    match reserve_near(len) {
        Some(near) => Ok(near),
        None => Mapping::reserve_aligned(len, GRANULE),
    }
}

/// The same, where code is wished, if that is known and there is room.
fn reserve_near(len: usize) -> Option<Mapping> {
    let home = Some(HOME.load(Ordering::Relaxed)).filter(|home| *home != 0)?;
    let mut hint = NEXT.load(Ordering::Relaxed).wrapping_sub(len) & !(GRANULE - 1);
    if !is_near(hint, home) {
        // What was there first may be free again.
        hint = start(home).wrapping_sub(len) & !(GRANULE - 1);
    }
    NEXT.store(hint, Ordering::Relaxed);
    Mapping::reserve_at(hint, len).ok().filter(|near| near.base() as usize == hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_begins_in_the_same_four_gib() {
        for home in [0x40_0000, 0x5555_5555_4000, 0x5555_0000_1000, 0x7fff_ffff_f000] {
            assert!(is_near(start(home), home), "{home:#x}");
            assert!(start(home).abs_diff(home) >= DISTANCE);
        }
    }

    #[test]
    fn what_is_reserved_is_near() {
        let home = what_is_reserved_is_near as *const () as usize;
        near(home);
        let pieces: Vec<_> = (1..4).map(|n| reserve(n * GRANULE).unwrap()).collect();
        for piece in &pieces {
            assert!(is_near(piece.base() as usize, home), "{:p} and {home:#x}", piece.base());
            assert_eq!(piece.base() as usize % GRANULE, 0);
        }
        // A forgotten preference changes nothing about that memory.
        near_by_default(1 << 40);
        assert!(is_near(HOME.load(Ordering::Relaxed), home));
    }
}
