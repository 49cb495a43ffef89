//! Functions that are C functions: those of the host that wasm calls directly, and those that C calls
//! by a pointer.

use std::ffi::c_void;

use super::func::RawCall;
use super::store::Store;
use super::{Error, Func, Trap};
use crate::abi::code::Crossing;
use crate::vm::enter::{Cause, Raised};
use crate::wasm::FuncType;

/// What a C function gets that wasm calls directly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CFunction {
    /// `(const wasm_val_vec_t*, wasm_val_vec_t*) -> pointer`.
    Values,
    /// `(env, const wasm_val_vec_t*, wasm_val_vec_t*) -> pointer`.
    ValuesWithEnv,
    /// `(env, const arguments[16 bytes each], results[16 bytes each]) -> pointer`.
    RawWithEnv,
    /// The function's parameters; returns its result.
    Native,
    /// The same after an environment.
    NativeWithEnv,
}

impl CFunction {
    fn crossing(self) -> Crossing {
        match self {
            CFunction::Values => Crossing::Callback { env: false },
            CFunction::ValuesWithEnv => Crossing::Callback { env: true },
            CFunction::RawWithEnv => Crossing::RawCallback,
            CFunction::Native => Crossing::Import { env: false },
            CFunction::NativeWithEnv => Crossing::Import { env: true },
        }
    }
}

impl Func {
    /// Makes a function of a C function that wasm calls directly. `finish` is called after it when
    /// it has returned a pointer that is not null, when a kind among the results is wrong, and at
    /// other times when the runtime has something to do; it may end execution.
    ///
    /// # Safety
    ///
    /// The function is one as `kind` says, and can be called with `env` as long as `finish` exists.
    /// It does not unwind.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when C functions of this kind cannot have the type, [`Error::Limit`] when there
    /// is no memory.
    pub unsafe fn new_c(
        store: &Store,
        ty: &FuncType,
        kind: CFunction,
        function: *const c_void,
        env: *mut c_void,
        finish: impl Fn(&RawCall) -> Result<(), Trap> + 'static,
    ) -> Result<Func, Error> {
        let native = matches!(kind, CFunction::Native | CFunction::NativeWithEnv);
        if native {
            require_native(ty)?;
        } else if ty.has_refs() || kind != CFunction::RawWithEnv && ty.has_vectors() {
            return Err(Error::Type("the function does not only take and return numbers".into()));
        }
        let ty = store.engine().types().func(ty)?;
        let finish = move |call: &crate::vm::leave::HostCall| {
            finish(&RawCall(call)).map_err(Trap::into_host_error)
        };
        // SAFETY: the caller's contract.
        let handle = unsafe { store.vm().new_c_func(ty, kind.crossing(), function, env, finish) };
        Ok(Func::from_handle(handle.map_err(Error::Limit)?))
    }

    /// The C function that calls this one, with plain values; the same each time. It exists as long
    /// as the function, and keeps nothing alive. When the call traps, it returns zero, and the trap
    /// waits in the store ([`Store::take_trap`]); until it is taken, further calls do nothing and
    /// return zero.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the function takes or returns anything but numbers, too many of them, or
    /// returns more than one; [`Error::Limit`] when there is no memory for code.
    pub fn native(&self) -> Result<*const c_void, Error> {
        require_native(self.ty())?;
        let code = self.handle().store().pointer_to(self.handle()).map_err(Error::Limit)?;
        Ok(code.cast())
    }
}

/// Values that a C function can take by plain parameters here.
const MOST_NATIVE_PARAMS: usize = 60;

fn require_native(ty: &FuncType) -> Result<(), Error> {
    let message = if ty.has_refs() || ty.has_vectors() {
        "the function does not only take and return numbers"
    } else if ty.results().len() > 1 {
        "C functions return one value at most"
    } else if ty.params().len() > MOST_NATIVE_PARAMS {
        "the function has too many parameters"
    } else {
        return Ok(());
    };
    Err(Error::Type(message.to_owned()))
}

impl RawCall<'_> {
    /// The pointer that a C function has returned which wasm has called directly.
    pub fn returned(&self) -> *mut c_void {
        self.0.args().cast()
    }
}

impl Store {
    /// Takes the trap that waits in the store.
    pub fn take_trap(&self) -> Option<Trap> {
        self.vm().take_waiting().map(|raised| Trap::from_raised(*raised))
    }

    /// Lets a trap wait in the store; if one does already, that one stays and this one is dropped.
    pub fn put_trap(&self, trap: Trap) {
        // SAFETY: the word lives as long as the store.
        if unsafe { *self.trap_waiting() } == 0 {
            let cause = Cause::Host(trap.into_host_error());
            self.vm().put_waiting(Box::new(Raised { cause, frames: Vec::new() }));
        }
    }

    /// The word that is not 0 while a trap waits. It is there as long as the store.
    pub fn trap_waiting(&self) -> *const u32 {
        self.vm().trap_waiting()
    }

    /// From now on traps do not wait but are dropped: nobody is left to take them.
    pub fn lose_traps(&self) {
        self.vm().lose_traps();
    }
}
