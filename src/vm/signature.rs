//! Function types in their canonical form: equal types of an engine have one address.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::{fmt, ptr};

use super::code::{Trampoline, Trampolines};
use crate::abi::layout::VMType;
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

/// A function type of an engine. Its address is what compiled code compares.
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
    registry: Arc<Registry>,
}

impl Signature {
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

    /// The address that compiled code knows it by.
    pub fn as_vm(&self) -> *const VMType {
        ptr::from_ref(self).cast()
    }

    /// The trampoline that enters functions of this type, made on first need.
    pub(super) fn entry(&self) -> Result<EntryTrampoline, String> {
        let mut code = self.entry.load(Ordering::Acquire).cast_const();
        if code.is_null() {
            code = self
                .registry
                .trampoline(&self.entry_trampoline, || self.registry.make.entry(&self.ty))?;
            self.entry.store(code.cast_mut(), Ordering::Release);
        }
        // SAFETY: the compiler makes entry trampolines with this signature.
        Ok(unsafe { std::mem::transmute::<*const u8, EntryTrampoline>(code) })
    }

    /// The code of host functions of this type, made on first need.
    pub(super) fn host(&self) -> Result<*const u8, String> {
        self.registry.trampoline(&self.host_trampoline, || self.registry.make.host(&self.ty))
    }
}

/// The function types of an engine.
pub struct Signatures(Arc<Registry>);

struct Registry {
    types: Mutex<HashMap<u64, Vec<Weak<Signature>>>>,
    hasher: std::hash::RandomState,
    make: Box<dyn MakeTrampolines>,
    trampolines: Trampolines,
    making: Mutex<()>,
}

impl Signatures {
    /// No type yet. Trampolines will come from `make`.
    pub fn new(make: Box<dyn MakeTrampolines>) -> Signatures {
        Signatures(Arc::new(Registry {
            types: Mutex::default(),
            hasher: std::hash::RandomState::new(),
            make,
            trampolines: Trampolines::new(),
            making: Mutex::new(()),
        }))
    }

    /// The canonical form of `ty`.
    pub fn intern(&self, ty: &FuncType) -> Arc<Signature> {
        let hash = self.0.hasher.hash_one(ty);
        // Dropping what may be the last reference to a type takes the lock: not before it is free.
        let mut others = Vec::new();
        let mut types = self.0.types.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = types.entry(hash).or_default();
        for known in bucket.iter().filter_map(Weak::upgrade) {
            if known.ty == *ty {
                return known;
            }
            others.push(known);
        }
        let values = ty.params().len() + ty.results().len();
        let new = Arc::new(Signature {
            ty: ty.clone(),
            param_kinds: ty.params().iter().map(|ty| kind(*ty)).collect(),
            result_kinds: ty.results().iter().map(|ty| kind(*ty)).collect(),
            has_refs: ty.has_refs(),
            has_vectors: ty.has_vectors(),
            stack_need: array_size(values) + 1024,
            entry: AtomicPtr::new(ptr::null_mut()),
            entry_trampoline: OnceLock::new(),
            host_trampoline: OnceLock::new(),
            registry: self.0.clone(),
        });
        bucket.push(Arc::downgrade(&new));
        new
    }
}

impl Registry {
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

impl Drop for Signature {
    fn drop(&mut self) {
        let hash = self.registry.hasher.hash_one(&self.ty);
        let mut types = self.registry.types.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = types.get_mut(&hash) {
            // The entry of this one, and whichever else is gone; one that has been interned anew
            // stays.
            bucket.retain(|known| known.strong_count() > 0);
            if bucket.is_empty() {
                types.remove(&hash);
            }
        }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.ty, f)
    }
}
