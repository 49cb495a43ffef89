//! The types that are handles to one kind of thing.

/// Declares types that are handles to one kind of entity.
macro_rules! entities {
    ($($(#[$doc:meta])* $name:ident $kind:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[repr(transparent)]
        pub struct $name($crate::vm::store::Handle);

        impl $name {
            /// The same as a handle to any kind of entity.
            #[inline]
            pub fn handle(&self) -> &$crate::vm::store::Handle {
                &self.0
            }

            /// The handle as one to this kind of entity, if it is.
            #[inline]
            pub fn of(handle: &$crate::vm::store::Handle) -> Option<&$name> {
                if handle.kind() != $crate::vm::store::EntityKind::$kind {
                    return None;
                }
                // SAFETY: the type is a transparent wrapper of the handle, whose kind fits.
                Some(unsafe { &*std::ptr::from_ref(handle).cast::<$name>() })
            }

            /// The store that it lives in.
            pub fn store(&self) -> $crate::engine::Store {
                $crate::engine::Store::of(&self.0)
            }

            /// Whether both are handles to the same entity.
            pub fn is(&self, other: &$name) -> bool {
                self.0.is(&other.0)
            }

            #[allow(dead_code, reason = "not every kind is made in every way")]
            pub(super) fn from_handle(handle: $crate::vm::store::Handle) -> $name {
                debug_assert_eq!(handle.kind(), $crate::vm::store::EntityKind::$kind);
                $name(handle)
            }
        }
    )*};
}
pub(super) use entities;
