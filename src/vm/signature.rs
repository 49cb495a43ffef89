//! What calls of a function type need: the trampolines, and what is known of the values.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{fmt, ptr};

use super::arch;
use super::code::{Trampoline, Trampolines};
use crate::abi::code::{Crossing, Template};
use crate::abi::layout::{VMFuncRef, VMStore, VMVector};
use crate::abi::signature::{array_size, kind};
use crate::wasm::FuncType;

/// Makes the trampolines that calls with a signature go through.
pub trait MakeTrampolines: Send + Sync {
    /// The code of a crossing for functions of type `ty`.
    ///
    /// # Errors
    ///
    /// A message when it cannot be made.
    fn make(&self, crossing: Crossing, ty: &FuncType) -> Result<Template, String>;
}

/// The code of an entry trampoline: `(code, context, arguments, results, activation)`.
pub type EntryTrampoline = unsafe extern "C" fn(
    *const u8,
    *mut crate::abi::layout::VMContext,
    *mut u8,
    *mut u8,
    *mut crate::abi::layout::VMActivation,
) -> u32;

/// Code that calls a function directly with the vectors of `wasm.h`: `(function, arguments, results, store, callee)`.
pub type ArrayEntry = unsafe extern "C" fn(
    *const VMFuncRef,
    *const VMVector,
    *mut VMVector,
    *mut VMStore,
    *const c_void,
) -> *mut c_void;

/// Calls of a type that are made in full before it is worth making code for direct ones.
const CALLS_BEFORE_DIRECT: u32 = 16;

/// A function type of an engine, as calls need it.
pub struct Signature {
    ty: FuncType,
    param_kinds: Box<[u8]>,
    result_kinds: Box<[u8]>,
    has_refs: bool,
    has_vectors: bool,
    stack_need: usize,
    entry: AtomicPtr<u8>,
    /// Calls that could have been direct ones.
    calls: AtomicU32,
    trampolines: [OnceLock<Trampoline>; Crossing::COUNT],
    array_entry: OnceLock<Trampoline>,
    maker: Arc<Maker>,
}

impl Signature {
    /// What calls of functions of type `ty` need.
    pub(super) fn new(ty: &FuncType, maker: Arc<Maker>) -> Signature {
        let values = ty.params().len() + ty.results().len();
        Signature {
            ty: ty.clone(),
            param_kinds: ty.params().iter().map(|ty| kind(*ty)).collect(),
            result_kinds: ty.results().iter().map(|ty| kind(*ty)).collect(),
            has_refs: ty.has_refs(),
            has_vectors: ty.has_vectors(),
            stack_need: array_size(values) + 1024,
            entry: AtomicPtr::new(arch::entry(ty).map_or(ptr::null_mut(), |code| code as *mut u8)),
            calls: AtomicU32::new(0),
            trampolines: [const { OnceLock::new() }; Crossing::COUNT],
            array_entry: OnceLock::new(),
            maker,
        }
    }

    /// The type.
    pub fn ty(&self) -> &FuncType {
        &self.ty
    }

    /// The kinds of its parameters, see [`kind`].
    pub fn param_kinds(&self) -> &[u8] {
        &self.param_kinds
    }

    /// The kinds of its results, see [`kind`].
    pub fn result_kinds(&self) -> &[u8] {
        &self.result_kinds
    }

    /// Whether a reference goes in or out.
    pub fn has_refs(&self) -> bool {
        self.has_refs
    }

    /// Whether a vector goes in or out.
    pub fn has_vectors(&self) -> bool {
        self.has_vectors
    }

    /// Bytes of stack that entering takes before any wasm function checks the stack.
    pub(super) fn stack_need(&self) -> usize {
        self.stack_need
    }

    /// The trampoline that enters functions of this type, made on first need if there is none ready.
    pub(super) fn entry(&self) -> Result<EntryTrampoline, String> {
        let mut code = self.entry.load(Ordering::Acquire).cast_const();
        if code.is_null() {
            code = self.trampoline(Crossing::Entry)?;
            self.entry.store(code.cast_mut(), Ordering::Release);
        }
        // SAFETY: the compiler makes entry trampolines with this signature.
        Ok(unsafe { std::mem::transmute::<*const u8, EntryTrampoline>(code) })
    }

    /// The code of a crossing for functions of this type, made on first need.
    pub(super) fn trampoline(&self, crossing: Crossing) -> Result<*const u8, String> {
        self.maker.trampoline(&self.trampolines[crossing.index()], || {
            let code = arch::fill(&self.maker.make.make(crossing, &self.ty)?);
            Ok(match crossing {
                Crossing::Import { env } => arch::direct::import(&self.ty, env, code),
                _ => code,
            })
        })
    }

    /// Counts a numeric call that could have been a direct one; at some number, the code that the next
    /// ones can go through.
    pub(super) fn count_call(&self) -> Option<*const u8> {
        let calls = self.calls.load(Ordering::Relaxed);
        if calls > CALLS_BEFORE_DIRECT {
            return None;
        }
        self.calls.store(calls + 1, Ordering::Relaxed);
        if calls < CALLS_BEFORE_DIRECT {
            return None;
        }
        let code = || arch::direct::array_entry(&self.ty).ok_or_else(not_direct);
        self.maker.trampoline(&self.array_entry, code).ok()
    }

    /// The code of a C function that calls `func`, which is of this type.
    pub(super) fn pointer_to(&self, func: NonNull<VMFuncRef>) -> Result<Trampoline, String> {
        // SAFETY: the caller's function is of this type.
        let code = unsafe { arch::direct::pointer(func.as_ptr(), &self.ty) };
        self.maker.publish(&code.ok_or_else(not_direct)?)
    }
}

/// Why there is no code that calls functions of some types.
fn not_direct() -> String {
    "the type cannot be called directly".to_owned()
}

/// What makes an engine's trampolines, and where they lie.
pub(super) struct Maker {
    make: Box<dyn MakeTrampolines>,
    trampolines: Trampolines,
    making: Mutex<()>,
}

impl Maker {
    /// Trampolines will come from `make`.
    pub(super) fn new(make: Box<dyn MakeTrampolines>) -> Maker {
        Maker { make, trampolines: Trampolines::new(), making: Mutex::new(()) }
    }

    fn trampoline(
        &self,
        place: &OnceLock<Trampoline>,
        make: impl FnOnce() -> Result<Vec<u8>, String>,
    ) -> Result<*const u8, String> {
        if let Some(trampoline) = place.get() {
            return Ok(trampoline.code());
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trampoline) = place.get() {
            return Ok(trampoline.code());
        }
        let trampoline = self.publish(&make()?)?;
        Ok(place.get_or_init(|| trampoline).code())
    }

    fn publish(&self, code: &[u8]) -> Result<Trampoline, String> {
        let published = self.trampolines.publish(code);
        published.map_err(|error| format!("no memory for code: {error}"))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.ty, f)
    }
}
