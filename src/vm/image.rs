//! What instances need of their module at run time, and what their memories and tables start as.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::block::{Block, Spares};
use super::types::TypeRef;
use crate::abi::blob::Blob;
use crate::abi::layout::{ContextLayout, VMType};
use crate::wasm::{
    DefinedFuncIndex, GlobalType, HeapType, MemoryType, TableType, TypeId, TypeIndex,
};

/// The part of a module that its running code needs.
pub struct Image {
    pub(super) layout: ContextLayout,
    /// Where everything is in the memory of an instance.
    pub(super) block: Block,
    pub(super) type_refs: Box<[TypeRef]>,
    pub(super) types: Box<[*const VMType]>,
    pub(super) parts: ImageParts,
    /// Whether what tables start with lies in the blocks of instances and is the same as it was in
    /// the same block before.
    pub(super) repeats_tables: bool,
    /// What instances have left for the next.
    pub(super) spares: Spares,
    /// A number that no other image has.
    serial: u64,
}

/// What an [`Image`] is made from.
pub struct ImageParts {
    /// The memories that the module defines.
    pub memories: Box<[MemoryType]>,
    /// The tables that the module defines.
    pub tables: Box<[TableType]>,
    /// All globals.
    pub globals: Box<[GlobalType]>,
    /// The types of the tags that the module defines.
    pub tags: Box<[TypeIndex]>,
    /// How many tags the module imports.
    pub imported_tags: u32,
    /// The functions that can be referred to, and their types, in the order of their numbers, which
    /// is that of the functions.
    pub func_refs: Box<[(DefinedFuncIndex, TypeIndex)]>,
    /// Where each data segment is in `bytes`.
    pub data: Box<[Range<usize>]>,
    /// The module's bytes.
    pub bytes: Blob,
    /// The type of references in each element segment.
    pub element_types: Box<[HeapType]>,
    /// What tables start with, if that is the same for all instances and always fits.
    pub table_images: Option<Box<[TableImage]>>,
    /// What the memory with this number, among those that the module defines, starts with, if
    /// that is all that memories start with, and known as with `table_images`.
    pub data_image: Option<(u32, DataImage)>,
    /// Whether instances can get references from others, or give theirs away, in other ways than
    /// through the host: by sharing tables or globals or calling each other with references.
    pub shares_refs: bool,
    /// Whether code of the module may make objects on the heap, or look into them.
    pub uses_heap: bool,
}

/// References to functions that a table starts with.
pub struct TableImage {
    /// The table, among those that the module defines.
    pub table: u32,
    /// Where the references begin; they fit into the table's minimum.
    pub start: usize,
    /// The references.
    pub refs: Box<[PresetRef]>,
}

/// A reference that is the same function in all instances: the number of a defined one among
/// those that can be referred to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PresetRef(u32);

impl PresetRef {
    /// The null reference.
    pub const NULL: PresetRef = PresetRef(u32::MAX);
    const IMPORTED: u32 = 1 << 31;

    /// The function with this number among those that can be referred to.
    pub fn defined(number: u32) -> PresetRef {
        debug_assert!(number < PresetRef::IMPORTED);
        PresetRef(number)
    }

    /// The imported function with this index.
    pub fn imported(index: u32) -> PresetRef {
        debug_assert!(index < PresetRef::IMPORTED - 1);
        PresetRef(index | PresetRef::IMPORTED)
    }

    /// The number of a defined function, or what else it is: the index of an imported one, none
    /// for null.
    #[inline]
    pub(super) fn number(self) -> Result<u32, Option<u32>> {
        if self.0 < PresetRef::IMPORTED {
            return Ok(self.0);
        }
        Err((self != PresetRef::NULL).then_some(self.0 & !PresetRef::IMPORTED))
    }
}

/// What a memory starts with: zeros but for these bytes.
pub struct DataImage {
    bytes: Blob,
    /// Where in the memory, and where in `bytes`; ascending, and without overlaps.
    segments: Box<[(usize, Range<usize>)]>,
    serial: u64,
}

impl DataImage {
    /// The most bytes that are copied again and again; and the most segments.
    const MOST: (usize, usize) = (256 << 10, 1024);

    /// The image with these segments of `bytes`, each with its place in the memory. None when they
    /// are not in order, or so many that having them at hand does not pay.
    pub fn new(bytes: &Blob, segments: Vec<(usize, Range<usize>)>) -> Option<DataImage> {
        let ordered = segments.windows(2).all(|pair| pair[0].0 + pair[0].1.len() <= pair[1].0);
        let size = segments.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        if !ordered || size > DataImage::MOST.0 || segments.len() > DataImage::MOST.1 {
            return None;
        }
        let segments = segments.into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
        Some(DataImage { bytes: bytes.clone(), segments, serial: new_serial() })
    }

    /// A number that no other image has, and is not 0.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// The part of the memory in which all bytes of the image are.
    pub(super) fn range(&self) -> Range<usize> {
        match (self.segments.first(), self.segments.last()) {
            (Some(first), Some(last)) => first.0..last.0 + last.1.len(),
            _ => 0..0,
        }
    }

    /// Writes a part of the memory at `base` as it starts.
    ///
    /// # Safety
    ///
    /// The part can be written, and nobody uses it.
    pub(super) unsafe fn restore(&self, base: *mut u8, part: Range<usize>) {
        let mut at = part.start;
        let before = self.segments.partition_point(|(start, bytes)| start + bytes.len() <= at);
        for (start, bytes) in &self.segments[before..] {
            if *start >= part.end {
                break;
            }
            let (from, to) = ((*start).max(at), (start + bytes.len()).min(part.end));
            let source = &self.bytes[bytes.start + from - start..bytes.start + to - start];
            // SAFETY: both lie in the part.
            unsafe {
                base.add(at).write_bytes(0, from - at);
                base.add(from).copy_from_nonoverlapping(source.as_ptr(), source.len());
            }
            at = to;
        }
        // SAFETY: as above.
        unsafe { base.add(at).write_bytes(0, part.end - at) };
    }

    /// Writes the image into a memory of zeros at `base`.
    ///
    /// # Safety
    ///
    /// [`DataImage::range`] can be written there, and nobody uses it.
    pub(super) unsafe fn copy_to(&self, base: *mut u8) {
        for (start, bytes) in &self.segments {
            let source = &self.bytes[bytes.clone()];
            // SAFETY: the caller's contract.
            unsafe { base.add(*start).copy_from_nonoverlapping(source.as_ptr(), source.len()) };
        }
    }
}

/// A number that is given once, and is not 0.
fn new_serial() -> u64 {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    SERIAL.fetch_add(1, Ordering::Relaxed)
}

// SAFETY: the pointers in `types` are the addresses of `type_refs`, which are shared safely.
unsafe impl Send for Image {}
// SAFETY: as above; nothing in it changes.
unsafe impl Sync for Image {}

impl Image {
    /// The image with this layout, these types in the order of their indices, and these parts.
    pub fn new(layout: ContextLayout, type_refs: Box<[TypeRef]>, parts: ImageParts) -> Image {
        let types = type_refs.iter().map(|ty| ty.as_vm()).collect();
        let block = Block::new(&layout, &parts);
        let repeats = |image: &TableImage| {
            let is_own = |preset: &PresetRef| !matches!(preset.number(), Err(Some(_)));
            block.has_room(image.table) && image.refs.iter().all(is_own)
        };
        let images = parts.table_images.as_ref();
        let repeats_tables = images.is_some_and(|images| images.iter().all(repeats));
        let (spares, serial) = (Spares::new(), new_serial());
        Image { layout, block, type_refs, types, parts, repeats_tables, spares, serial }
    }

    /// The layout of contexts.
    pub fn layout(&self) -> &ContextLayout {
        &self.layout
    }

    /// The engine's type for one of the module's.
    pub fn canonical(&self, id: TypeId) -> TypeId {
        let ty = id.module_index().and_then(|index| self.type_refs.get(index as usize));
        ty.map_or(id, |ty| ty.id())
    }

    /// A number that no other image has.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// The module's types.
    pub(super) fn types(&self) -> &[TypeRef] {
        &self.type_refs
    }

    /// The canonical form of each type.
    pub fn type_ref(&self, index: TypeIndex) -> &TypeRef {
        &self.type_refs[index.as_u32() as usize]
    }

    /// Whether memories start with the data that they have, so that nobody has to copy it there.
    pub fn presets_data(&self) -> bool {
        self.parts.data_image.is_some()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        self.spares.clear(&self.block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_restored_as_the_whole_was() {
        let bytes = Blob::new((1..=250u8).collect::<Vec<_>>());
        let segments = vec![(3, 10..20), (13, 0..5), (40, 7..7), (50, 100..180), (200, 240..250)];
        let image = DataImage::new(&bytes, segments).unwrap();
        assert_eq!(image.range(), 3..210);
        let mut whole = vec![0u8; 256];
        // SAFETY: the range lies in the array, here and below.
        unsafe { image.copy_to(whole.as_mut_ptr()) };
        assert_eq!((whole[3], whole[13], whole[49], whole[50], whole[209]), (11, 1, 0, 101, 250));
        for (start, end) in [(0, 256), (0, 3), (5, 15), (60, 61), (100, 220), (210, 256), (40, 50)]
        {
            let mut other = vec![0xaa; 256];
            unsafe { image.restore(other.as_mut_ptr(), start..end) };
            assert_eq!(other[start..end], whole[start..end], "{start}..{end}");
            assert!(other[..start].iter().chain(&other[end..]).all(|byte| *byte == 0xaa));
        }
        assert!(DataImage::new(&bytes, vec![(8, 0..4), (10, 0..1)]).is_none(), "overlapping");
        assert!(DataImage::new(&bytes, vec![(8, 0..4), (2, 0..1)]).is_none(), "not in order");
    }

    #[test]
    fn preset_references_are_what_they_were_made_as() {
        assert_eq!(PresetRef::defined(7).number(), Ok(7));
        assert_eq!(PresetRef::imported(7).number(), Err(Some(7)));
        assert_eq!(PresetRef::NULL.number(), Err(None));
    }
}
