//! The guest's memory: the one door to it, where every address and length is checked.
//!
//! Most memories are read and written where they are. One that is shared with other threads is
//! only ever copied from and to, in pieces that are bounded.

use std::cell::Cell;
use std::io::{IoSlice, IoSliceMut};

use smallvec::SmallVec;

use super::Snapshot;
use super::errno::Errno;
use crate::engine::{Memory, Trap};

/// The memory of the guest that has called. Everything outside of it is [`Errno::Fault`].
pub(super) struct Guest {
    memory: Memory,
    /// The version of WASI that it has been written for.
    pub(super) snapshot: Snapshot,
    /// What the call ends with instead of an errno.
    ended: Cell<Option<Trap>>,
}

/// A buffer of a vectored read or write.
#[derive(Clone, Copy)]
pub(super) struct Buffer {
    address: u32,
    len: u32,
}

/// The buffers of a call; so many take no allocation.
pub(super) type Buffers = SmallVec<[Buffer; 16]>;

/// The most buffers that one call can have, as on Linux.
const MAX_BUFFERS: u32 = 1024;

/// The longest path, as on Linux.
const MAX_PATH: u32 = 4096;

/// Bytes of a shared memory that are copied at a time, and the most that one read or write of a
/// guest with such a memory moves.
const PIECE: u32 = 1 << 20;

impl Guest {
    pub(super) fn new(memory: Memory, snapshot: Snapshot) -> Guest {
        Guest { memory, snapshot, ended: Cell::new(None) }
    }

    /// Whether somebody may want to end what the guest does while it waits.
    pub(super) fn is_interruptible(&self) -> bool {
        self.memory.store().is_interruptible()
    }

    /// Fails when somebody wants execution to end; the call then ends by a trap.
    pub(super) fn check_interrupt(&self) -> Result<(), Errno> {
        let Some(trap) = self.memory.store().take_interrupt() else { return Ok(()) };
        self.ended.set(Some(trap));
        Err(Errno::Interrupted)
    }

    /// The trap that the call ends by, if it does.
    pub(super) fn ended(&self) -> Option<Trap> {
        self.ended.take()
    }

    fn is_shared(&self) -> bool {
        self.memory.ty().shared
    }

    /// Calls `access` with a part of the memory. Nothing of the guest's runs meanwhile, except in
    /// other threads that share the memory: then it is a copy.
    pub(super) fn with<T>(
        &self,
        address: u32,
        len: u32,
        access: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Errno> {
        if self.is_shared() {
            self.check(address, len)?;
            let mut copy = vec![0; len as usize];
            self.memory.read(address.into(), &mut copy).map_err(|_| Errno::Fault)?;
            return Ok(access(&copy));
        }
        let access = |bytes: &mut [u8]| access(bytes);
        self.memory.with(address.into(), len as usize, access).map_err(|_| Errno::Fault)
    }

    /// Has a part of the memory written by `write`, in pieces if the memory is shared.
    pub(super) fn write_with(
        &self,
        address: u32,
        len: u32,
        mut write: impl FnMut(&mut [u8]) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        if !self.is_shared() {
            let written = self.memory.with(address.into(), len as usize, write);
            return written.map_err(|_| Errno::Fault)?;
        }
        self.check(address, len)?;
        let mut piece = vec![0; len.min(PIECE) as usize];
        let mut done = 0;
        while done < len {
            let piece = &mut piece[..(len - done).min(PIECE) as usize];
            write(piece)?;
            // Neither overflows: the whole range has been checked.
            self.put(address + done, piece)?;
            done += piece.len() as u32;
        }
        Ok(())
    }

    /// Calls `access` with the whole memory.
    fn with_all<T>(&self, access: impl FnOnce(&mut [u8]) -> T) -> Result<T, Errno> {
        self.memory.with(0, self.memory.size(), access).map_err(|_| Errno::Fault)
    }

    /// Has buffers filled, all at once; returns how many bytes that were. Of buffers that overlap
    /// only the first is filled.
    pub(super) fn fill(
        &self,
        buffers: &[Buffer],
        fill: impl FnOnce(&mut [IoSliceMut]) -> Result<usize, Errno>,
    ) -> Result<u32, Errno> {
        if self.is_shared() {
            return self.fill_shared(buffers, fill);
        }
        self.with_all(|memory| {
            let Some(mut slices) = disjoint(memory, buffers) else {
                let first = buffers.iter().find(|buffer| buffer.len > 0).ok_or(Errno::Fault)?;
                return fill(&mut [IoSliceMut::new(&mut memory[first.range()])]);
            };
            fill(&mut slices)
        })?
        .map(|len| len as u32)
    }

    /// The same by way of bytes that are then put into the buffers.
    fn fill_shared(
        &self,
        buffers: &[Buffer],
        fill: impl FnOnce(&mut [IoSliceMut]) -> Result<usize, Errno>,
    ) -> Result<u32, Errno> {
        let first = buffers.iter().position(|buffer| buffer.len > 0).unwrap_or(0);
        let buffers = if overlap(buffers) { &buffers[first..=first] } else { buffers };
        let mut bytes = vec![0; total(buffers).min(PIECE) as usize];
        let len = fill(&mut [IoSliceMut::new(&mut bytes)])?;
        let mut rest = &bytes[..len];
        for buffer in buffers {
            let (these, after) = rest.split_at(rest.len().min(buffer.len as usize));
            self.put(buffer.address, these)?;
            rest = after;
        }
        Ok(len as u32)
    }

    /// Has buffers written, all at once; returns how many bytes that were.
    pub(super) fn drain(
        &self,
        buffers: &[Buffer],
        drain: impl FnOnce(&[IoSlice]) -> Result<usize, Errno>,
    ) -> Result<u32, Errno> {
        if self.is_shared() {
            let mut bytes = Vec::with_capacity(total(buffers).min(PIECE) as usize);
            for buffer in buffers {
                let len = buffer.len.min(PIECE - bytes.len() as u32);
                self.with(buffer.address, len, |these| bytes.extend_from_slice(these))?;
            }
            return drain(&[IoSlice::new(&bytes)]).map(|len| len as u32);
        }
        self.with_all(|memory| {
            let slices = buffers.iter().map(|buffer| IoSlice::new(&memory[buffer.range()]));
            drain(&slices.collect::<SmallVec<[IoSlice; 16]>>())
        })?
        .map(|len| len as u32)
    }

    /// Fails unless the whole range is there.
    pub(super) fn check(&self, address: u32, len: u32) -> Result<(), Errno> {
        let end = u64::from(address) + u64::from(len);
        if end <= self.memory.size() as u64 { Ok(()) } else { Err(Errno::Fault) }
    }

    pub(super) fn get<const SIZE: usize>(&self, address: u32) -> Result<[u8; SIZE], Errno> {
        self.with(address, SIZE as u32, |bytes| std::array::from_fn(|i| bytes[i]))
    }

    pub(super) fn put(&self, address: u32, bytes: &[u8]) -> Result<(), Errno> {
        self.memory.write(address.into(), bytes).map_err(|_| Errno::Fault)
    }

    pub(super) fn put_u32(&self, address: u32, value: u32) -> Result<(), Errno> {
        self.put(address, &value.to_le_bytes())
    }

    pub(super) fn put_u64(&self, address: u32, value: u64) -> Result<(), Errno> {
        self.put(address, &value.to_le_bytes())
    }

    /// A path: UTF-8 without zero bytes.
    pub(super) fn path(&self, address: u32, len: u32) -> Result<String, Errno> {
        self.check(address, len)?;
        if len > MAX_PATH {
            return Err(Errno::NameTooLong);
        }
        let bytes = self.with(address, len, |bytes| bytes.to_vec())?;
        let path = String::from_utf8(bytes).map_err(|_| Errno::IllegalBytes)?;
        if path.contains('\0') { Err(Errno::Invalid) } else { Ok(path) }
    }

    /// The buffers of a vectored read or write, all of them checked; their lengths add up to less
    /// than 2^32.
    pub(super) fn buffers(&self, address: u32, count: u32) -> Result<Buffers, Errno> {
        if count > MAX_BUFFERS {
            return Err(Errno::Invalid);
        }
        let mut buffers = Buffers::with_capacity(count as usize);
        let mut total: u32 = 0;
        self.with(address, count * 8, |array| {
            buffers.extend(array.chunks_exact(8).map(|raw| {
                let word = |at| u32::from_le_bytes(std::array::from_fn(|i| raw[at + i]));
                Buffer { address: word(0), len: word(4) }
            }));
        })?;
        for buffer in &buffers {
            self.check(buffer.address, buffer.len)?;
            total = total.checked_add(buffer.len).ok_or(Errno::Invalid)?;
        }
        Ok(buffers)
    }
}

/// The bytes of all buffers together, which [`Guest::buffers`] has found to be so few.
fn total(buffers: &[Buffer]) -> u32 {
    buffers.iter().map(|buffer| buffer.len).sum()
}

fn overlap(buffers: &[Buffer]) -> bool {
    let ranges = buffers.iter().filter(|buffer| buffer.len > 0).map(|buffer| buffer.range());
    let mut ranges: SmallVec<[_; 16]> = ranges.collect();
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.windows(2).any(|pair| pair[0].end > pair[1].start)
}

/// The bytes of each buffer; none if some overlap.
fn disjoint<'a>(
    memory: &'a mut [u8],
    buffers: &[Buffer],
) -> Option<SmallVec<[IoSliceMut<'a>; 16]>> {
    let mut order: SmallVec<[usize; 16]> = (0..buffers.len()).collect();
    order.retain(|i| buffers[*i].len > 0);
    order.sort_unstable_by_key(|i| buffers[*i].address);
    let mut slices: SmallVec<[IoSliceMut; 16]> = SmallVec::new();
    slices.resize_with(buffers.len(), || IoSliceMut::new(&mut []));
    let (mut rest, mut start) = (memory, 0);
    for i in order {
        let range = buffers[i].range();
        let (_, after) = rest.split_at_mut(range.start.checked_sub(start)?);
        let (slice, after) = after.split_at_mut(range.len());
        slices[i] = IoSliceMut::new(slice);
        (rest, start) = (after, range.end);
    }
    Some(slices)
}

impl Buffer {
    /// The buffer's bytes among those of the whole memory.
    fn range(&self) -> std::ops::Range<usize> {
        let start = self.address as usize;
        start..start + self.len as usize
    }
}
