//! What memories and tables start with, as far as that is the same for all instances of a module.
//!
//! Segments are then no work for every instance to do: they have been looked at, and found to fit,
//! when the module was made.

use std::ops::Range;

use crate::abi::blob::Blob;
use crate::module::{ConstExpr, ConstOp, ElementItems, ElementSegment, ModuleInfo, SegmentMode};
use crate::vm::image::{DataImage, PresetRef, TableImage};
use crate::wasm::{Family, FuncIndex};

/// What active element segments write, if all of that is references to functions in tables of the
/// module's own, and fits.
pub(super) fn table_images(info: &ModuleInfo) -> Option<Box<[TableImage]>> {
    let mut images = Vec::new();
    for segment in &info.elements {
        match &segment.mode {
            // The values of these segments have to be made for each instance.
            SegmentMode::Passive => return None,
            SegmentMode::Declared => {}
            SegmentMode::Active { target, offset } => {
                let ty = &info.tables[*target];
                if ty.element.heap.family() != Family::Func {
                    return None;
                }
                let refs = refs(info, segment)?;
                let table = target.as_u32().checked_sub(info.imported.tables)?;
                let start = place(offset, refs.len(), ty.limits.min)?;
                images.push(TableImage { table, start, refs });
            }
        }
    }
    Some(images.into_boxed_slice())
}

fn refs(info: &ModuleInfo, segment: &ElementSegment) -> Option<Box<[PresetRef]>> {
    let of_func = |func: FuncIndex| match info.func_refs[func] {
        Some(number) => PresetRef::defined(number),
        None => PresetRef::imported(func.as_u32()),
    };
    match &segment.items {
        ElementItems::Funcs(funcs) => Some(funcs.iter().map(|func| of_func(*func)).collect()),
        ElementItems::Exprs(exprs) => {
            let preset = |expr: &ConstExpr| match expr.ops() {
                [ConstOp::RefFunc(func)] => Some(of_func(*func)),
                [ConstOp::RefNull] => Some(PresetRef::NULL),
                _ => None,
            };
            exprs.iter().map(preset).collect()
        }
    }
}

/// What active data segments write, and where, if all of that is in one memory of the module's own,
/// and fits. There must be nothing before it that can fail and leave traces.
pub(super) fn data_image(info: &ModuleInfo, bytes: &Blob) -> Option<(u32, DataImage)> {
    let mut memory = None;
    let mut segments: Vec<(usize, Range<usize>)> = Vec::new();
    for segment in &info.data {
        let SegmentMode::Active { target, offset } = &segment.mode else { continue };
        let ty = info.memories[*target];
        if *memory.get_or_insert(*target) != *target || ty.shared {
            return None;
        }
        let size = ty.bytes(ty.limits.min)?;
        segments.push((place(offset, segment.range.len(), size)?, segment.range.clone()));
    }
    let number = memory?.as_u32().checked_sub(info.imported.memories)?;
    Some((number, DataImage::new(bytes, segments)?))
}

/// Where a segment of `len` items begins, if that is a constant and all of them fit into `size`.
fn place(offset: &ConstExpr, len: usize, size: u64) -> Option<usize> {
    let start = match offset.ops() {
        [ConstOp::I32(start)] => u64::from(*start as u32),
        [ConstOp::I64(start)] => *start as u64,
        _ => return None,
    };
    let end = start.checked_add(len as u64).filter(|end| *end <= size)?;
    usize::try_from(end).ok().map(|end| end - len)
}
