//! Functions that were running when a trap ended execution.

use std::ptr;

use super::boundary::{Argument, guard};
use super::families::{Copied, copy, own, vec};
use super::object::wasm_instance_t;
use super::val::wasm_name_t;
use crate::engine::Frame;

/// A function that was running. It owns what it says: it outlives the trap it comes from.
pub struct wasm_frame_t {
    instance: Box<wasm_instance_t>,
    func_index: u32,
    func_offset: usize,
    module_offset: usize,
    func_name: Option<wasm_name_t>,
}

impl Copied for wasm_frame_t {
    fn copied(&self) -> Box<wasm_frame_t> {
        Box::new(wasm_frame_t {
            instance: self.instance.copied(),
            func_index: self.func_index,
            func_offset: self.func_offset,
            module_offset: self.module_offset,
            func_name: self.func_name.as_ref().map(wasm_name_t::copied),
        })
    }
}

own! { wasm_frame_t wasm_frame_delete; }
copy! { wasm_frame_t wasm_frame_copy; }

vec! {
    /// A vector of frames.
    wasm_frame_vec_t of *mut wasm_frame_t: wasm_frame_vec_new_empty
        wasm_frame_vec_new_uninitialized wasm_frame_vec_new wasm_frame_vec_copy
        wasm_frame_vec_delete;
}

impl wasm_frame_t {
    /// The C form of a frame.
    pub(super) fn boxed(frame: &Frame) -> Box<wasm_frame_t> {
        let name = frame.func_name();
        Box::new(wasm_frame_t {
            instance: wasm_instance_t::boxed(frame.instance().handle()),
            func_index: frame.func_index().as_u32(),
            func_offset: frame.func_offset(),
            module_offset: frame.module_offset(),
            func_name: name.map(|name| wasm_name_t::of_bytes(name.as_bytes())),
        })
    }

    /// The function's name.
    pub(super) fn func_name(&self) -> Option<&wasm_name_t> {
        self.func_name.as_ref()
    }
}

/// Returns the instance whose function was running.
///
/// Ownership: the result belongs to the frame.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_instance(frame: Option<&wasm_frame_t>) -> *mut wasm_instance_t {
    guard(ptr::null_mut(), || {
        let frame = frame.or_null_error("the frame");
        frame.map_or(ptr::null_mut(), |frame| ptr::from_ref(&*frame.instance).cast_mut())
    })
}

/// Returns the function's index in its module; 0 for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_func_index(frame: Option<&wasm_frame_t>) -> u32 {
    frame.map_or(0, |frame| frame.func_index)
}

/// Returns the offset in bytes, from the start of the function's body, of the instruction that was
/// being executed; 0 for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_func_offset(frame: Option<&wasm_frame_t>) -> usize {
    frame.map_or(0, |frame| frame.func_offset)
}

/// Returns the offset in bytes, from the start of the module, of the instruction that was being
/// executed; 0 for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_module_offset(frame: Option<&wasm_frame_t>) -> usize {
    frame.map_or(0, |frame| frame.module_offset)
}
