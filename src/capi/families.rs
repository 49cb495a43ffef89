//! The families of functions that `wasm.h` declares by macros: the Rust macros have the names of
//! the C ones and make the functions that those declare.

use std::ffi::c_void;

/// Copying as `wasm_*_copy` does it.
pub(super) trait Copied: Sized {
    /// A copy that has an owner of its own.
    fn copied(&self) -> Box<Self>;
}

/// A buffer for `count` elements, zeroed; null for none, or when there is no memory.
pub(super) fn allocate<T>(count: usize) -> *mut T {
    if count == 0 {
        return std::ptr::null_mut();
    }
    // Vectors are made of `malloc`, so that C can make and free them as well.
    // SAFETY: calloc checks the product of its arguments.
    unsafe { libc::calloc(count, size_of::<T>()).cast() }
}

/// Frees a buffer of [`allocate`], or of C.
///
/// # Safety
///
/// The buffer comes from `malloc` or its kin and is not used any more.
pub(super) unsafe fn release<T>(buffer: *mut T) {
    // SAFETY: the caller's contract.
    unsafe { libc::free(buffer.cast::<c_void>()) };
}

/// `WASM_DECLARE_OWN`: things that have one owner.
macro_rules! own {
    ($($name:ident $delete:ident;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $delete(thing: Option<Box<$name>>) {
            $crate::capi::boundary::guard((), || drop(thing));
        }
    )*};
}
pub(super) use own;

/// The `_copy` of `WASM_DECLARE_TYPE` and `WASM_DECLARE_REF_BASE`.
macro_rules! copy {
    ($($name:ident $copy:ident;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $copy(thing: Option<&$name>) -> Option<Box<$name>> {
            $crate::capi::boundary::guard(None, || {
                let thing = $crate::capi::boundary::Argument::or_null_error(thing, "the argument")?;
                Some($crate::capi::families::Copied::copied(thing))
            })
        }
    )*};
}
pub(super) use copy;

/// `WASM_DECLARE_VEC`: vectors. Of values (`T`) or of owned pointers (`*mut T`).
macro_rules! vec {
    ($($(#[$doc:meta])* $vec:ident of $element:ty:
        $new_empty:ident $new_uninitialized:ident $new:ident $copy:ident $delete:ident;)*) => {$(
        $(#[$doc])*
        #[repr(C)]
        pub struct $vec {
            /// The number of elements.
            pub size: usize,
            /// The elements; a buffer of `malloc`.
            pub data: *mut $element,
        }

        impl $vec {
            /// A vector of these elements, which it owns.
            #[allow(dead_code, reason = "not every vector is made here")]
            pub(in crate::capi) fn of(elements: Vec<$element>) -> $vec {
                let data: *mut $element = $crate::capi::families::allocate(elements.len());
                let size = if data.is_null() { 0 } else { elements.len() };
                for (i, element) in elements.into_iter().enumerate().take(size) {
                    // SAFETY: the buffer has room for `size` elements.
                    unsafe { data.add(i).write(element) };
                }
                $vec { size, data }
            }

            /// The elements.
            ///
            /// # Safety
            ///
            /// The vector is as the C API makes it: `size` elements at `data`.
            #[allow(dead_code, reason = "not every vector is read here")]
            pub(in crate::capi) unsafe fn as_slice(&self) -> &[$element] {
                if self.data.is_null() || self.size == 0 {
                    return &[];
                }
                // SAFETY: the caller's contract.
                unsafe { std::slice::from_raw_parts(self.data, self.size) }
            }

            /// Takes the elements out of a vector that is passed as owned, and leaves it empty;
            /// none if the pointer is null.
            ///
            /// # Safety
            ///
            /// The pointer is null or as for `as_slice`; the buffer comes from `malloc`.
            #[allow(dead_code, reason = "not every vector is passed as owned")]
            pub(in crate::capi) unsafe fn take(vec: *mut $vec) -> Option<$vec> {
                let empty = $vec { size: 0, data: std::ptr::null_mut() };
                // SAFETY: the caller's contract.
                unsafe { vec.as_mut() }.map(|vec| std::mem::replace(vec, empty))
            }
        }

        impl Drop for $vec {
            fn drop(&mut self) {
                // SAFETY: vectors own their elements and their buffer.
                unsafe {
                    for i in 0..if self.data.is_null() { 0 } else { self.size } {
                        $crate::capi::families::Element::delete(self.data.add(i).read());
                    }
                    $crate::capi::families::release(self.data);
                }
            }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $new_empty(out: *mut $vec) {
            if !out.is_null() {
                // SAFETY: the contract of the function: `out` can be written.
                unsafe { out.write($vec { size: 0, data: std::ptr::null_mut() }) };
            }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $new_uninitialized(out: *mut $vec, size: usize) {
            $crate::capi::boundary::guard((), || {
                if out.is_null() {
                    return;
                }
                let data: *mut $element = $crate::capi::families::allocate(size);
                let size = if data.is_null() { 0 } else { size };
                // SAFETY: the contract of the function: `out` can be written.
                unsafe { out.write($vec { size, data }) };
            });
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $new(out: *mut $vec, size: usize, elements: *const $element) {
            $crate::capi::boundary::guard((), || {
                if out.is_null() {
                    return;
                }
                let size = if elements.is_null() { 0 } else { size };
                let data: *mut $element = $crate::capi::families::allocate(size);
                let size = if data.is_null() { 0 } else { size };
                // SAFETY: the contract of the function: there are `size` elements, which the
                // vector takes over, and `out` can be written.
                unsafe {
                    if size > 0 {
                        std::ptr::copy_nonoverlapping(elements, data, size);
                    }
                    out.write($vec { size, data });
                }
            });
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $copy(out: *mut $vec, vec: Option<&$vec>) {
            $crate::capi::boundary::guard((), || {
                if out.is_null() {
                    return;
                }
                // SAFETY: the contract of the function: the vector is whole.
                let elements = vec.map_or(&[][..], |vec| unsafe { vec.as_slice() });
                let copies = elements.iter().map($crate::capi::families::Element::copy);
                // SAFETY: the contract of the function: `out` can be written.
                unsafe { out.write($vec::of(copies.collect())) };
            });
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $delete(vec: *mut $vec) {
            $crate::capi::boundary::guard((), || {
                // SAFETY: the contract of the function: the vector is whole and owned, or null.
                drop(unsafe { $vec::take(vec) });
            });
        }
    )*};
}
pub(super) use vec;

/// What vectors hold.
pub(super) trait Element {
    /// A copy with an owner of its own.
    fn copy(&self) -> Self;

    /// Deletes an element that is owned.
    ///
    /// # Safety
    ///
    /// The element is as the C API makes it, and not used any more.
    unsafe fn delete(self);
}

impl<T: Copied> Element for *mut T {
    fn copy(&self) -> *mut T {
        // SAFETY: vectors of pointers hold null or live things that they own.
        unsafe { self.as_ref() }.map_or(std::ptr::null_mut(), |thing| Box::into_raw(thing.copied()))
    }

    unsafe fn delete(self) {
        if !self.is_null() {
            // SAFETY: the caller's contract: it was made by `Box::into_raw`.
            drop(unsafe { Box::from_raw(self) });
        }
    }
}

impl Element for std::ffi::c_char {
    fn copy(&self) -> std::ffi::c_char {
        *self
    }

    unsafe fn delete(self) {}
}

/// Casts between things that have one layout: the same pointer, or null where the kind is wrong.
macro_rules! casts {
    ($($up:ident $up_const:ident $down:ident $down_const:ident: $sub:ident $super:ident $is:expr;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $up(thing: *mut $sub) -> *mut $super {
            // SAFETY: the contract is the same.
            unsafe { $up_const(thing).cast_mut() }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $up_const(thing: *const $sub) -> *const $super {
            if thing.is_null() {
                $crate::capi::boundary::refuse::<()>(concat!(
                    stringify!($up), ": the argument is null"
                ));
            }
            thing.cast()
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $down(thing: *mut $super) -> *mut $sub {
            // SAFETY: the contract of the function: null, or a live thing.
            unsafe { $down_const(thing).cast_mut() }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $down_const(thing: *const $super) -> *const $sub {
            $crate::capi::boundary::guard(std::ptr::null(), || {
                let is: fn(&$super) -> bool = $is;
                // SAFETY: the contract of the function: null, or a live thing.
                match unsafe { thing.as_ref() } {
                    Some(reference) if is(reference) => thing.cast(),
                    _ => {
                        $crate::capi::boundary::refuse::<()>(concat!(
                            stringify!($down), ": the argument is of another kind"
                        ));
                        std::ptr::null()
                    }
                }
            })
        }
    )*};
}
pub(super) use casts;
