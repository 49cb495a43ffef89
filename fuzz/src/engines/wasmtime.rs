//! Wasmtime, through its own C API (its `wasm.h` does not know all types).

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use wasmparser::ValType;

use super::library::{Library, functions};
use super::{Engine, Store};
use crate::outcome::{End, Trap, Value};
use crate::rng::hash;

type Pointer = *mut c_void;

#[repr(C)]
struct Vector {
    size: usize,
    data: *mut u8,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Instance {
    store: u64,
    private: usize,
}

/// What an instance exports: `of` is as large as the largest of the union.
#[repr(C)]
#[derive(Clone, Copy)]
struct Extern {
    kind: u8,
    of: [u64; 3],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Val {
    kind: u8,
    of: [u64; 3],
}

functions! {
    /// The functions that are used.
    Functions {
        wasm_config_new() -> Pointer;
        wasm_engine_new_with_config(Pointer) -> Pointer;
        wasm_engine_delete(Pointer) -> ();
        wasm_byte_vec_delete(*mut Vector) -> ();
        wasm_trap_message(*const c_void, *mut Vector) -> ();
        wasm_trap_delete(Pointer) -> ();
        wasmtime_config_max_wasm_stack_set(Pointer, usize) -> ();
        wasmtime_config_async_stack_size_set(Pointer, usize) -> ();
        wasmtime_config_parallel_compilation_set(Pointer, bool) -> ();
        wasmtime_config_cranelift_opt_level_set(Pointer, u8) -> ();
        wasmtime_config_shared_memory_set(Pointer, bool) -> ();
        wasmtime_config_wasm_custom_page_sizes_set(Pointer, bool) -> ();
        wasmtime_config_wasm_exceptions_set(Pointer, bool) -> ();
        wasmtime_config_wasm_function_references_set(Pointer, bool) -> ();
        wasmtime_config_wasm_gc_set(Pointer, bool) -> ();
        wasmtime_config_wasm_memory64_set(Pointer, bool) -> ();
        wasmtime_config_wasm_multi_memory_set(Pointer, bool) -> ();
        wasmtime_config_wasm_relaxed_simd_set(Pointer, bool) -> ();
        wasmtime_config_wasm_relaxed_simd_deterministic_set(Pointer, bool) -> ();
        wasmtime_config_wasm_tail_call_set(Pointer, bool) -> ();
        wasmtime_config_wasm_threads_set(Pointer, bool) -> ();
        wasmtime_config_wasm_wide_arithmetic_set(Pointer, bool) -> ();
        wasmtime_store_new(Pointer, Pointer, Option<unsafe extern "C" fn(Pointer)>) -> Pointer;
        wasmtime_store_delete(Pointer) -> ();
        wasmtime_store_context(Pointer) -> Pointer;
        wasmtime_context_take_exception(Pointer, *mut [u64; 3]) -> bool;
        wasmtime_module_new(Pointer, *const u8, usize, *mut Pointer) -> Pointer;
        wasmtime_module_delete(Pointer) -> ();
        wasmtime_instance_new(Pointer, *const c_void, *const Extern, usize, *mut Instance, *mut Pointer) -> Pointer;
        wasmtime_instance_export_get(Pointer, *const Instance, *const c_char, usize, *mut Extern) -> bool;
        wasmtime_extern_delete(*mut Extern) -> ();
        wasmtime_func_call(Pointer, *const [u64; 3], *const Val, usize, *mut Val, usize, *mut Pointer) -> Pointer;
        wasmtime_global_set(Pointer, *const [u64; 3], *const Val) -> Pointer;
        wasmtime_memory_data(Pointer, *const [u64; 3]) -> *const u8;
        wasmtime_memory_data_size(Pointer, *const [u64; 3]) -> usize;
        wasmtime_sharedmemory_data(Pointer) -> *const u8;
        wasmtime_sharedmemory_data_size(Pointer) -> usize;
        wasmtime_error_message(*const c_void, *mut Vector) -> ();
        wasmtime_error_delete(Pointer) -> ();
        wasmtime_trap_code(*const c_void, *mut u8) -> bool;
    }
}

/// `wasmtime_extern_kind_t` of a shared memory.
const SHARED_MEMORY: u8 = 4;

const MAX_STACK: usize = 8 << 20;

/// `wasmtime_opt_level_t`.
const OPT_LEVEL_NONE: u8 = 0;

pub struct Wasmtime {
    f: Functions,
    engine: Pointer,
}

impl Wasmtime {
    pub fn open(library: Library) -> Result<Wasmtime, String> {
        let f = Functions::load(library)?;
        // SAFETY: the settings are live until the engine is made of them.
        let engine = unsafe {
            let config = (f.wasm_config_new)();
            // The one has to be below the other, though nothing is asynchronous.
            (f.wasmtime_config_async_stack_size_set)(config, 2 * MAX_STACK);
            (f.wasmtime_config_max_wasm_stack_set)(config, MAX_STACK);
            (f.wasmtime_config_parallel_compilation_set)(config, false);
            // What modules do is asked, not how fast: and its optimizer is ours too.
            (f.wasmtime_config_cranelift_opt_level_set)(config, OPT_LEVEL_NONE);
            (f.wasmtime_config_shared_memory_set)(config, true);
            (f.wasmtime_config_wasm_custom_page_sizes_set)(config, true);
            (f.wasmtime_config_wasm_function_references_set)(config, true);
            (f.wasmtime_config_wasm_gc_set)(config, true);
            (f.wasmtime_config_wasm_exceptions_set)(config, true);
            (f.wasmtime_config_wasm_memory64_set)(config, true);
            (f.wasmtime_config_wasm_multi_memory_set)(config, true);
            (f.wasmtime_config_wasm_relaxed_simd_set)(config, true);
            (f.wasmtime_config_wasm_relaxed_simd_deterministic_set)(config, true);
            (f.wasmtime_config_wasm_tail_call_set)(config, true);
            (f.wasmtime_config_wasm_threads_set)(config, true);
            (f.wasmtime_config_wasm_wide_arithmetic_set)(config, true);
            (f.wasm_engine_new_with_config)(config)
        };
        if engine.is_null() {
            Err("there is no engine".to_owned())
        } else {
            Ok(Wasmtime { f, engine })
        }
    }

    /// The text that `read` writes about something.
    fn text(
        &self,
        read: unsafe extern "C" fn(*const c_void, *mut Vector),
        about: *const c_void,
    ) -> String {
        let mut message = Vector { size: 0, data: null_mut() };
        // SAFETY: what it is about is live; the vector is copied before it is deleted.
        unsafe {
            read(about, &mut message);
            let text = std::slice::from_raw_parts(message.data, message.size);
            let text = String::from_utf8_lossy(text).trim_end_matches('\0').to_owned();
            (self.f.wasm_byte_vec_delete)(&mut message);
            text
        }
    }

    /// The text of an error, which is deleted.
    fn error(&self, error: Pointer) -> String {
        let text = self.text(self.f.wasmtime_error_message, error);
        // SAFETY: the error is live.
        unsafe { (self.f.wasmtime_error_delete)(error) };
        text
    }

    /// The end that a trap is; deletes the trap.
    fn trap(&self, trap: Pointer) -> End {
        let text = self.text(self.f.wasm_trap_message, trap);
        let mut code = u8::MAX;
        // SAFETY: the trap is live until it is deleted.
        let known = unsafe {
            let known = (self.f.wasmtime_trap_code)(trap, &mut code);
            (self.f.wasm_trap_delete)(trap);
            known
        };
        if known { end(code, text) } else { other(text) }
    }
}

impl Drop for Wasmtime {
    fn drop(&mut self) {
        // SAFETY: the engine is live.
        unsafe { (self.f.wasm_engine_delete)(self.engine) }
    }
}

/// The end that a trap of this number is (`wasmtime_trap_code_enum`).
fn end(code: u8, text: String) -> End {
    End::Trap(match code {
        0 => return End::Stack,
        1 => Trap::MemoryOutOfBounds,
        2 => Trap::Misaligned,
        3 => Trap::TableOutOfBounds,
        4 => Trap::NullFunction,
        5 => Trap::TypeMismatch,
        6 => Trap::IntegerOverflow,
        7 => Trap::DivideByZero,
        8 => Trap::InvalidConversion,
        9 => Trap::Unreachable,
        12 => Trap::WaitOnUnshared,
        13 => Trap::NullReference,
        14 => Trap::ArrayOutOfBounds,
        16 => Trap::CastFailure,
        15 => return End::Resources(text),
        _ => return End::Other(text),
    })
}

/// An error that has no number.
fn other(text: String) -> End {
    let lacking =
        ["GC heap out of memory", "resource limit exceeded", "failed to allocate", "out of memory"];
    if text.contains("thrown Wasm exception") {
        End::Trap(Trap::Exception)
    } else if lacking.iter().any(|words| text.contains(words)) {
        End::Resources(text)
    } else {
        End::Other(text)
    }
}

impl Engine for Wasmtime {
    fn name(&self) -> String {
        "wasmtime".to_owned()
    }

    fn store(&mut self) -> Box<dyn Store + '_> {
        // SAFETY: the engine is live; there is no data, and nothing to finalize it.
        let store = unsafe { (self.f.wasmtime_store_new)(self.engine, null_mut(), None) };
        // SAFETY: the store is live.
        let context = unsafe { (self.f.wasmtime_store_context)(store) };
        Box::new(InStore { wasmtime: self, store, context, instances: Vec::new() })
    }
}

struct InStore<'a> {
    wasmtime: &'a Wasmtime,
    store: Pointer,
    context: Pointer,
    instances: Vec<Instance>,
}

impl Drop for InStore<'_> {
    fn drop(&mut self) {
        // SAFETY: the store is live.
        unsafe { (self.wasmtime.f.wasmtime_store_delete)(self.store) }
    }
}

impl InStore<'_> {
    fn export(&self, instance: usize, name: &str) -> Extern {
        let mut export = MaybeUninit::uninit();
        let f = &self.wasmtime.f;
        let instance = &self.instances[instance];
        // SAFETY: store and name are live; the export is written if it is there.
        unsafe {
            let get = f.wasmtime_instance_export_get;
            let (start, length) = (name.as_ptr().cast(), name.len());
            let found = get(self.context, instance, start, length, export.as_mut_ptr());
            assert!(found, "an export is missing");
            export.assume_init()
        }
    }

    /// What an operation has ended by: its error, its trap, or neither.
    fn outcome(&self, error: Pointer, trap: Pointer) -> Result<(), End> {
        let wasmtime = self.wasmtime;
        if !trap.is_null() {
            let end = wasmtime.trap(trap);
            let mut exception = [0; 3];
            // SAFETY: the store is live; the exception's root goes with it.
            let thrown = unsafe {
                (wasmtime.f.wasmtime_context_take_exception)(self.context, &mut exception)
            };
            return Err(if thrown { End::Trap(Trap::Exception) } else { end });
        }
        if error.is_null() { Ok(()) } else { Err(other(wasmtime.error(error))) }
    }
}

impl Store for InStore<'_> {
    fn instantiate(&mut self, wasm: &[u8], imports: &[(usize, String)]) -> Result<usize, End> {
        let (f, mut module) = (&self.wasmtime.f, null_mut());
        // SAFETY: engine and bytes are live.
        let error = unsafe {
            (f.wasmtime_module_new)(self.wasmtime.engine, wasm.as_ptr(), wasm.len(), &mut module)
        };
        if !error.is_null() {
            return Err(End::Refused(self.wasmtime.error(error)));
        }
        let mut imports: Vec<_> = imports.iter().map(|(i, name)| self.export(*i, name)).collect();
        let mut trap = null_mut();
        let mut instance = Instance { store: 0, private: 0 };
        // SAFETY: everything is live; the module is not used after it is deleted.
        let error = unsafe {
            let (first, count) = (imports.as_ptr(), imports.len());
            let new = f.wasmtime_instance_new;
            let error = new(self.context, module, first, count, &mut instance, &mut trap);
            (f.wasmtime_module_delete)(module);
            imports.iter_mut().for_each(|import| (f.wasmtime_extern_delete)(import));
            error
        };
        self.outcome(error, trap).map_err(|end| match end {
            End::Other(text) => End::Link(text),
            end => end,
        })?;
        self.instances.push(instance);
        Ok(self.instances.len() - 1)
    }

    fn call(
        &mut self,
        instance: usize,
        name: &str,
        args: &[Value],
        results: &[ValType],
    ) -> Result<Vec<Value>, End> {
        let func = self.export(instance, name);
        let args: Vec<_> = args.iter().map(|value| to_val(*value)).collect();
        let mut values = vec![Val { kind: 0, of: [0; 3] }; results.len()];
        let mut trap = null_mut();
        // SAFETY: the export is a function; the arrays are as large as is said.
        let error = unsafe {
            (self.wasmtime.f.wasmtime_func_call)(
                self.context,
                &func.of,
                args.as_ptr(),
                args.len(),
                values.as_mut_ptr(),
                values.len(),
                &mut trap,
            )
        };
        self.outcome(error, trap)?;
        Ok(values.iter().map(from_val).collect())
    }

    fn memory(&mut self, instance: usize, name: &str) -> (u64, u64) {
        let mut export = self.export(instance, name);
        let f = &self.wasmtime.f;
        // SAFETY: the export is a memory; nothing runs while its bytes are read.
        unsafe {
            let (data, size) = if export.kind == SHARED_MEMORY {
                let memory = std::ptr::with_exposed_provenance_mut(export.of[0] as usize);
                (
                    (f.wasmtime_sharedmemory_data)(memory),
                    (f.wasmtime_sharedmemory_data_size)(memory),
                )
            } else {
                let memory = &export.of;
                (
                    (f.wasmtime_memory_data)(self.context, memory),
                    (f.wasmtime_memory_data_size)(self.context, memory),
                )
            };
            let bytes = if size == 0 { &[] } else { std::slice::from_raw_parts(data, size) };
            let seen = (size as u64, hash(bytes));
            (f.wasmtime_extern_delete)(&mut export);
            seen
        }
    }

    fn set_i32(&mut self, instance: usize, name: &str, value: u32) {
        let global = self.export(instance, name);
        // SAFETY: the export is a global.
        let error = unsafe {
            let value = to_val(Value::I32(value));
            (self.wasmtime.f.wasmtime_global_set)(self.context, &global.of, &value)
        };
        assert!(error.is_null(), "the global is mutable");
    }
}

fn to_val(value: Value) -> Val {
    match value {
        Value::I32(bits) => Val { kind: 0, of: [bits.into(), 0, 0] },
        Value::I64(bits) => Val { kind: 1, of: [bits, 0, 0] },
        Value::F32(bits) => Val { kind: 2, of: [bits.into(), 0, 0] },
        Value::F64(bits) => Val { kind: 3, of: [bits, 0, 0] },
    }
}

fn from_val(value: &Val) -> Value {
    let bits = value.of[0];
    match value.kind {
        0 => Value::I32(bits as u32),
        1 => Value::I64(bits),
        2 => Value::F32(bits as u32),
        _ => Value::F64(bits),
    }
}
