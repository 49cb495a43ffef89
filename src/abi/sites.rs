//! What is known about places in a function's code, in the form in which it is kept: few bytes,
//! read where they lie, by a signal handler too.
//!
//! Integers of variable length are groups of seven bits, the lowest first. At the beginning, of
//! such: the context's slot, the frame's size, the number of handlers, the number of roots. Then
//! handlers and roots, which are looked up often, as integers of four bytes, little-endian. Then
//! instructions that trap, or that return addresses follow, ascending: of each the distance from
//! the one before with two bits that say which it is, and the distance between the positions.

use super::code::{Catch, Handler, Sites};
use crate::wasm::TrapCode;

/// A return address.
const CALL: u64 = 0;
/// An access to memory.
const ACCESS: u64 = 1;
/// Another instruction that traps: a byte says why.
const TRAP: u64 = 2;

const HANDLER_SIZE: usize = 12;
const ROOT_SIZE: usize = 8;

impl Sites {
    /// Appends the sites to `out` in the form in which [`PackedSites`] reads them.
    pub fn pack(&self, out: &mut Vec<u8>) {
        let head = [self.context_slot as usize, self.frame_size as usize];
        for number in head.into_iter().chain([self.handlers.len(), self.roots.len()]) {
            write_number(out, number as u64);
        }
        for handler in &self.handlers {
            for field in [handler.return_offset, handler.catch.bits(), handler.landing] {
                out.extend_from_slice(&field.to_le_bytes());
            }
        }
        for (offset, below) in &self.roots {
            out.extend_from_slice(&offset.to_le_bytes());
            out.extend_from_slice(&below.to_le_bytes());
        }
        let mut traps = self.traps.iter().peekable();
        let (mut last, mut last_position) = (0, 0);
        for (i, (offset, position)) in self.positions.iter().enumerate() {
            // A trap may follow a call at once: then the call comes first.
            let is_last_here = self.positions.get(i + 1).is_none_or(|next| next.0 != *offset);
            let trap = traps.next_if(|trap| trap.offset == *offset && is_last_here);
            let kind = match trap.map(|trap| trap.code) {
                None => CALL,
                Some(TrapCode::MemoryOutOfBounds) => ACCESS,
                Some(_) => TRAP,
            };
            write_number(out, u64::from(offset - last) << 2 | kind);
            if let (Some(trap), TRAP) = (trap, kind) {
                out.push(trap.code as u8);
            }
            // Positions mostly ascend with offsets, so their differences are small either way.
            let difference = i64::from(*position) - i64::from(last_position);
            write_number(out, ((difference << 1) ^ (difference >> 63)) as u64);
            (last, last_position) = (*offset, *position);
        }
        debug_assert!(traps.next().is_none(), "every trap has a position");
    }
}

/// What [`Sites::pack`] has written. Reading it neither allocates nor panics, whatever the bytes
/// are.
#[derive(Clone, Copy, Debug)]
pub struct PackedSites<'a> {
    /// Bytes from the frame pointer down to where a frame keeps its context.
    pub context_slot: u32,
    /// Bytes from the frame pointer down to the stack pointer, for where a handler goes on.
    pub frame_size: u32,
    handlers: &'a [u8],
    roots: &'a [u8],
    places: &'a [u8],
}

/// An instruction that traps, or the one before a return address.
struct Place {
    offset: u32,
    position: u32,
    trap: Option<TrapCode>,
}

impl<'a> PackedSites<'a> {
    /// The sites in these bytes.
    pub fn new(bytes: &'a [u8]) -> Option<PackedSites<'a>> {
        let mut rest = bytes;
        let mut number = || read_number(&mut rest).and_then(|number| u32::try_from(number).ok());
        let (context_slot, frame_size) = (number()?, number()?);
        let (handlers, roots) = (number()? as usize, number()? as usize);
        let (handlers, rest) = rest.split_at_checked(handlers.checked_mul(HANDLER_SIZE)?)?;
        let (roots, places) = rest.split_at_checked(roots.checked_mul(ROOT_SIZE)?)?;
        Some(PackedSites { context_slot, frame_size, handlers, roots, places })
    }

    /// The trap at this offset in the code.
    pub fn trap_at(&self, offset: u32) -> Option<TrapCode> {
        self.places_at(offset).find_map(|place| place.trap)
    }

    /// The offset in the body of the instruction at this trap or return address.
    pub fn position_at(&self, offset: u32) -> Option<u32> {
        self.places_at(offset).next().map(|place| place.position)
    }

    /// What catches what the call that returns to this offset throws, in order.
    pub fn handlers_at(&self, return_offset: u32) -> impl Iterator<Item = Handler> + 'a {
        entries_at::<HANDLER_SIZE>(self.handlers, return_offset).filter_map(move |entry| {
            let catch = Catch::from_bits(field(entry, 1))?;
            Some(Handler { return_offset, catch, landing: field(entry, 2) })
        })
    }

    /// Where the frame has references during the call that returns to this offset: bytes from the
    /// frame pointer down.
    pub fn roots_at(&self, offset: u32) -> impl Iterator<Item = u32> + 'a {
        entries_at::<ROOT_SIZE>(self.roots, offset).map(|entry| field(entry, 1))
    }

    fn places_at(&self, offset: u32) -> impl Iterator<Item = Place> + 'a {
        let before = self.places().skip_while(move |place| place.offset < offset);
        before.take_while(move |place| place.offset == offset)
    }

    fn places(&self) -> impl Iterator<Item = Place> + 'a {
        let mut rest = self.places;
        let (mut offset, mut position) = (0u32, 0u32);
        std::iter::from_fn(move || {
            let coded = read_number(&mut rest)?;
            offset = offset.checked_add(u32::try_from(coded >> 2).ok()?)?;
            let trap = match coded & 3 {
                CALL => None,
                ACCESS => Some(TrapCode::MemoryOutOfBounds),
                _ => {
                    let (code, after) = rest.split_first()?;
                    rest = after;
                    Some(TrapCode::from_code(*code)?)
                }
            };
            let coded = read_number(&mut rest)?;
            let difference = (coded >> 1) as i64 ^ -((coded & 1) as i64);
            position = position.checked_add_signed(i32::try_from(difference).ok()?)?;
            Some(Place { offset, position, trap })
        })
    }
}

/// The entries of `SIZE` bytes whose first field, ascending, is `key`.
fn entries_at<const SIZE: usize>(bytes: &[u8], key: u32) -> impl Iterator<Item = &[u8; SIZE]> {
    let (entries, _) = bytes.as_chunks::<SIZE>();
    let first = entries.partition_point(|entry| field(entry, 0) < key);
    entries[first..].iter().take_while(move |entry| field(entry, 0) == key)
}

/// A field of an entry.
fn field<const SIZE: usize>(entry: &[u8; SIZE], index: usize) -> u32 {
    let bytes = entry[index * 4..].first_chunk().expect("entries have this field");
    u32::from_le_bytes(*bytes)
}

/// Appends an integer of variable length.
pub fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes an integer of variable length from the beginning of the bytes.
pub fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::code::TrapSite;
    use crate::wasm::TagIndex;

    fn sites() -> Sites {
        let by_tag = Catch::new(Some(TagIndex::from_u32(3)), true);
        let any = Catch::new(None, false);
        let handler = |return_offset, catch, landing| Handler { return_offset, catch, landing };
        Sites {
            context_slot: 16,
            traps: vec![
                TrapSite { offset: 6, code: TrapCode::Unreachable },
                TrapSite { offset: 9, code: TrapCode::MemoryOutOfBounds },
            ],
            positions: vec![(6, 300), (9, 2), (9, 5), (1 << 20, 1 << 21)],
            roots: vec![(6, 24), (6, 32), (9, 24)],
            frame_size: 4800,
            handlers: vec![handler(5, by_tag, 8), handler(5, any, 6), handler(9, any, 7)],
        }
    }

    #[test]
    fn what_is_packed_is_found() {
        let sites = sites();
        let mut bytes = Vec::new();
        sites.pack(&mut bytes);
        let packed = PackedSites::new(&bytes).expect("it is whole");
        assert_eq!((packed.context_slot, packed.frame_size), (16, 4800));
        for offset in 0..20 {
            let trap = sites.traps.iter().find(|trap| trap.offset == offset);
            assert_eq!(packed.trap_at(offset), trap.map(|trap| trap.code), "{offset}");
            let position = sites.positions.iter().find(|position| position.0 == offset);
            assert_eq!(packed.position_at(offset), position.map(|position| position.1));
            let handlers = sites.handlers.iter().filter(|handler| handler.return_offset == offset);
            assert!(packed.handlers_at(offset).eq(handlers.copied()), "{offset}");
            let roots = sites.roots.iter().filter(|root| root.0 == offset).map(|root| root.1);
            assert!(packed.roots_at(offset).eq(roots), "{offset}");
        }
        assert_eq!(packed.position_at(1 << 20), Some(1 << 21));
    }

    #[test]
    fn damage_does_no_harm() {
        let mut bytes = Vec::new();
        sites().pack(&mut bytes);
        let read = |bytes: &[u8]| {
            if let Some(packed) = PackedSites::new(bytes) {
                for offset in 0..12 {
                    let _ = (packed.trap_at(offset), packed.position_at(offset));
                    packed.handlers_at(offset).for_each(drop);
                    packed.roots_at(offset).for_each(drop);
                }
            }
        };
        for len in 0..bytes.len() {
            read(&bytes[..len]);
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            read(&flipped);
        }
    }
}
