//! Functions beside those of preview 1: tables of rows like the one in `functions.rs`, in which a
//! name may stand more than once, with other parameters.

/// Makes `function`, which finds the function of a name and, if one is given, of a type.
macro_rules! extension_functions {
    ($($name:literal($($param:ident: $ty:ty),*) = $($body:ident)::+;)*) => {
        /// The names of the functions; those that stand more than once, once.
        pub(in crate::wasi) const NAMES: &[&str] = &[$($name),*];

        /// The function of this name that has the parameters of `ty`, or the first of the name
        /// when there is no type.
        pub(in crate::wasi) fn function(
            store: &$crate::engine::Store,
            context: &std::rc::Rc<std::cell::RefCell<$crate::wasi::Context>>,
            name: &str,
            ty: Option<&$crate::engine::FuncType>,
        ) -> Option<Result<$crate::engine::Func, $crate::engine::Error>> {
            $({
                const PARAMS: &[$crate::engine::ValType] =
                    &[$(<$ty as $crate::engine::WasmType>::TYPE),*];
                if name == $name && ty.is_none_or(|ty| ty.params() == PARAMS) {
                    let context = context.clone();
                    return Some($crate::engine::Func::wrap(
                        store,
                        move |caller: &$crate::engine::Caller, $($param: $ty),*| {
                            $crate::wasi::functions::call(&context, caller, $crate::wasi::Snapshot::Preview1, &mut |context, guest| {
                                $($body)::+(context, guest, $($param),*)
                            })
                        },
                    ));
                }
            })*
            None
        }
    };
}

pub(super) use extension_functions;
