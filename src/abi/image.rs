//! The code of all functions of a module, as it lies in memory and in files.

use super::blob::Blob;
use super::code::CompiledFunction;
use super::sites::PackedSites;

/// Code is aligned to this.
pub const ALIGN: usize = 16;

/// Bytes of a cache line.
pub const LINE: usize = 64;

/// The first address from this one on that is so many bytes after the beginning of a line.
pub fn next_in_line(address: usize, place: u8) -> usize {
    let place = usize::from(place);
    address.saturating_sub(place).next_multiple_of(LINE) + place
}

/// The most machine code of a module: direct calls reach 2 GiB, with room to spare.
const MOST_CODE: usize = 1 << 30;

/// Machine code of all functions of a module, calls among them linked; it runs at any address that
/// is a multiple of [`ALIGN`].
#[derive(Clone, Debug)]
pub struct CodeImage {
    /// The machine code.
    pub code: Blob,
    /// Where the functions are in it, and what is known of them.
    pub table: FunctionTable,
}

/// Where functions are in their image, in the order of their numbers and addresses.
#[derive(Clone, Debug)]
pub struct FunctionTable {
    /// For each function two integers of four bytes, little-endian: where its code ends and where
    /// its sites end. Both begin where those of the function before end, the code at the next
    /// multiple of [`ALIGN`].
    pub entries: Blob,
    /// The packed sites of all functions.
    pub sites: Blob,
}

const ENTRY_SIZE: usize = 8;

/// Between functions there are instructions that trap.
const FILL: u8 = 0xcc;

impl CodeImage {
    /// Links functions, one for each number from 0 on.
    ///
    /// # Errors
    ///
    /// When it is more than can be linked.
    pub fn link(functions: Vec<CompiledFunction>) -> Result<CodeImage, String> {
        let mut size = 0;
        let mut starts = Vec::with_capacity(functions.len() + 1);
        for function in &functions {
            // The first begins where the image does.
            let place = function.place.filter(|_| size > 0);
            size = place.map_or(size, |place| next_in_line(size, place));
            starts.push(size);
            size += function.bytes.len().next_multiple_of(ALIGN);
        }
        starts.push(size);
        if size > MOST_CODE {
            return Err("the module's code is larger than calls can reach".to_owned());
        }
        let mut code = Vec::with_capacity(size);
        let mut entries = Vec::with_capacity(functions.len() * ENTRY_SIZE);
        let mut sites = Vec::new();
        // Each function goes as soon as it is in the image, so that not all are there twice.
        for (i, function) in functions.into_iter().enumerate() {
            function.link(starts[i], |callee| starts[callee.as_u32() as usize], &mut code);
            // Room before the next is a part of this one: where that begins has no field.
            let end = match starts[i + 1] - code.len() {
                0 => starts[i] + function.bytes.len(),
                _ => starts[i + 1],
            };
            code.resize(starts[i + 1], FILL);
            function.sites.pack(&mut sites);
            for field in [end, sites.len()] {
                let field = u32::try_from(field);
                let field =
                    field.map_err(|_| "what is known of the code is too much".to_owned())?;
                entries.extend_from_slice(&field.to_le_bytes());
            }
        }
        sites.shrink_to_fit();
        let table = FunctionTable { entries: Blob::new(entries), sites: Blob::new(sites) };
        Ok(CodeImage { code: Blob::new(code), table })
    }
}

impl CompiledFunction {
    /// Appends the machine code to `out`, where it is going to be at `start`, with its calls leading
    /// to their targets; `start` and targets are counted from the same place.
    pub fn link(
        &self,
        start: usize,
        target: impl Fn(crate::wasm::DefinedFuncIndex) -> usize,
        out: &mut Vec<u8>,
    ) {
        let begin = out.len();
        out.extend_from_slice(&self.bytes);
        for call in &self.calls {
            let place = begin + call.offset as usize;
            let from = start + call.offset as usize + 4;
            out[place..place + 4].copy_from_slice(&displacement(from, target(call.callee)));
        }
        out.resize(out.len().next_multiple_of(ALIGN), FILL);
    }
}

/// How far it is to `target` from where a displacement ends, as its four bytes; both are counted
/// from the same place in the code of a module.
pub fn displacement(from: usize, target: usize) -> [u8; 4] {
    let displacement = i32::try_from(target.wrapping_sub(from) as i64);
    displacement.expect("code of a module is smaller than 2 GiB").to_le_bytes()
}

impl FunctionTable {
    /// The number of functions.
    pub fn len(&self) -> usize {
        self.entries.len() / ENTRY_SIZE
    }

    fn field(&self, func: usize, field: usize) -> Option<u32> {
        let bytes = self.entries.get(func * ENTRY_SIZE + field * 4..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }

    /// Where the function's code begins.
    pub fn start(&self, func: usize) -> Option<u32> {
        let entries: &[u8] = &self.entries;
        if func >= entries.len() / ENTRY_SIZE {
            return None;
        }
        let before = match func.checked_sub(1) {
            Some(before) => u32::from_le_bytes(*entries[before * ENTRY_SIZE..].first_chunk()?),
            None => 0,
        };
        before.checked_next_multiple_of(ALIGN as u32)
    }

    /// What is known of the function.
    pub fn sites(&self, func: usize) -> Option<PackedSites<'_>> {
        let begin = func.checked_sub(1).map_or(Some(0), |before| self.field(before, 1))?;
        PackedSites::new(self.sites.get(begin as usize..self.field(func, 1)? as usize)?)
    }

    /// The function that the code at `offset` belongs to, and where it begins.
    pub fn find(&self, offset: u32) -> Option<(usize, u32)> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.start(middle)? <= offset { low = middle + 1 } else { high = middle }
        }
        let func = low.checked_sub(1)?;
        let (start, end) = (self.start(func)?, self.field(func, 0)?);
        (offset < end).then_some((func, start))
    }

    /// Where the code of the last function ends.
    pub fn end(&self) -> usize {
        self.len().checked_sub(1).and_then(|last| self.field(last, 0)).unwrap_or(0) as usize
    }

    /// Whether all functions lie within code of this size.
    pub fn fits(&self, size: usize) -> bool {
        let (fields, rest) = self.entries.as_chunks::<4>();
        let (entries, more) = fields.as_chunks::<2>();
        let ends = entries.iter().map(|[end, _]| u32::from_le_bytes(*end) as usize);
        let mut start = 0;
        rest.is_empty()
            && more.is_empty()
            && ends.into_iter().all(|end| {
                let fits = start < end && end <= size;
                start = end.next_multiple_of(ALIGN);
                fits
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::code::{Sites, Tier};

    fn function(len: usize, place: Option<u8>) -> CompiledFunction {
        let (bytes, calls, counts) = (vec![0x90; len], Vec::new(), Vec::new());
        CompiledFunction {
            tier: Tier::Optimized,
            bytes,
            place,
            calls,
            counts,
            sites: Sites::default(),
        }
    }

    #[test]
    fn functions_begin_where_the_table_and_they_say() {
        let places =
            [(40, Some(48)), (1, Some(48)), (16, None), (64, Some(16)), (5, Some(0)), (3, None)];
        let functions = places.map(|(len, place)| function(len, place));
        let image = CodeImage::link(functions.into()).unwrap();
        let starts = [0, 48, 64, 80, 192, 208];
        for (func, start) in starts.into_iter().enumerate() {
            assert_eq!(image.table.start(func), Some(start));
            let (start, len) = (start as usize, places[func].0);
            assert!(image.code[start..start + len].iter().all(|byte| *byte == 0x90));
            assert_eq!(
                image.code.get(start + len).copied().unwrap_or(FILL),
                if func == 2 { 0x90 } else { FILL }
            );
        }
        assert!(image.code.len() < 208 + 64 && image.code.len().is_multiple_of(ALIGN));
    }

    #[test]
    fn places_in_lines_are_found() {
        for (address, place, found) in
            [(0, 16, 16), (16, 16, 16), (17, 16, 80), (64, 48, 112), (1, 0, 64)]
        {
            assert_eq!(next_in_line(address, place), found);
        }
    }
}
