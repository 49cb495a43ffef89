//! One [`Object`] behind all references. A func *is* an extern *is* a ref, so that `as_*` is a
//! checked cast of a pointer, and `_same` and host info are about the entity, not the handle.

use std::ffi::c_void;

use super::boundary::{Argument, guard};
use super::families::{Copied, casts, copy, own};
use super::foreign::Foreign;
use super::trap::StoredTrap;
use crate::engine::{
    Exception, Extern, ExternRef, Func, Global, Handle, Instance, Memory, Module, Table, Tag,
};

/// What every `wasm_ref_t` is.
#[derive(Clone)]
pub struct Object(Handle);

impl Object {
    pub(super) fn new(handle: Handle) -> Object {
        Object(handle)
    }

    /// The handle.
    #[inline]
    pub(super) fn handle(&self) -> &Handle {
        &self.0
    }

    /// The host object's data, if that is what it is.
    pub(super) fn data<T: 'static>(&self) -> Option<&T> {
        ExternRef::of(&self.0)?.data()
    }

    fn same(&self, other: &Object) -> bool {
        if let (Some(a), Some(b)) = (self.data::<Module>(), other.data::<Module>()) {
            return a.is(b);
        }
        self.0.is(&other.0)
    }
}

/// Data that the host has attached to an entity.
struct HostInfo {
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
}

impl Drop for HostInfo {
    fn drop(&mut self) {
        if let Some(finalizer) = self.finalizer {
            // SAFETY: the embedder has given the two for this; the entity is dropped once.
            unsafe { finalizer(self.info) };
        }
    }
}

fn host_info(object: &Object) -> *mut c_void {
    object.0.with_attachment(|data| {
        let info = data.and_then(|data| data.downcast_ref::<HostInfo>());
        info.map_or(std::ptr::null_mut(), |info| info.info)
    })
}

fn set_host_info(
    object: &Object,
    info: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
) {
    // The old finalizer runs when nothing is borrowed any more: it may use the API.
    drop(object.0.attach(Some(Box::new(HostInfo { info, finalizer }))));
}

/// The types of references, with what they need to be owned and compared.
macro_rules! handle {
    ($($(#[$doc:meta])* $name:ident: $delete:ident $copy:ident $same:ident;)*) => {$(
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $name(Object);

        impl $name {
            /// A new owner of a handle to this kind of thing.
            #[allow(dead_code, reason = "some are only ever cast to")]
            pub(super) fn boxed(handle: &Handle) -> Box<$name> {
                Box::new($name(Object::new(handle.clone())))
            }

            /// The owner of this handle to this kind of thing.
            #[allow(dead_code, reason = "some are only ever cast to")]
            pub(super) fn owning(handle: Handle) -> Box<$name> {
                Box::new($name(Object::new(handle)))
            }

            /// The object.
            #[allow(dead_code, reason = "some are only ever cast to")]
            #[inline]
            pub(super) fn object(&self) -> &Object {
                &self.0
            }
        }

        impl Copied for $name {
            fn copied(&self) -> Box<$name> {
                Box::new($name(self.0.clone()))
            }
        }

        own! { $name $delete; }
        copy! { $name $copy; }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $same(a: Option<&$name>, b: Option<&$name>) -> bool {
            guard(false, || match (a.or_null_error("the first"), b.or_null_error("the second")) {
                (Some(a), Some(b)) => a.0.same(&b.0),
                _ => false,
            })
        }
    )*};
}

/// `WASM_DECLARE_REF_BASE` and `WASM_DECLARE_REF`: the types of references.
macro_rules! reference {
    ($($(#[$doc:meta])* $name:ident: $delete:ident $copy:ident $same:ident $get_host_info:ident
        $set_host_info:ident $set_host_info_with_finalizer:ident;)*) => {$(
        handle! { $(#[$doc])* $name: $delete $copy $same; }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $get_host_info(thing: Option<&$name>) -> *mut c_void {
            guard(std::ptr::null_mut(), || {
                let thing = thing.or_null_error("the argument");
                thing.map_or(std::ptr::null_mut(), |thing| host_info(&thing.0))
            })
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $set_host_info(thing: *mut $name, info: *mut c_void) {
            // SAFETY: the contract is the same.
            unsafe { $set_host_info_with_finalizer(thing, info, None) };
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $set_host_info_with_finalizer(
            thing: *mut $name,
            info: *mut c_void,
            finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
        ) {
            guard((), || {
                // SAFETY: the contract of the function: null, or a live thing.
                let thing = unsafe { super::boundary::shared(thing, "the argument") };
                if let Some(thing) = thing {
                    set_host_info(&thing.0, info, finalizer);
                }
            });
        }
    )*};
}

reference! {
    /// A reference to anything.
    wasm_ref_t: wasm_ref_delete wasm_ref_copy wasm_ref_same wasm_ref_get_host_info
        wasm_ref_set_host_info wasm_ref_set_host_info_with_finalizer;
    /// A trap.
    wasm_trap_t: wasm_trap_delete wasm_trap_copy wasm_trap_same wasm_trap_get_host_info
        wasm_trap_set_host_info wasm_trap_set_host_info_with_finalizer;
    /// An object of the host.
    wasm_foreign_t: wasm_foreign_delete wasm_foreign_copy wasm_foreign_same
        wasm_foreign_get_host_info wasm_foreign_set_host_info
        wasm_foreign_set_host_info_with_finalizer;
    /// A module.
    wasm_module_t: wasm_module_delete wasm_module_copy wasm_module_same wasm_module_get_host_info
        wasm_module_set_host_info wasm_module_set_host_info_with_finalizer;
    /// A function.
    wasm_func_t: wasm_func_delete wasm_func_copy wasm_func_same wasm_func_get_host_info
        wasm_func_set_host_info wasm_func_set_host_info_with_finalizer;
    /// A global.
    wasm_global_t: wasm_global_delete wasm_global_copy wasm_global_same wasm_global_get_host_info
        wasm_global_set_host_info wasm_global_set_host_info_with_finalizer;
    /// A table.
    wasm_table_t: wasm_table_delete wasm_table_copy wasm_table_same wasm_table_get_host_info
        wasm_table_set_host_info wasm_table_set_host_info_with_finalizer;
    /// A memory.
    wasm_memory_t: wasm_memory_delete wasm_memory_copy wasm_memory_same wasm_memory_get_host_info
        wasm_memory_set_host_info wasm_memory_set_host_info_with_finalizer;
    /// Something that can be imported or exported.
    wasm_extern_t: wasm_extern_delete wasm_extern_copy wasm_extern_same wasm_extern_get_host_info
        wasm_extern_set_host_info wasm_extern_set_host_info_with_finalizer;
    /// An instance.
    wasm_instance_t: wasm_instance_delete wasm_instance_copy wasm_instance_same
        wasm_instance_get_host_info wasm_instance_set_host_info
        wasm_instance_set_host_info_with_finalizer;
    /// A tag.
    tenon_tag_t: tenon_tag_delete tenon_tag_copy tenon_tag_same tenon_tag_get_host_info
        tenon_tag_set_host_info tenon_tag_set_host_info_with_finalizer;
}

handle! {
    /// An exception.
    tenon_exception_t: tenon_exception_delete tenon_exception_copy tenon_exception_same;
}

casts! {
    wasm_trap_as_ref wasm_trap_as_ref_const wasm_ref_as_trap wasm_ref_as_trap_const:
        wasm_trap_t wasm_ref_t |r| r.0.data::<StoredTrap>().is_some();
    wasm_foreign_as_ref wasm_foreign_as_ref_const wasm_ref_as_foreign wasm_ref_as_foreign_const:
        wasm_foreign_t wasm_ref_t |r| r.0.data::<Foreign>().is_some();
    wasm_module_as_ref wasm_module_as_ref_const wasm_ref_as_module wasm_ref_as_module_const:
        wasm_module_t wasm_ref_t |r| r.0.data::<Module>().is_some();
    wasm_func_as_ref wasm_func_as_ref_const wasm_ref_as_func wasm_ref_as_func_const:
        wasm_func_t wasm_ref_t |r| Func::of(r.0.handle()).is_some();
    wasm_global_as_ref wasm_global_as_ref_const wasm_ref_as_global wasm_ref_as_global_const:
        wasm_global_t wasm_ref_t |r| Global::of(r.0.handle()).is_some();
    wasm_table_as_ref wasm_table_as_ref_const wasm_ref_as_table wasm_ref_as_table_const:
        wasm_table_t wasm_ref_t |r| Table::of(r.0.handle()).is_some();
    wasm_memory_as_ref wasm_memory_as_ref_const wasm_ref_as_memory wasm_ref_as_memory_const:
        wasm_memory_t wasm_ref_t |r| Memory::of(r.0.handle()).is_some();
    wasm_extern_as_ref wasm_extern_as_ref_const wasm_ref_as_extern wasm_ref_as_extern_const:
        wasm_extern_t wasm_ref_t |r| Extern::of(r.0.handle()).is_some();
    wasm_instance_as_ref wasm_instance_as_ref_const wasm_ref_as_instance wasm_ref_as_instance_const:
        wasm_instance_t wasm_ref_t |r| Instance::of(r.0.handle()).is_some();
    wasm_func_as_extern wasm_func_as_extern_const wasm_extern_as_func wasm_extern_as_func_const:
        wasm_func_t wasm_extern_t |r| Func::of(r.0.handle()).is_some();
    wasm_global_as_extern wasm_global_as_extern_const wasm_extern_as_global
        wasm_extern_as_global_const:
        wasm_global_t wasm_extern_t |r| Global::of(r.0.handle()).is_some();
    wasm_table_as_extern wasm_table_as_extern_const wasm_extern_as_table wasm_extern_as_table_const:
        wasm_table_t wasm_extern_t |r| Table::of(r.0.handle()).is_some();
    wasm_memory_as_extern wasm_memory_as_extern_const wasm_extern_as_memory
        wasm_extern_as_memory_const:
        wasm_memory_t wasm_extern_t |r| Memory::of(r.0.handle()).is_some();
    tenon_tag_as_ref tenon_tag_as_ref_const tenon_ref_as_tag tenon_ref_as_tag_const:
        tenon_tag_t wasm_ref_t |r| Tag::of(r.0.handle()).is_some();
    tenon_tag_as_extern tenon_tag_as_extern_const tenon_extern_as_tag tenon_extern_as_tag_const:
        tenon_tag_t wasm_extern_t |r| Tag::of(r.0.handle()).is_some();
    tenon_exception_as_ref tenon_exception_as_ref_const tenon_ref_as_exception
        tenon_ref_as_exception_const:
        tenon_exception_t wasm_ref_t |r| Exception::of(r.0.handle()).is_some();
}

/// The typed handle in a reference of its own kind.
macro_rules! typed {
    ($($name:ident $method:ident $ty:ident;)*) => {$(
        impl $name {
            /// The engine's handle.
            #[inline]
            pub(super) fn $method(&self) -> &$ty {
                $ty::of(self.0.handle()).expect("the type of a reference is that of its object")
            }
        }
    )*};
}

typed! {
    wasm_func_t func Func;
    wasm_global_t global Global;
    wasm_table_t table Table;
    wasm_memory_t memory Memory;
    wasm_instance_t instance Instance;
    tenon_tag_t tag Tag;
    tenon_exception_t exception Exception;
}

impl wasm_extern_t {
    /// The engine's handle.
    pub(super) fn item(&self) -> Extern {
        let item = Extern::of(self.0.handle());
        item.expect("the type of a reference is that of its object")
    }
}
