//! What calls of a function type need: the trampolines, and what is known of the values.

use std::io;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{fmt, ptr};

use super::code::{Trampoline, Trampolines};
use crate::abi::signature::{array_size, kind};
use crate::wasm::FuncType;

/// Makes the trampolines that calls with a signature go through.
pub trait MakeTrampolines: Send + Sync {
    /// The code for entering functions of type `ty`.
    ///
    /// # Errors
    ///
    /// A message when it cannot be made.
    fn entry(&self, ty: &FuncType) -> Result<Vec<u8>, String>;

    /// The code of host functions of type `ty`.
    ///
    /// # Errors
    ///
    /// A message when it cannot be made.
    fn host(&self, ty: &FuncType) -> Result<Vec<u8>, String>;
}

/// The code of an entry trampoline: `(code, context, arguments, results, activation)`.
pub type EntryTrampoline = unsafe extern "C" fn(
    *const u8,
    *mut crate::abi::layout::VMContext,
    *mut u8,
    *mut u8,
    *mut crate::abi::layout::VMActivation,
) -> u32;

/// A function type of an engine, as calls need it.
pub struct Signature {
    ty: FuncType,
    param_kinds: Box<[u8]>,
    result_kinds: Box<[u8]>,
    has_refs: bool,
    has_vectors: bool,
    stack_need: usize,
    entry: AtomicPtr<u8>,
    entry_trampoline: OnceLock<Trampoline>,
    host_trampoline: OnceLock<Trampoline>,
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
            entry: AtomicPtr::new(ptr::null_mut()),
            entry_trampoline: OnceLock::new(),
            host_trampoline: OnceLock::new(),
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

    /// The trampoline that enters functions of this type, made on first need.
    pub(super) fn entry(&self) -> Result<EntryTrampoline, String> {
        let mut code = self.entry.load(Ordering::Acquire).cast_const();
        if code.is_null() {
            code = self
                .maker
                .trampoline(&self.entry_trampoline, || self.maker.make.entry(&self.ty))?;
            self.entry.store(code.cast_mut(), Ordering::Release);
        }
        // SAFETY: the compiler makes entry trampolines with this signature.
        Ok(unsafe { std::mem::transmute::<*const u8, EntryTrampoline>(code) })
    }

    /// The code of host functions of this type, made on first need.
    pub(super) fn host(&self) -> Result<*const u8, String> {
        self.maker.trampoline(&self.host_trampoline, || self.maker.make.host(&self.ty))
    }
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
        let code = make()?;
        let publish = |code: &[u8]| -> io::Result<Trampoline> { self.trampolines.publish(code) };
        let trampoline = publish(&code).map_err(|error| format!("no memory for code: {error}"))?;
        Ok(place.get_or_init(|| trampoline).code())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.ty, f)
    }
}
