//! Address space for linear memories, used again and again.
//!
//! What a memory had goes to the next one of its kind: reserving, protecting and unmapping, and
//! page faults above all, cost more than everything else that an instance needs. Slots are carved
//! out of large regions when there is none to be had. They are handed out *clean*: all bytes zero,
//! or as the [`DataImage`] says that they were cleaned to, and no more accessible than asked for; what
//! nobody has used yet may be less.
//!
//! Each thread takes from and gives to the shelf of its stripe; what a shelf has too much of goes to
//! the store room that all share. No lock is ever waited for: in a forked child one may be held by a
//! thread that is not there. Whoever does not get a slot makes a mapping of his own.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use super::arch;
use super::image::DataImage;
use super::striped::{STRIPES, stripe};
use super::sys::{self, Mapping};
use crate::abi::layout::GUARD_SIZE;

/// Everything that a 32-bit index reaches.
pub(super) const REACH_32: u64 = 4 << 30;

/// What a slot is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// A guarded memory: all that a 32-bit index reaches, and the guard.
    Guarded,
    /// A checked memory of up to [`SMALLEST`] bytes, doubled so many times. Everything in the slot is
    /// accessible, so that neighbours are one area to the system, which has few of them to give.
    Packed(u8),
}

/// Bytes of the smallest packed slot.
const SMALLEST: usize = 64 << 10;

/// How many classes of packed slots there are.
const PACKED: u8 = 5;

/// The most guarded slots: they take half of the address space, and as each needs two areas of
/// different protection, half of the areas that a process may have by default.
const MOST_GUARDED: usize = 16 << 10;

/// The fewest and the most slots that a region is made for.
const PER_REGION: Range<usize> = 16..1024;

/// The most slots on a shelf, and the most bytes of memory that they have together.
const SHELF: (usize, usize) = (16, 8 << 20);

/// The most bytes of memory that an idle slot keeps: filling so much with zeros costs less than
/// getting as much from the system again.
const MOST_KEPT: usize = 1 << 20;

/// As above, where nobody can say which of them have been used.
const MOST_KEPT_UNSEEN: usize = 256 << 10;

/// The most bytes that are looked at instead of asking the system which of them have memory, and how
/// often that has been asked before: the system has to make pages for looking.
const MOST_WIPED: usize = 64 << 10;

/// As above.
const USED_AGAIN: u8 = 4;

/// The most bytes that are made accessible when they are needed, and not before.
const MOST_WAITING: usize = 1 << 20;

impl Class {
    /// The class for a checked memory that wants room for `len` bytes, if there is one.
    pub(super) fn packed(len: u64) -> Option<Class> {
        (0..PACKED).find(|class| len <= (SMALLEST << class) as u64).map(Class::Packed)
    }

    /// Bytes from one slot to the next.
    fn stride(self) -> usize {
        match self {
            Class::Guarded => (REACH_32 + GUARD_SIZE) as usize,
            Class::Packed(class) => SMALLEST << class,
        }
    }

    /// How much of a slot is accessible that holds a memory of `size` bytes.
    fn accessible(self, size: usize) -> usize {
        match self {
            Class::Guarded => size.next_multiple_of(sys::page_size()),
            Class::Packed(_) => self.stride(),
        }
    }

    fn index(self) -> usize {
        match self {
            Class::Guarded => 0,
            Class::Packed(class) => 1 + usize::from(class),
        }
    }
}

/// A piece of a region.
pub(super) struct Slot {
    class: Class,
    region: usize,
    /// Never unmapped: it is a part of the region.
    pub(super) mapping: ManuallyDrop<Mapping>,
    /// Bytes from the start that are accessible; all others are zero.
    pub(super) committed: usize,
    /// While it is idle: bytes that have memory, or more.
    resident: usize,
    /// The image whose bytes it has, and where they are; 0 if all are zero.
    image: (u64, Range<usize>),
    /// How often in a row pages had memory when it was cleaned, since it was emptied.
    used: u8,
}

/// Why there is no slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// There are as many as there may be.
    Full,
    /// The system has none, or not now.
    Refused,
}

/// A region that slots are carved out of.
struct Region {
    mapping: Mapping,
    carved: usize,
    count: usize,
}

/// What all threads share.
struct Room {
    /// By [`Slot::region`].
    regions: Vec<Option<Region>>,
    /// For each class, the region that slots are being carved out of.
    open: [Option<usize>; 1 + PACKED as usize],
    /// For each class, how many slots there are.
    made: [usize; 1 + PACKED as usize],
    idle: [Vec<Slot>; 1 + PACKED as usize],
    /// Whether the system has refused a region for guarded slots: address space is scarce, and
    /// nobody is to keep any of it.
    scarce: bool,
}

/// The idle slots of some threads, the newest last; alone on its cache lines.
#[repr(align(128))]
struct Shelf(Mutex<Vec<Slot>>);

static SHELVES: [Shelf; STRIPES] = [const { Shelf(Mutex::new(Vec::new())) }; STRIPES];

static ROOM: Mutex<Room> = Mutex::new(Room::new());

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// The room, unless others have it for very long.
fn room() -> Option<MutexGuard<'static, Room>> {
    for _ in 0..1000 {
        if let Some(room) = try_lock(&ROOM) {
            return Some(room);
        }
        std::thread::yield_now();
    }
    None
}

/// Whether a slot for a memory of `size` bytes may be made accessible later. What is written at once
/// may not. If there is not so much memory, whoever wants the slot has to be told now.
fn may_wait(size: usize, image: Option<&DataImage>) -> bool {
    size <= MOST_WAITING && image.is_none()
}

/// Takes a slot for a memory of `size` bytes, all of them zero, or as `image` says: see
/// [`Slot::holds`]. No more than that is accessible, and less only if it is little and without an
/// image: to make a slot accessible that was not costs more than all else that an instance needs,
/// and nobody may ever use it.
pub(super) fn take(class: Class, size: usize, image: Option<&DataImage>) -> Result<Slot, Refusal> {
    let shelf = try_lock(&SHELVES[stripe()].0);
    let slot = shelf.and_then(|mut shelf| find(&mut shelf, class, size, image));
    let slot = match slot {
        Some(slot) => Ok(slot),
        None => room().ok_or(Refusal::Refused).and_then(|mut room| room.take(class, size)),
    };
    let mut slot = slot?;
    if slot.image.0 != 0 && !image.is_some_and(|image| slot.holds(image)) {
        slot.forget_image();
    }
    let accessible = class.accessible(size);
    let waits = slot.committed < accessible && may_wait(size, image);
    if waits || slot.adjust(accessible) {
        return Ok(slot);
    }
    give(slot, None);
    Err(Refusal::Refused)
}

/// The slot of a shelf that needs the least work.
fn find(
    shelf: &mut Vec<Slot>,
    class: Class,
    size: usize,
    image: Option<&DataImage>,
) -> Option<Slot> {
    let committed = class.accessible(size);
    let fits = |slot: &Slot| slot.class == class && slot.committed == committed;
    let best = match image {
        Some(image) => shelf.iter().rposition(|slot| fits(slot) && slot.holds(image)),
        None => shelf.iter().rposition(|slot| fits(slot) && slot.image.0 == 0),
    };
    let waits =
        |slot: &Slot| slot.class == class && slot.committed < committed && may_wait(size, image);
    let place = best.or_else(|| shelf.iter().rposition(fits));
    place.or_else(|| shelf.iter().rposition(waits)).map(|place| shelf.remove(place))
}

/// Gives a slot back whose memory started with `image`, after it has been cleaned.
pub(super) fn give(mut slot: Slot, image: Option<&DataImage>) {
    if !slot.clean(image) && !slot.renew() {
        // Its bytes must not be seen again.
        return;
    }
    give_clean(slot);
}

/// Gives a slot back whose bytes are as they were when it was taken for a memory that starts with
/// `image`, and got it by [`Slot::put`].
pub(super) fn give_untouched(slot: Slot, image: Option<&DataImage>) {
    match image {
        Some(image) if !slot.holds(image) => give(slot, Some(image)),
        _ => give_clean(slot),
    }
}

fn give_clean(slot: Slot) {
    let Some(mut shelf) = try_lock(&SHELVES[stripe()].0) else { return put_away([slot]) };
    let resident = shelf.iter().map(|slot| slot.resident).sum::<usize>() + slot.resident;
    shelf.push(slot);
    if shelf.len() > SHELF.0 || resident > SHELF.1 {
        let oldest = shelf.remove(0);
        drop(shelf);
        put_away([oldest]);
    }
}

/// Brings slots to the room, without memory.
fn put_away(slots: impl IntoIterator<Item = Slot>) {
    for mut slot in slots {
        if !slot.empty() {
            continue;
        }
        // If the room cannot be had, the slot is not used any more: it has no memory.
        let Some(mut room) = room() else { continue };
        room.idle[slot.class.index()].push(slot);
    }
}

/// Gives back to the system what no memory has at the moment.
fn trim() {
    for shelf in &SHELVES {
        let slots = try_lock(&shelf.0).map(|mut shelf| std::mem::take(&mut *shelf));
        put_away(slots.into_iter().flatten());
    }
    if let Some(mut room) = room() {
        room.trim();
    }
}

impl Room {
    const fn new() -> Room {
        Room {
            regions: Vec::new(),
            open: [None; 1 + PACKED as usize],
            made: [0; 1 + PACKED as usize],
            idle: [const { Vec::new() }; 1 + PACKED as usize],
            scarce: false,
        }
    }

    fn take(&mut self, class: Class, size: usize) -> Result<Slot, Refusal> {
        let idle = &mut self.idle[class.index()];
        let committed = class.accessible(size);
        // Looking further costs more than a change of protection.
        let newest = idle.iter().enumerate().rev().take(8);
        let place = newest.filter(|(_, slot)| slot.committed == committed).map(|(i, _)| i).next();
        match place {
            Some(place) => Ok(idle.swap_remove(place)),
            None => idle.pop().map_or_else(|| self.carve(class), Ok),
        }
    }

    /// A slot that has never been used.
    fn carve(&mut self, class: Class) -> Result<Slot, Refusal> {
        let index = class.index();
        let has_room = |region: &Region| region.carved < region.count;
        let open = self.open[index];
        let open = open.filter(|at| self.regions[*at].as_ref().is_some_and(has_room));
        let at = open.map_or_else(|| self.new_region(class), Ok)?;
        let region = self.regions[at].as_mut().ok_or(Refusal::Refused)?;
        let stride = class.stride();
        // SAFETY: nobody else has that part, and the region stays as long as one of its slots is
        // not idle.
        let mapping = unsafe { region.mapping.part(region.carved * stride, stride) };
        region.carved += 1;
        self.made[index] += 1;
        let committed = if class == Class::Guarded { 0 } else { stride };
        Ok(Slot { class, region: at, mapping, committed, resident: 0, image: (0, 0..0), used: 0 })
    }

    fn new_region(&mut self, class: Class) -> Result<usize, Refusal> {
        let index = class.index();
        let mut count = self.made[index].clamp(PER_REGION.start, PER_REGION.end);
        if class == Class::Guarded {
            count = count.min(MOST_GUARDED - self.made[index]);
            if count == 0 {
                return Err(Refusal::Full);
            }
            if self.scarce {
                return Err(Refusal::Refused);
            }
        }
        let mapping = Mapping::reserve(count * class.stride()).and_then(|mapping| {
            if class != Class::Guarded {
                mapping.make_writable(0..mapping.len())?;
            }
            Ok(mapping)
        });
        let Ok(mapping) = mapping else {
            self.scarce |= class == Class::Guarded;
            return Err(Refusal::Refused);
        };
        let region = Some(Region { mapping, carved: 0, count });
        let at = match self.regions.iter().position(Option::is_none) {
            Some(free) => {
                self.regions[free] = region;
                free
            }
            None => {
                self.regions.push(region);
                self.regions.len() - 1
            }
        };
        self.open[index] = Some(at);
        Ok(at)
    }

    /// Unmaps the regions all of whose slots are idle.
    fn trim(&mut self) {
        let mut idle = vec![0; self.regions.len()];
        self.idle.iter().flatten().for_each(|slot| idle[slot.region] += 1);
        let is_idle = |at: usize, region: &Region| region.carved == idle[at];
        let goes: Vec<bool> = (0..self.regions.len())
            .map(|at| self.regions[at].as_ref().is_some_and(|region| is_idle(at, region)))
            .collect();
        for (index, slots) in self.idle.iter_mut().enumerate() {
            let before = slots.len();
            slots.retain(|slot| !goes[slot.region]);
            self.made[index] -= before - slots.len();
            self.open[index] = self.open[index].filter(|at| !goes[*at]);
        }
        for (region, goes) in self.regions.iter_mut().zip(goes) {
            if goes {
                *region = None;
            }
        }
        self.scarce = false;
    }
}

impl Slot {
    /// Whether its bytes are those of the image.
    pub(super) fn holds(&self, image: &DataImage) -> bool {
        self.image.0 == image.serial()
    }

    /// Writes the image into a slot that has just been taken for it, unless it is there. From then on
    /// the slot holds it, if that can be undone at little cost.
    ///
    /// # Safety
    ///
    /// The image fits into what is accessible.
    pub(super) unsafe fn put(&mut self, image: &DataImage) {
        if self.holds(image) {
            return;
        }
        // SAFETY: the caller's contract; without the image all bytes are zero.
        unsafe { image.copy_to(self.mapping.base()) };
        let span = span(image);
        self.resident = (self.resident + span.len()).min(self.committed);
        if span.len() <= MOST_KEPT_UNSEEN {
            self.image = (image.serial(), image.range());
        }
    }

    /// Fills the bytes of the image that it has with zeros.
    fn forget_image(&mut self) {
        let (_, range) = std::mem::replace(&mut self.image, (0, 0..0));
        // SAFETY: an image lies in the accessible part, and nobody uses the slot.
        unsafe { self.mapping.base().add(range.start).write_bytes(0, range.len()) };
    }

    /// Makes `committed` bytes accessible, and no more. What is not accessible is zero.
    fn adjust(&mut self, committed: usize) -> bool {
        if committed > self.committed {
            if self.mapping.make_writable(self.committed..committed).is_err() {
                return false;
            }
        } else if committed < self.committed
            && self.mapping.make_inaccessible(committed..self.committed).is_err()
        {
            return false;
        }
        self.committed = committed;
        true
    }

    /// Lets all bytes be zero again, or those of `image` if the slot's memory started with it, by
    /// writing to those pages only that have memory. False when that cannot be done.
    fn clean(&mut self, image: Option<&DataImage>) -> bool {
        if image.is_none() && self.used >= USED_AGAIN && self.wipe() {
            return true;
        }
        let base = self.mapping.base();
        let (resident, of_image) = (Cell::new(0), Cell::new(0));
        let span = image.map_or(0..0, span);
        let clean = |part: Range<usize>| {
            resident.set(resident.get() + part.len());
            if resident.get() > MOST_KEPT {
                return false;
            }
            let overlap = part.end.min(span.end).saturating_sub(part.start.max(span.start));
            of_image.set(of_image.get() + overlap);
            // SAFETY: the part is accessible, and nobody uses the slot.
            unsafe {
                match image.filter(|_| overlap > 0) {
                    Some(image) => image.restore(base, part),
                    None => base.add(part.start).write_bytes(0, part.len()),
                }
            }
            true
        };
        if !sys::populated(&self.mapping, self.committed, clean) {
            if self.committed > MOST_KEPT_UNSEEN {
                return self.discard();
            }
            resident.set(0);
            of_image.set(0);
            clean(0..self.committed);
        }
        // Where pages of the image have no memory, whatever that means, they are not as it says.
        if resident.get() > MOST_KEPT || of_image.get() < span.len() {
            return self.discard();
        }
        self.resident = resident.get();
        self.used = if self.resident > 0 { self.used.saturating_add(1) } else { 0 };
        self.image = image.map_or((0, 0..0), |image| (image.serial(), image.range()));
        true
    }

    /// Lets all bytes be zero again without asking the system, if they are few.
    fn wipe(&mut self) -> bool {
        if self.committed > MOST_WIPED {
            return false;
        }
        let words = self.committed / size_of::<u64>();
        // SAFETY: so many are accessible, and nobody uses the slot.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.mapping.base().cast(), words) };
        if !arch::wipe(bytes) {
            return false;
        }
        self.resident = self.committed;
        self.image = (0, 0..0);
        true
    }

    /// Gives the slot's memory back to the system, by which all bytes become zero.
    fn discard(&mut self) -> bool {
        self.used = 0;
        self.resident = 0;
        self.image = (0, 0..0);
        // The system refuses where somebody has locked the memory.
        sys::discard(&self.mapping, 0..self.committed)
    }

    /// The same, unless there is none; in whatever way. False when that cannot be done.
    fn empty(&mut self) -> bool {
        self.resident == 0 && self.image.0 == 0 || self.discard() || self.renew()
    }

    /// Maps the slot anew.
    fn renew(&mut self) -> bool {
        self.used = 0;
        self.resident = 0;
        self.image = (0, 0..0);
        let writable = self.class != Class::Guarded;
        self.committed = if writable { self.mapping.len() } else { 0 };
        self.mapping.renew(writable).is_ok()
    }
}

/// The pages of the system that the image lies in.
fn span(image: &DataImage) -> Range<usize> {
    let page = sys::page_size();
    let Range { start, end } = image.range();
    start / page * page..end.next_multiple_of(page)
}

/// Engines, as long as one of which is there idle slots are kept.
static USERS: AtomicUsize = AtomicUsize::new(0);

/// One that wants slots to be kept.
pub struct Users(());

impl Users {
    /// Counts one more, until what is returned is dropped. With the last one go the idle slots.
    pub fn one_more() -> Users {
        USERS.fetch_add(1, Ordering::Relaxed);
        Users(())
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        if USERS.fetch_sub(1, Ordering::AcqRel) == 1 {
            trim();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::blob::Blob;

    const SIZE: usize = 64 << 10;

    /// The accessible bytes of a slot.
    fn bytes(slot: &mut Slot) -> &mut [u8] {
        // SAFETY: so many are accessible, and the slot is the caller's alone.
        unsafe { std::slice::from_raw_parts_mut(slot.mapping.base(), slot.committed) }
    }

    fn is_zero(slot: &mut Slot) -> bool {
        bytes(slot).iter().all(|byte| *byte == 0)
    }

    fn image(segments: &[(usize, Range<usize>)]) -> DataImage {
        let source = Blob::new((0..=255).collect::<Vec<u8>>());
        DataImage::new(&source, segments.to_vec()).unwrap()
    }

    #[test]
    fn cleaned_slots_are_zero_or_hold_their_image() {
        let image = image(&[(5000, 1..200), (SIZE - 10, 50..60)]);
        for class in [Class::Guarded, Class::Packed(1)] {
            let mut slot = ROOM.lock().unwrap().take(class, SIZE).unwrap();
            assert!(slot.adjust(class.accessible(SIZE)) && is_zero(&mut slot));
            for _ in 0..2 * USED_AGAIN {
                bytes(&mut slot)[SIZE / 2..].fill(1);
                assert!(slot.clean(None) && is_zero(&mut slot));
                assert!(slot.resident > 0 && slot.resident <= slot.committed);
            }
            // SAFETY: the image fits, and the slot is ours.
            unsafe { slot.put(&image) };
            assert!(slot.holds(&image) && slot.resident <= slot.committed);
            let expected = bytes(&mut slot).to_vec();
            bytes(&mut slot)[4000..SIZE - 5].fill(2);
            assert!(slot.clean(Some(&image)) && slot.holds(&image));
            assert!(bytes(&mut slot) == expected);
            slot.forget_image();
            assert!(is_zero(&mut slot));
            assert!(slot.resident <= slot.committed);
            put_away([slot]);
        }
    }

    #[test]
    fn much_memory_goes_back_to_the_system() {
        let much = 4 * MOST_KEPT;
        let mut slot = ROOM.lock().unwrap().take(Class::Guarded, much).unwrap();
        assert!(slot.adjust(much));
        bytes(&mut slot).fill(3);
        assert!(slot.clean(None));
        assert_eq!(slot.resident, 0);
        let mut has_memory = false;
        let told = sys::populated(&slot.mapping, much, |_| {
            has_memory = true;
            false
        });
        assert!(!told || !has_memory);
        assert!(is_zero(&mut slot));
        // What is not accessible any more does not come back.
        bytes(&mut slot).fill(3);
        assert!(slot.clean(None) && slot.adjust(SIZE) && slot.adjust(much));
        assert!(is_zero(&mut slot));
        put_away([slot]);
    }

    #[test]
    fn data_that_lies_far_apart_is_not_kept() {
        let much = 4 * MOST_KEPT;
        let image = image(&[(3, 1..200), (much - 10, 50..60)]);
        let mut slot = ROOM.lock().unwrap().take(Class::Guarded, much).unwrap();
        assert!(slot.adjust(much));
        // SAFETY: the image fits, and the slot is ours.
        unsafe { slot.put(&image) };
        assert_eq!((bytes(&mut slot)[3], bytes(&mut slot)[much - 10]), (1, 50));
        assert!(!slot.holds(&image));
        assert!(slot.clean(Some(&image)) && is_zero(&mut slot));
        assert!(!slot.holds(&image));
        put_away([slot]);
    }

    #[test]
    fn slots_are_accessible_as_far_as_they_have_to_be() {
        let (image, much) = (image(&[(3, 1..200)]), MOST_WAITING + SIZE);
        for round in 0..3 {
            let small = take(Class::Guarded, SIZE, None).unwrap();
            assert!(small.committed <= SIZE);
            let with_image = take(Class::Guarded, SIZE, Some(&image)).unwrap();
            assert_eq!(with_image.committed, SIZE);
            let large = take(Class::Guarded, much, None).unwrap();
            assert_eq!(large.committed, much);
            let mut grown = take(Class::Guarded, SIZE, None).unwrap();
            assert!(grown.adjust((2 + round) * SIZE) && is_zero(&mut grown));
            bytes(&mut grown).fill(5);
            for slot in [small, with_image, large, grown] {
                give(slot, None);
            }
        }
    }

    #[test]
    fn locked_memory_is_cleaned_too() {
        let much = 2 * MOST_KEPT;
        let mut slot = ROOM.lock().unwrap().take(Class::Guarded, much).unwrap();
        assert!(slot.adjust(much));
        bytes(&mut slot).fill(4);
        // SAFETY: the page is the slot's.
        if unsafe { libc::mlock(slot.mapping.base().cast(), sys::page_size()) } != 0 {
            eprintln!("skipped: this process may not lock memory");
        }
        assert!(slot.clean(None) || slot.renew());
        assert!(slot.adjust(much) && is_zero(&mut slot));
        put_away([slot]);
    }

    #[test]
    fn nobody_waits_for_a_lock() {
        // SAFETY: the child only does what is tested here, and ends.
        unsafe {
            let room = ROOM.lock().unwrap();
            let shelf = SHELVES[stripe()].0.lock();
            let child = libc::fork();
            if child == 0 {
                let refused = matches!(take(Class::Guarded, SIZE, None), Err(Refusal::Refused));
                trim();
                libc::_exit(if refused { 0 } else { 1 });
            }
            drop((room, shelf));
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            assert_eq!(status, 0);
        }
    }

    #[test]
    fn there_is_an_end_to_guarded_slots() {
        let mut room = Room::new();
        let mut slots = Vec::new();
        let refusal = loop {
            match room.take(Class::Guarded, SIZE) {
                Ok(slot) => slots.push(slot),
                Err(refusal) => break refusal,
            }
        };
        if refusal == Refusal::Refused {
            eprintln!("skipped: this process has less address space");
        } else {
            assert_eq!(slots.len(), MOST_GUARDED);
        }
        assert!(room.take(Class::Packed(0), SIZE).is_ok());
        let some = slots.split_off(slots.len() / 2);
        room.idle[0].extend(some);
        let regions = |room: &Room| room.regions.iter().flatten().count();
        let before = regions(&room);
        room.trim();
        assert!(regions(&room) < before && regions(&room) > 1);
        room.idle[0].append(&mut slots);
        room.trim();
        assert_eq!((regions(&room), room.made[0], room.idle[0].len()), (1, 0, 0));
    }

    #[test]
    fn classes_are_as_small_as_can_be() {
        assert_eq!(Class::packed(0), Some(Class::Packed(0)));
        assert_eq!(Class::packed(SIZE as u64), Some(Class::Packed(0)));
        assert_eq!(Class::packed(SIZE as u64 + 1), Some(Class::Packed(1)));
        assert_eq!(Class::packed(1 << 20), Some(Class::Packed(4)));
        assert_eq!(Class::packed((1 << 20) + 1), None);
    }
}
