//! Types of what modules import and export.

use std::ptr;

use super::boundary::{Argument, guard, refuse};
use super::families::{Copied, copy, own, vec};
use super::types::wasm_externtype_t;
use super::val::wasm_name_t;
use crate::engine::{ExportType, ImportType};

own! {
    wasm_importtype_t wasm_importtype_delete;
    wasm_exporttype_t wasm_exporttype_delete;
}

copy! {
    wasm_importtype_t wasm_importtype_copy;
    wasm_exporttype_t wasm_exporttype_copy;
}

vec! {
    /// A vector of import types.
    wasm_importtype_vec_t of *mut wasm_importtype_t: wasm_importtype_vec_new_empty
        wasm_importtype_vec_new_uninitialized wasm_importtype_vec_new wasm_importtype_vec_copy
        wasm_importtype_vec_delete;
    /// A vector of export types.
    wasm_exporttype_vec_t of *mut wasm_exporttype_t: wasm_exporttype_vec_new_empty
        wasm_exporttype_vec_new_uninitialized wasm_exporttype_vec_new wasm_exporttype_vec_copy
        wasm_exporttype_vec_delete;
}

/// The type of an import, with its two names.
pub struct wasm_importtype_t {
    module: wasm_name_t,
    name: wasm_name_t,
    ty: Box<wasm_externtype_t>,
}

/// The type of an export, with its name.
pub struct wasm_exporttype_t {
    name: wasm_name_t,
    ty: Box<wasm_externtype_t>,
}

impl Copied for wasm_importtype_t {
    fn copied(&self) -> Box<wasm_importtype_t> {
        let (module, name) = (self.module.copied(), self.name.copied());
        Box::new(wasm_importtype_t { module, name, ty: self.ty.copied() })
    }
}

impl Copied for wasm_exporttype_t {
    fn copied(&self) -> Box<wasm_exporttype_t> {
        Box::new(wasm_exporttype_t { name: self.name.copied(), ty: self.ty.copied() })
    }
}

impl wasm_importtype_t {
    /// The C form of an import's type.
    pub(super) fn boxed(import: &ImportType) -> Box<wasm_importtype_t> {
        Box::new(wasm_importtype_t {
            module: wasm_name_t::of_bytes(import.module.as_bytes()),
            name: wasm_name_t::of_bytes(import.name.as_bytes()),
            ty: wasm_externtype_t::boxed(&import.ty),
        })
    }
}

impl wasm_exporttype_t {
    /// The C form of an export's type.
    pub(super) fn boxed(export: &ExportType) -> Box<wasm_exporttype_t> {
        Box::new(wasm_exporttype_t {
            name: wasm_name_t::of_bytes(export.name.as_bytes()),
            ty: wasm_externtype_t::boxed(&export.ty),
        })
    }
}

/// Makes the type of an import. Returns null when an argument is.
///
/// Ownership: takes the names over and leaves them empty, and takes the type over; the caller owns
/// the result and releases it with `wasm_importtype_delete`.
///
/// # Safety
///
/// The names are whole or null, the type is owned or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_new(
    module: *mut wasm_name_t,
    name: *mut wasm_name_t,
    ty: Option<Box<wasm_externtype_t>>,
) -> Option<Box<wasm_importtype_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let (module, name) = unsafe { (wasm_name_t::take(module), wasm_name_t::take(name)) };
        let (Some(module), Some(name)) = (module, name) else { return refuse("a name is null") };
        let Some(ty) = ty else { return refuse("the type is null") };
        Some(Box::new(wasm_importtype_t { module, name, ty }))
    })
}

/// Returns the first part of an import's name.
///
/// Ownership: the result belongs to the import type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_module(
    ty: Option<&wasm_importtype_t>,
) -> *const wasm_name_t {
    guard(ptr::null(), || ty.or_null_error("the type").map_or(ptr::null(), |ty| &ty.module))
}

/// Returns the second part of an import's name.
///
/// Ownership: the result belongs to the import type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_name(
    ty: Option<&wasm_importtype_t>,
) -> *const wasm_name_t {
    guard(ptr::null(), || ty.or_null_error("the type").map_or(ptr::null(), |ty| &ty.name))
}

/// Returns what an import has to be.
///
/// Ownership: the result belongs to the import type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_type(
    ty: Option<&wasm_importtype_t>,
) -> *const wasm_externtype_t {
    guard(ptr::null(), || ty.or_null_error("the type").map_or(ptr::null(), |ty| &raw const *ty.ty))
}

/// Makes the type of an export. Returns null when an argument is.
///
/// Ownership: takes the name over and leaves it empty, and takes the type over; the caller owns the
/// result and releases it with `wasm_exporttype_delete`.
///
/// # Safety
///
/// The name is whole or null, the type is owned or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_new(
    name: *mut wasm_name_t,
    ty: Option<Box<wasm_externtype_t>>,
) -> Option<Box<wasm_exporttype_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let Some(name) = (unsafe { wasm_name_t::take(name) }) else {
            return refuse("the name is null");
        };
        let Some(ty) = ty else { return refuse("the type is null") };
        Some(Box::new(wasm_exporttype_t { name, ty }))
    })
}

/// Returns an export's name.
///
/// Ownership: the result belongs to the export type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_name(
    ty: Option<&wasm_exporttype_t>,
) -> *const wasm_name_t {
    guard(ptr::null(), || ty.or_null_error("the type").map_or(ptr::null(), |ty| &ty.name))
}

/// Returns what an export is.
///
/// Ownership: the result belongs to the export type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_type(
    ty: Option<&wasm_exporttype_t>,
) -> *const wasm_externtype_t {
    guard(ptr::null(), || ty.or_null_error("the type").map_or(ptr::null(), |ty| &raw const *ty.ty))
}
