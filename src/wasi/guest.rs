//! The guest's memory: the one door to it, where every address and length is checked.

use super::errno::Errno;
use crate::engine::Memory;

/// The memory of the guest that has called. Everything outside of it is [`Errno::Fault`].
pub(super) struct Guest {
    memory: Memory,
}

/// A buffer of a vectored read or write.
#[derive(Clone, Copy)]
pub(super) struct Buffer {
    pub(super) address: u32,
    pub(super) len: u32,
}

/// The most buffers that one call can have, as on Linux.
const MAX_BUFFERS: u32 = 1024;

/// The longest path, as on Linux.
const MAX_PATH: u32 = 4096;

impl Guest {
    pub(super) fn new(memory: Memory) -> Guest {
        Guest { memory }
    }

    /// Calls `access` with a part of the memory. Nothing of the guest's runs meanwhile.
    pub(super) fn with<T>(
        &self,
        address: u32,
        len: u32,
        access: impl FnOnce(&mut [u8]) -> T,
    ) -> Result<T, Errno> {
        self.memory.with(address.into(), len as usize, access).map_err(|_| Errno::Fault)
    }

    /// Calls `access` with the whole memory.
    pub(super) fn with_all<T>(&self, access: impl FnOnce(&mut [u8]) -> T) -> Result<T, Errno> {
        self.memory.with(0, self.memory.size(), access).map_err(|_| Errno::Fault)
    }

    /// Fails unless the whole range is there.
    pub(super) fn check(&self, address: u32, len: u32) -> Result<(), Errno> {
        let end = u64::from(address) + u64::from(len);
        if end <= self.memory.size() as u64 { Ok(()) } else { Err(Errno::Fault) }
    }

    pub(super) fn get<const SIZE: usize>(&self, address: u32) -> Result<[u8; SIZE], Errno> {
        self.with(address, SIZE as u32, |bytes| {
            <[u8; SIZE]>::try_from(&*bytes).expect("the range has this length")
        })
    }

    pub(super) fn put(&self, address: u32, bytes: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        self.with(address, len, |to| to.copy_from_slice(bytes))
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
    pub(super) fn buffers(&self, address: u32, count: u32) -> Result<Vec<Buffer>, Errno> {
        if count > MAX_BUFFERS {
            return Err(Errno::Invalid);
        }
        let mut buffers = Vec::with_capacity(count as usize);
        let mut total: u32 = 0;
        for i in 0..count {
            let at = address.checked_add(i * 8).ok_or(Errno::Fault)?;
            let raw: [u8; 8] = self.get(at)?;
            let [a, b, c, d, e, f, g, h] = raw;
            let buffer = Buffer {
                address: u32::from_le_bytes([a, b, c, d]),
                len: u32::from_le_bytes([e, f, g, h]),
            };
            self.check(buffer.address, buffer.len)?;
            total = total.checked_add(buffer.len).ok_or(Errno::Invalid)?;
            buffers.push(buffer);
        }
        Ok(buffers)
    }
}

impl Buffer {
    /// The buffer's bytes among those of the whole memory.
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        let start = self.address as usize;
        start..start + self.len as usize
    }
}
