//! Functions: calling them, and making them of closures.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::entity::entities;
use super::instance::{Handle, Instance};
use super::store::Store;
use super::value::Val;
use super::{Error, Memory, Trap};
use crate::abi::layout::{VMFuncRef, entered};
use crate::abi::signature::{PAYLOAD, SLOT, array_size, kind};
use crate::vm;
use crate::vm::enter::{direct_entry, enter, enter_directly};
use crate::vm::leave::HostCall;
use crate::vm::signature::Signature;
use crate::vm::types::{Type, TypeRef};
use crate::wasm::{Family, FuncType, TypeId, ValType};

entities! {
    /// A function, of an instance or of the host.
    Func Func;
}

/// A number as it lies in arrays of arguments and results: the layout of `wasm_val_t`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Slot {
    kind: u8,
    payload: u64,
}

const _: () = assert!(size_of::<Slot>() == SLOT && std::mem::offset_of!(Slot, payload) == PAYLOAD);

impl Slot {
    /// A slot with this kind, numbered as in `wasm.h`, and these bits, extended with zeros.
    pub fn new(kind: u8, payload: u64) -> Slot {
        Slot { kind, payload }
    }

    /// The kind of values of a type.
    pub const fn kind_of(ty: ValType) -> u8 {
        kind(ty)
    }

    /// The kind.
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// The bits.
    pub fn payload(&self) -> u64 {
        self.payload
    }
}

/// What a function of the host does.
type Body = Box<dyn Fn(&HostCall) -> Result<(), Trap>>;

impl Func {
    /// Makes a function of the host. The closure gets the arguments and has to set every result,
    /// which begin as zero or null, with a value of its type.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when there is no memory.
    pub fn new(
        store: &Store,
        ty: FuncType,
        body: impl Fn(&Caller, &[Val], &mut [Val]) -> Result<(), Trap> + 'static,
    ) -> Result<Func, Error> {
        let ty = store.engine().types().func(&ty)?;
        Func::with_type(store, ty, move |call| {
            let caller = Caller(call);
            let store = caller.store();
            let ty = call.signature().ty();
            let params = ty.params().iter().enumerate();
            // SAFETY: host trampolines have laid the arguments out.
            let args: Vec<Val> =
                params.map(|(i, ty)| unsafe { load(&store, *ty, call.args(), i) }).collect();
            let mut results: Vec<Val> = ty.results().iter().map(|ty| Val::default(*ty)).collect();
            body(&caller, &args, &mut results)?;
            for (i, (ty, value)) in ty.results().iter().zip(&results).enumerate() {
                // SAFETY: host trampolines have made room for the results.
                unsafe { save(&store, *ty, value, call.results(), i) }.map_err(|error| {
                    Trap::new(format!("result {i} of a host function: {error}"))
                })?;
            }
            Ok(())
        })
    }

    /// Makes a function of the host from a closure over numbers: at most 16 parameters of type
    /// `i32`, `u32`, `i64`, `u64`, `f32` or `f64`, after a [`Caller`], and no result or one of
    /// these types, plain or in a `Result` with [`Trap`]. Calling it allocates nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when there is no memory.
    pub fn wrap<P, R>(store: &Store, body: impl HostFunc<P, R>) -> Result<Func, Error> {
        body.into_func(store)
    }

    /// Makes a function of the host that gets its arguments and results as they lie.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when there is no memory; [`Error::Type`] when vectors go in or out, which
    /// slots cannot hold.
    pub fn new_raw(
        store: &Store,
        ty: &FuncType,
        body: impl Fn(&RawCall) -> Result<(), Trap> + 'static,
    ) -> Result<Func, Error> {
        if ty.has_vectors() {
            return Err(Error::Type("vectors do not fit into slots".to_owned()));
        }
        let ty = store.engine().types().func(ty)?;
        Func::with_type(store, ty, move |call| body(&RawCall(call)))
    }

    /// What surrounds the body exists once: there are hundreds of such functions.
    fn boxed(store: &Store, ty: &FuncType, body: Body) -> Result<Func, Error> {
        let ty = store.engine().types().func(ty)?;
        Func::with_type(store, ty, body)
    }

    fn with_type(
        store: &Store,
        ty: TypeRef,
        body: impl Fn(&HostCall) -> Result<(), Trap> + 'static,
    ) -> Result<Func, Error> {
        let body = move |call: &HostCall| body(call).map_err(Trap::into_host_error);
        let handle = store.vm().new_func(ty, body).map_err(Error::Limit)?;
        Ok(Func::from_handle(handle))
    }

    pub(super) fn signature(&self) -> &Signature {
        self.vm_type().signature()
    }

    /// Whether its type is `wanted` or below it.
    pub(super) fn has_type(&self, wanted: &Type) -> bool {
        self.vm_type().is_below(wanted.id())
    }

    fn vm_type(&self) -> &Type {
        // SAFETY: the handle keeps the function alive, and that its type.
        unsafe { Type::of_vm(self.handle().func_ref().as_ref().ty) }
    }

    /// The id of the function's type.
    pub fn type_id(&self) -> TypeId {
        self.vm_type().id()
    }

    /// The function's type.
    pub fn ty(&self) -> &FuncType {
        self.signature().ty()
    }

    /// The kinds of the parameters, numbered as in `wasm.h`.
    pub fn param_kinds(&self) -> &[u8] {
        self.signature().param_kinds()
    }

    /// The kinds of the results, numbered as in `wasm.h`.
    pub fn result_kinds(&self) -> &[u8] {
        self.signature().result_kinds()
    }

    /// Whether only numbers go in and out.
    pub fn is_numeric(&self) -> bool {
        !self.signature().has_refs() && !self.signature().has_vectors()
    }

    /// Calls the function.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the arguments are not what the function takes, [`Error::Trap`] when it
    /// traps.
    pub fn call(&self, args: &[Val]) -> Result<Vec<Val>, Error> {
        // A host function that is called may delete the last other handle.
        let this = self.clone();
        let ty = this.ty();
        if args.len() != ty.params().len() {
            let (wanted, got) = (ty.params().len(), args.len());
            return Err(Error::Type(format!("{got} arguments are given, {wanted} are wanted")));
        }
        let store = self.store();
        let mut slots = Array::new(args.len());
        let mut keep = Vec::new();
        for (i, (ty, value)) in ty.params().iter().zip(args).enumerate() {
            // SAFETY: the array has room for all arguments.
            keep.extend(unsafe { save(&store, *ty, value, slots.start(), i)? });
        }
        if !keep.is_empty() {
            self.handle().receive();
        }
        let mut results = Array::new(ty.results().len());
        // SAFETY: the arrays are as large as the type says, and the arguments have its types.
        let outcome = unsafe { run(self.handle(), slots.start(), results.start()) };
        let values = outcome.map(|()| {
            let types = ty.results().iter().enumerate();
            // SAFETY: the function has written all results.
            types.map(|(i, ty)| unsafe { load(&store, *ty, results.start(), i) }).collect()
        });
        // SAFETY: `store` owns the store.
        unsafe { store.vm().left() };
        Ok(values?)
    }

    /// What a call with slots needs of the function.
    #[inline]
    pub fn callee(&self) -> Callee {
        Callee { func: self.handle().func_ref(), store: NonNull::from(&**self.handle().store()) }
    }
}

/// A function as it is called most cheaply. No handle: it keeps nothing alive.
#[derive(Clone, Copy)]
pub struct Callee {
    func: NonNull<VMFuncRef>,
    store: NonNull<vm::store::Store>,
}

/// What [`Callee::call_directly`] goes on in where there is more to do than to return: it gets what that
/// has got, or nulls once the function has been called, and for [`Callee::end`] how the call has ended.
/// What it returns is returned by `call_directly`.
pub type EndCall = crate::abi::layout::EndArrayCall;

/// A vector of `wasm.h`: a size, and the address of as many elements.
pub type SlotVec = crate::abi::layout::VMVector;

impl Callee {
    /// Says to [`Callee::end`] that nothing has been done.
    pub const NOT_CALLED: u32 = entered::UNUSUAL;

    /// Makes the call that [`Callee::call`] makes the shortest way, if there is nothing unusual about
    /// it, and returns null. Otherwise, or if something is left to be done, the store's [`EndCall`]
    /// gets `func` and the vectors, which are null or have slots; what it returns is returned.
    ///
    /// # Safety
    ///
    /// As [`Callee::call`]; the store was made [for this](Store::with_direct_calls), by who
    /// gave it a function that may be called with `func`.
    #[inline]
    pub unsafe fn call_directly(
        self,
        args: *const SlotVec,
        results: *mut SlotVec,
        func: *const c_void,
    ) -> *mut c_void {
        // SAFETY: the caller's contract.
        unsafe { enter_directly(self.store, self.func, args, results, func) }
    }

    /// Ends a call by [`Callee::call_directly`] that the store's [`EndCall`] was called for with
    /// `ended`. None if nothing has been done yet.
    ///
    /// # Safety
    ///
    /// The call has just ended on this thread.
    ///
    /// # Errors
    ///
    /// What `on_error` makes of [`Error::Trap`] when the function has trapped.
    pub unsafe fn end<E>(
        ended: u32,
        on_error: impl FnOnce(&Store, Error) -> E,
    ) -> Option<Result<(), E>> {
        if ended == entered::UNUSUAL {
            return None;
        }
        // SAFETY: the caller's contract; the store is not used after `left`.
        unsafe {
            let (store, raised) = direct_entry();
            let outcome = match raised {
                None => Ok(()),
                Some(raised) => {
                    let trap = Trap::from_raised(*raised);
                    Err(on_error(&Store::of_vm(store), Error::Trap(trap)))
                }
            };
            store.left();
            Some(outcome)
        }
    }

    /// Calls the function with numbers that lie in slots already; results are written to slots,
    /// kinds included, when it returns. `on_error` gets the store as well, which a host function
    /// may have deleted meanwhile.
    ///
    /// # Safety
    ///
    /// There is a handle to the function when this is called; it may be deleted in the course of
    /// the call. There are `arg_count` slots at `args`, and room for as many results as the
    /// function has at `results`; the two may be the same.
    ///
    /// # Errors
    ///
    /// What `on_error` makes of [`Error::Type`] when counts or kinds are not the function's, or it
    /// is not numeric; and of [`Error::Trap`] when it traps.
    pub unsafe fn call<E>(
        self,
        args: *const Slot,
        arg_count: usize,
        results: *mut Slot,
        on_error: impl FnOnce(&Store, Error) -> E,
    ) -> Result<(), E> {
        // SAFETY: the caller's contract; what has been there when wasm was entered is alive until
        // `left` is called.
        let (store, ty) = unsafe { (self.store.as_ref(), Type::of_vm(self.func.as_ref().ty)) };
        let signature = ty.signature();
        // SAFETY: the caller's contract.
        if let Some(error) = unsafe { refuse_slots(signature, args, arg_count) } {
            return Err(on_error(&Store::of_vm(store), error));
        }
        ty.count_call();
        // SAFETY: the arrays are as large as the type says (the caller's contract), the arguments
        // have its kinds, and all bits of numbers are good. Arguments are only read.
        let outcome = unsafe { enter(store, self.func, args.cast_mut().cast(), results.cast()) };
        let outcome = match outcome {
            Ok(()) => {
                for (i, kind) in signature.result_kinds().iter().enumerate() {
                    // SAFETY: the caller's contract.
                    unsafe { (*results.add(i)).kind = *kind };
                }
                Ok(())
            }
            Err(raised) => {
                Err(on_error(&Store::of_vm(store), Error::Trap(Trap::from_raised(*raised))))
            }
        };
        // SAFETY: the store is not used after this.
        unsafe { store.left() };
        outcome
    }
}

/// Why a function cannot be called with these slots.
///
/// # Safety
///
/// There are `count` slots at `args`.
#[inline]
unsafe fn refuse_slots(signature: &Signature, args: *const Slot, count: usize) -> Option<Error> {
    let params = signature.param_kinds();
    if count != params.len() {
        let wanted = params.len();
        return Some(Error::Type(format!("{count} arguments are given, {wanted} are wanted")));
    }
    if signature.has_refs() || signature.has_vectors() {
        let message = "the function does not only take and return numbers";
        return Some(Error::Type(message.to_owned()));
    }
    for (i, kind) in params.iter().enumerate() {
        // SAFETY: the caller's contract.
        if unsafe { (*args.add(i)).kind } != *kind {
            return Some(Error::Type(format!("argument {i} is of the wrong kind")));
        }
    }
    None
}

/// Calls the function that `handle` is to.
///
/// # Safety
///
/// The arrays are as large as the function's type says; the arguments have its types, and
/// references among them are live.
pub(super) unsafe fn run(handle: &Handle, args: *mut u8, results: *mut u8) -> Result<(), Trap> {
    // SAFETY: the caller's contract; the handle keeps the function alive.
    unsafe { enter(handle.store(), handle.func_ref(), args, results) }
        .map_err(|raised| Trap::from_raised(*raised))
}

/// An array of arguments or results.
struct Array(Vec<u64>);

impl Array {
    fn new(count: usize) -> Array {
        Array(vec![0; array_size(count) / size_of::<u64>()])
    }

    fn start(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }
}

/// Writes a value to an array; what has to stay alive until wasm has it.
///
/// # Safety
///
/// The array has room for a value of this type at `index`.
unsafe fn save(
    store: &Store,
    ty: ValType,
    value: &Val,
    array: *mut u8,
    index: usize,
) -> Result<Option<Handle>, Error> {
    let (bits, keep) = value.to_bits(store, ty)?;
    // SAFETY: the caller's contract; only vectors take more than eight bytes.
    unsafe {
        let payload = array.add(index * SLOT + PAYLOAD);
        if ty == ValType::V128 {
            payload.cast::<u128>().write_unaligned(bits);
        } else {
            payload.cast::<u64>().write_unaligned(bits as u64);
        }
    }
    Ok(keep)
}

/// Reads a value from an array.
///
/// # Safety
///
/// The array has a value of this type at `index`.
unsafe fn load(store: &Store, ty: ValType, array: *mut u8, index: usize) -> Val {
    // SAFETY: the caller's contract; wasm writes as many bytes as the type has.
    unsafe {
        let payload = array.add(index * SLOT + PAYLOAD);
        let bits = match ty {
            ValType::V128 => payload.cast::<u128>().read_unaligned(),
            ValType::I32 | ValType::F32 => payload.cast::<u32>().read_unaligned().into(),
            ValType::Ref(ty) if ty.heap.family() != Family::Func => {
                payload.cast::<u32>().read_unaligned().into()
            }
            _ => payload.cast::<u64>().read_unaligned().into(),
        };
        Val::from_bits(store, ty, bits)
    }
}

/// Who has called a host function.
pub struct Caller<'a>(&'a HostCall<'a>);

impl Caller<'_> {
    /// The store.
    pub fn store(&self) -> Store {
        Store::of_vm(self.0.store())
    }

    /// The instance whose code has called; none if the host has called the function itself.
    pub fn instance(&self) -> Option<Instance> {
        self.0.caller().map(Instance::from_handle)
    }

    /// The memory that the calling instance exports as `memory`, or its first one.
    pub fn memory(&self) -> Option<Memory> {
        let caller = self.0.caller()?;
        let instance = caller.instance()?;
        let index = Instance::of(&caller)?.module().main_memory()?;
        Some(Memory::from_handle(instance.memory_handle(index)))
    }
}

/// A call of a host function, with arguments and results as they lie.
pub struct RawCall<'a>(pub(super) &'a HostCall<'a>);

impl<'a> RawCall<'a> {
    /// Who has called.
    pub fn caller(&self) -> Caller<'a> {
        Caller(self.0)
    }

    /// The function's type.
    pub fn ty(&self) -> &'a FuncType {
        self.0.signature().ty()
    }

    /// The kinds of the results, numbered as in `wasm.h`.
    pub fn result_kinds(&self) -> &'a [u8] {
        self.0.signature().result_kinds()
    }

    /// Whether a reference goes in or out.
    pub fn has_refs(&self) -> bool {
        self.0.signature().has_refs()
    }

    /// The arguments, kinds included. Bits beyond a 32-bit payload are undefined. References among
    /// them are good until something is made in the store: then objects may be moved and freed.
    pub fn args(&self) -> *mut Slot {
        self.0.args().cast()
    }

    /// Room for the results; each has to be written. After references have been, nothing may be
    /// made in the store.
    pub fn results(&self) -> *mut Slot {
        self.0.results().cast()
    }
}

/// A type that closures for [`Func::wrap`] take and return.
pub trait WasmType: Sized {
    /// Its WebAssembly type.
    const TYPE: ValType;

    /// The value in the low bits of a payload.
    fn from_payload(payload: u64) -> Self;

    /// The payload, extended with zeros.
    fn to_payload(self) -> u64;
}

macro_rules! wasm_types {
    ($($ty:ty as $wasm:ident: $from:expr, $to:expr;)*) => {$(
        impl WasmType for $ty {
            const TYPE: ValType = ValType::$wasm;

            fn from_payload(payload: u64) -> $ty {
                let from: fn(u64) -> $ty = $from;
                from(payload)
            }

            fn to_payload(self) -> u64 {
                let to: fn($ty) -> u64 = $to;
                to(self)
            }
        }
    )*};
}

wasm_types! {
    i32 as I32: |payload| payload as i32, |value| u64::from(value as u32);
    u32 as I32: |payload| payload as u32, u64::from;
    i64 as I64: |payload| payload as i64, |value| value as u64;
    u64 as I64: |payload| payload, |value| value;
    f32 as F32: |payload| f32::from_bits(payload as u32), |value| u64::from(value.to_bits());
    f64 as F64: f64::from_bits, f64::to_bits;
}

/// What closures for [`Func::wrap`] return.
pub trait WasmResults {
    /// The types of the results.
    fn types() -> Vec<ValType>;

    /// Writes the results to payloads, or says why there are none.
    ///
    /// # Errors
    ///
    /// The trap to end execution with.
    fn write(self, write: impl FnOnce(Option<u64>)) -> Result<(), Trap>;
}

impl WasmResults for () {
    fn types() -> Vec<ValType> {
        Vec::new()
    }

    fn write(self, write: impl FnOnce(Option<u64>)) -> Result<(), Trap> {
        write(None);
        Ok(())
    }
}

impl<T: WasmType> WasmResults for T {
    fn types() -> Vec<ValType> {
        vec![T::TYPE]
    }

    fn write(self, write: impl FnOnce(Option<u64>)) -> Result<(), Trap> {
        write(Some(self.to_payload()));
        Ok(())
    }
}

impl<R: WasmResults> WasmResults for Result<R, Trap> {
    fn types() -> Vec<ValType> {
        R::types()
    }

    fn write(self, write: impl FnOnce(Option<u64>)) -> Result<(), Trap> {
        self?.write(write)
    }
}

/// A closure that [`Func::wrap`] takes.
pub trait HostFunc<P, R>: 'static {
    /// Makes a function of the closure.
    ///
    /// # Errors
    ///
    /// As [`Func::wrap`].
    fn into_func(self, store: &Store) -> Result<Func, Error>;
}

macro_rules! host_funcs {
    ($($($param:ident)*;)*) => {$(
        impl<Body, R, $($param,)*> HostFunc<($($param,)*), R> for Body
        where
            Body: Fn(&Caller, $($param),*) -> R + 'static,
            R: WasmResults,
            $($param: WasmType,)*
        {
            #[allow(unused_assignments, unused_mut, unused_variables, non_snake_case,
                reason = "some of the tuples are empty")]
            fn into_func(self, store: &Store) -> Result<Func, Error> {
                let ty = FuncType::new([$($param::TYPE),*], R::types());
                let _: PhantomData<R> = PhantomData;
                Func::boxed(store, &ty, Box::new(move |call| {
                    let args: *const Slot = call.args().cast();
                    let mut next = 0;
                    $(
                        // SAFETY: the function's type has this many parameters.
                        let $param = $param::from_payload(unsafe { (*args.add(next)).payload });
                        next += 1;
                    )*
                    self(&Caller(call), $($param),*).write(|result| {
                        if let Some(payload) = result {
                            // SAFETY: the function's type has a result.
                            unsafe { (*call.results().cast::<Slot>()).payload = payload };
                        }
                    })
                }))
            }
        }
    )*};
}

host_funcs! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
    A B C D E F G H I J K L M;
    A B C D E F G H I J K L M N;
    A B C D E F G H I J K L M N O;
    A B C D E F G H I J K L M N O Q;
}
