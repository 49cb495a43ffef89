//! Tenon, as C programs use it: libtenon, in one of its modes.

use std::ffi::{CString, c_char, c_void};
use std::ptr::null_mut;

use wasmparser::ValType;

use super::library::{Library, functions};
use super::{Engine, Store};
use crate::generate::Features;
use crate::outcome::{End, Trap, Value};
use crate::rng::hash;
use crate::shape::export_names;

/// What engines can be told that has no effect on what modules do.
#[derive(Clone, Copy)]
pub struct Mode {
    pub name: &'static str,
    pub explicit_checks: bool,
    /// Bytes that are reserved for a memory; none: what the library prefers.
    pub reservation: Option<u64>,
    /// When functions are compiled (`tenon_compilation_enum`).
    pub compilation: u8,
    /// After how many calls and turns of loops functions are optimized.
    pub tier_up_after: u32,
    /// Code counts fuel and looks for interrupts.
    pub metered: bool,
    /// Modules are written to bytes and read again before they run.
    pub serialized: bool,
    /// Bytes that the heap of a store may have; few of them make it be collected often.
    pub heap: Option<u64>,
    /// Every allocation collects.
    pub collect_always: bool,
    /// Stores have little fuel and little room, for modules that do not end by themselves.
    pub little: bool,
}

const EAGER: u8 = 1;
const LAZY: u8 = 2;
const AHEAD: u8 = 3;

const GUARD_PAGES: Mode = Mode {
    name: "guard pages",
    explicit_checks: false,
    reservation: None,
    compilation: EAGER,
    tier_up_after: 0,
    metered: false,
    serialized: false,
    heap: None,
    collect_always: false,
    little: false,
};

const METERED: Mode = Mode { name: "metered", metered: true, ..GUARD_PAGES };

const METERED_THAT_MOVES: Mode = Mode {
    name: "metered, explicit checks, memories that move",
    metered: true,
    explicit_checks: true,
    reservation: Some(0),
    ..GUARD_PAGES
};

const METERED_TIERS: Mode = Mode {
    name: "two tiers, metered, collect always",
    compilation: LAZY,
    tier_up_after: 20,
    metered: true,
    collect_always: true,
    ..GUARD_PAGES
};

/// The modes, the preferred one first.
pub const MODES: [Mode; 13] = [
    GUARD_PAGES,
    Mode { name: "explicit checks", explicit_checks: true, ..GUARD_PAGES },
    Mode { name: "memories that move", reservation: Some(100_000), ..GUARD_PAGES },
    Mode { name: "lazy", compilation: LAZY, ..GUARD_PAGES },
    Mode { name: "two tiers", compilation: LAZY, tier_up_after: 3, ..GUARD_PAGES },
    Mode {
        name: "two tiers, explicit checks",
        compilation: LAZY,
        tier_up_after: 1,
        explicit_checks: true,
        ..GUARD_PAGES
    },
    METERED_TIERS,
    METERED,
    METERED_THAT_MOVES,
    Mode { name: "serialized", serialized: true, ..GUARD_PAGES },
    Mode { name: "little heap", heap: Some(8 << 10), ..GUARD_PAGES },
    Mode { name: "collect always", collect_always: true, ..GUARD_PAGES },
    Mode { name: "ahead", compilation: AHEAD, tier_up_after: 2, ..GUARD_PAGES },
];

/// The modes in which anything can run: for fuel, code is metered.
pub const LITTLE: [Mode; 3] = [
    Mode { little: true, ..METERED },
    Mode { little: true, ..METERED_THAT_MOVES },
    Mode { little: true, ..METERED_TIERS },
];

/// What stores have when they have little.
const LITTLE_FUEL: u64 = 100_000;
const LITTLE_MEMORY: u64 = 16 << 20;
const LITTLE_ELEMENTS: u64 = 100_000;

/// Bytes of stack that wasm may use; the thread has more.
const MAX_STACK: usize = 8 << 20;

/// More fuel than any case uses up: its own count ends it before.
const FUEL: u64 = 1 << 62;

#[repr(C)]
struct Vector<T> {
    size: usize,
    data: *mut T,
}

impl<T> Vector<T> {
    fn empty() -> Vector<T> {
        Vector { size: 0, data: null_mut() }
    }

    fn of(items: &mut [T]) -> Vector<T> {
        Vector { size: items.len(), data: items.as_mut_ptr() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Val {
    kind: u8,
    bits: u64,
}

type Bytes = Vector<u8>;
type Externs = Vector<*mut c_void>;
type Vals = Vector<Val>;
type Pointer = *mut c_void;

functions! {
    /// The functions of `wasm.h` and `tenon.h` that are used.
    Functions {
        wasm_config_new() -> Pointer;
        tenon_config_feature_set(Pointer, *const c_char, bool) -> u8;
        tenon_config_explicit_checks_set(Pointer, bool) -> u8;
        tenon_config_memory_reservation_set(Pointer, u64) -> u8;
        tenon_config_compilation_set(Pointer, u8) -> u8;
        tenon_config_tier_up_after_set(Pointer, u32) -> u8;
        tenon_config_max_stack_set(Pointer, usize) -> u8;
        tenon_config_relaxed_simd_deterministic_set(Pointer, bool) -> u8;
        tenon_config_collect_always_set(Pointer, bool) -> u8;
        tenon_config_interruptible_set(Pointer, bool) -> u8;
        tenon_config_fuel_set(Pointer, bool) -> u8;
        tenon_store_fuel_set(Pointer, u64) -> u8;
        tenon_store_max_memory_set(Pointer, u64) -> u8;
        tenon_store_max_table_elements_set(Pointer, u64) -> u8;
        tenon_store_max_heap_set(Pointer, u64) -> u8;
        tenon_last_error_code() -> u8;
        tenon_last_error_message(*mut c_char, usize) -> usize;
        tenon_trap_code(*const c_void) -> u8;
        wasm_engine_new_with_config(Pointer) -> Pointer;
        wasm_engine_delete(Pointer) -> ();
        wasm_store_new(Pointer) -> Pointer;
        wasm_store_delete(Pointer) -> ();
        wasm_module_new(Pointer, *const Bytes) -> Pointer;
        wasm_module_validate(Pointer, *const Bytes) -> bool;
        wasm_module_serialize(*const c_void, *mut Bytes) -> ();
        wasm_module_deserialize(Pointer, *const Bytes) -> Pointer;
        wasm_module_delete(Pointer) -> ();
        wasm_byte_vec_delete(*mut Bytes) -> ();
        wasm_instance_new(Pointer, *const c_void, *const Externs, *mut Pointer) -> Pointer;
        wasm_instance_delete(Pointer) -> ();
        wasm_instance_exports(*const c_void, *mut Externs) -> ();
        wasm_extern_vec_delete(*mut Externs) -> ();
        wasm_extern_as_func(Pointer) -> Pointer;
        wasm_extern_as_memory(Pointer) -> Pointer;
        wasm_extern_as_global(Pointer) -> Pointer;
        wasm_func_call(*const c_void, *const Vals, *mut Vals) -> Pointer;
        wasm_global_set(Pointer, *const Val) -> ();
        wasm_memory_data(Pointer) -> *const u8;
        wasm_memory_data_size(*const c_void) -> usize;
        wasm_trap_message(*const c_void, *mut Bytes) -> ();
        wasm_trap_delete(Pointer) -> ();
    }
}

/// The library.
pub struct Tenon {
    f: Functions,
}

impl Tenon {
    pub fn open(library: Library) -> Result<Tenon, String> {
        Ok(Tenon { f: Functions::load(library)? })
    }

    /// Switches a feature on or off; whether the library knows it.
    fn set_feature(&self, config: Pointer, name: &str, on: bool) -> bool {
        let name = CString::new(name).unwrap_or_default();
        // SAFETY: the settings are live.
        unsafe { (self.f.tenon_config_feature_set)(config, name.as_ptr(), on) == 0 }
    }

    /// What is on by default, and with these switched on. What is not finished is off.
    pub fn features(&self, on: &[String]) -> Result<Features, String> {
        let engine = self.engine(GUARD_PAGES, on)?;
        Ok(Features::probe(|wasm| engine.validate(wasm) == Ok(true)))
    }

    /// An engine in this mode; `on` are features to switch on.
    pub fn engine(&self, mode: Mode, on: &[String]) -> Result<InMode<'_>, String> {
        let f = &self.f;
        // SAFETY: the settings are live until the engine is made of them.
        unsafe {
            let config = (f.wasm_config_new)();
            for name in on {
                if !self.set_feature(config, name, true) {
                    return Err(format!("there is no feature '{name}'"));
                }
            }
            (f.tenon_config_explicit_checks_set)(config, mode.explicit_checks);
            if let Some(bytes) = mode.reservation {
                (f.tenon_config_memory_reservation_set)(config, bytes);
            }
            (f.tenon_config_compilation_set)(config, mode.compilation);
            (f.tenon_config_tier_up_after_set)(config, mode.tier_up_after);
            (f.tenon_config_collect_always_set)(config, mode.collect_always);
            (f.tenon_config_interruptible_set)(config, mode.metered);
            (f.tenon_config_fuel_set)(config, mode.metered);
            (f.tenon_config_max_stack_set)(config, MAX_STACK);
            // Engines may differ otherwise.
            (f.tenon_config_relaxed_simd_deterministic_set)(config, true);
            let engine = (f.wasm_engine_new_with_config)(config);
            if engine.is_null() {
                Err(self.error().1)
            } else {
                Ok(InMode { tenon: self, mode, engine })
            }
        }
    }

    /// Kind and text of this thread's last error.
    fn error(&self) -> (u8, String) {
        let mut text = vec![0u8; 512];
        // SAFETY: the buffer has this size.
        let (code, size) = unsafe {
            let size = (self.f.tenon_last_error_message)(text.as_mut_ptr().cast(), text.len());
            ((self.f.tenon_last_error_code)(), size)
        };
        text.truncate(size.clamp(1, 512) - 1);
        (code, String::from_utf8_lossy(&text).into_owned())
    }

    fn failure(&self) -> End {
        let (code, text) = self.error();
        match code {
            2 | 3 => End::Refused(text),
            4 => End::Link(text),
            6 => End::Resources(text),
            10 => End::Internal(text),
            _ => End::Other(text),
        }
    }

    /// The end that a trap is; deletes the trap.
    fn trap(&self, trap: Pointer) -> End {
        // SAFETY: the trap is live until it is deleted.
        unsafe {
            let code = (self.f.tenon_trap_code)(trap);
            let mut message = Bytes::empty();
            (self.f.wasm_trap_message)(trap, &mut message);
            let text = std::slice::from_raw_parts(message.data, message.size);
            let text = String::from_utf8_lossy(text).trim_end_matches('\0').to_owned();
            (self.f.wasm_byte_vec_delete)(&mut message);
            (self.f.wasm_trap_delete)(trap);
            end(code, text)
        }
    }
}

/// The end that the trap of this number is.
fn end(code: u8, text: String) -> End {
    End::Trap(match code {
        1 => Trap::Unreachable,
        2 => Trap::MemoryOutOfBounds,
        3 | 4 => Trap::TableOutOfBounds,
        5 => Trap::NullFunction,
        6 => Trap::TypeMismatch,
        7 => Trap::DivideByZero,
        8 => Trap::IntegerOverflow,
        9 => Trap::InvalidConversion,
        10 => return End::Stack,
        14 => Trap::Misaligned,
        15 => Trap::WaitOnUnshared,
        16 => Trap::NullReference,
        17 => Trap::CastFailure,
        18 => Trap::ArrayOutOfBounds,
        19 => return End::Resources(text),
        _ if text == "uncaught exception" => Trap::Exception,
        _ => return End::Other(text),
    })
}

/// An engine of the library's.
pub struct InMode<'a> {
    tenon: &'a Tenon,
    mode: Mode,
    engine: Pointer,
}

impl Drop for InMode<'_> {
    fn drop(&mut self) {
        // SAFETY: the engine is live.
        unsafe { (self.tenon.f.wasm_engine_delete)(self.engine) }
    }
}

impl InMode<'_> {
    fn in_store(&self) -> InStore<'_> {
        // SAFETY: the engine is live.
        let store = unsafe { (self.tenon.f.wasm_store_new)(self.engine) };
        InStore { tenon: self.tenon, mode: self.mode, store, instances: Vec::new() }
    }

    /// Whether the bytes are a valid module.
    pub fn validate(&self, wasm: &[u8]) -> Result<bool, End> {
        let store = self.in_store();
        let bytes = Bytes { size: wasm.len(), data: wasm.as_ptr().cast_mut() };
        // SAFETY: store and bytes are live.
        let valid = unsafe { (self.tenon.f.wasm_module_validate)(store.store, &bytes) };
        match self.tenon.failure() {
            _ if valid => Ok(true),
            End::Refused(_) => Ok(false),
            end => Err(end),
        }
    }

    /// Makes a module of the bytes, and the bytes of a compiled one of that.
    pub fn compile(&mut self, wasm: &[u8]) -> Result<Vec<u8>, End> {
        let store = self.in_store();
        let module = store.module(wasm)?;
        store.serialize(&module).inspect(|_| drop(module))
    }

    /// Makes a module of the bytes of a compiled one; the error's text if it is refused.
    pub fn deserialize(&mut self, bytes: &[u8]) -> Result<(), String> {
        let store = self.in_store();
        store.deserialize(bytes).map(drop)
    }
}

impl Engine for InMode<'_> {
    fn name(&self) -> String {
        format!("tenon ({})", self.mode.name)
    }

    fn store(&mut self) -> Box<dyn Store + '_> {
        let store = self.in_store();
        let f = &self.tenon.f;
        if self.mode.metered {
            let fuel = if self.mode.little { LITTLE_FUEL } else { FUEL };
            // SAFETY: the store is live.
            let code = unsafe { (f.tenon_store_fuel_set)(store.store, fuel) };
            assert_eq!(code, 0, "the engine has fuel");
        }
        if let Some(bytes) = self.mode.heap {
            // SAFETY: the store is live.
            unsafe { (f.tenon_store_max_heap_set)(store.store, bytes) };
        }
        if self.mode.little {
            // SAFETY: the store is live.
            unsafe {
                (f.tenon_store_max_memory_set)(store.store, LITTLE_MEMORY);
                (f.tenon_store_max_table_elements_set)(store.store, LITTLE_ELEMENTS);
            }
        }
        Box::new(store)
    }
}

struct InStore<'a> {
    tenon: &'a Tenon,
    mode: Mode,
    store: Pointer,
    instances: Vec<Instance>,
}

struct Instance {
    instance: Pointer,
    exports: Externs,
    names: Vec<String>,
}

/// A module, deleted with its owner.
struct Module<'a>(&'a Tenon, Pointer);

impl Drop for Module<'_> {
    fn drop(&mut self) {
        // SAFETY: the module is live.
        unsafe { (self.0.f.wasm_module_delete)(self.1) }
    }
}

impl Drop for InStore<'_> {
    fn drop(&mut self) {
        let f = &self.tenon.f;
        // SAFETY: everything is live; the store goes last.
        unsafe {
            for instance in &mut self.instances {
                (f.wasm_extern_vec_delete)(&mut instance.exports);
                (f.wasm_instance_delete)(instance.instance);
            }
            (f.wasm_store_delete)(self.store);
        }
    }
}

impl<'a> InStore<'a> {
    fn module(&self, wasm: &[u8]) -> Result<Module<'a>, End> {
        let bytes = Bytes { size: wasm.len(), data: wasm.as_ptr().cast_mut() };
        // SAFETY: store and bytes are live.
        let module = unsafe { (self.tenon.f.wasm_module_new)(self.store, &bytes) };
        if module.is_null() { Err(self.tenon.failure()) } else { Ok(Module(self.tenon, module)) }
    }

    fn serialize(&self, module: &Module) -> Result<Vec<u8>, End> {
        let mut bytes = Bytes::empty();
        // SAFETY: the module is live; the vector is copied before it is deleted.
        unsafe {
            (self.tenon.f.wasm_module_serialize)(module.1, &mut bytes);
            if bytes.data.is_null() {
                return Err(self.tenon.failure());
            }
            let copy = std::slice::from_raw_parts(bytes.data, bytes.size).to_vec();
            (self.tenon.f.wasm_byte_vec_delete)(&mut bytes);
            Ok(copy)
        }
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<Module<'a>, String> {
        let vector = Bytes { size: bytes.len(), data: bytes.as_ptr().cast_mut() };
        // SAFETY: store and bytes are live.
        let module = unsafe { (self.tenon.f.wasm_module_deserialize)(self.store, &vector) };
        if module.is_null() { Err(self.tenon.error().1) } else { Ok(Module(self.tenon, module)) }
    }

    fn export(&self, instance: usize, name: &str) -> Pointer {
        let instance = &self.instances[instance];
        let index = instance.names.iter().position(|export| export == name);
        let index = index.expect("the module has been read");
        assert!(index < instance.exports.size, "an export is missing");
        // SAFETY: the vector has this many elements.
        unsafe { *instance.exports.data.add(index) }
    }
}

impl Store for InStore<'_> {
    fn instantiate(&mut self, wasm: &[u8], imports: &[(usize, String)]) -> Result<usize, End> {
        let mut module = self.module(wasm)?;
        if self.mode.serialized {
            let bytes = self.serialize(&module)?;
            module = self.deserialize(&bytes).map_err(End::Other)?;
        }
        let mut imports: Vec<_> = imports.iter().map(|(i, name)| self.export(*i, name)).collect();
        let imports = Externs::of(&mut imports);
        let mut trap = null_mut();
        let f = &self.tenon.f;
        // SAFETY: everything is live.
        let instance = unsafe { (f.wasm_instance_new)(self.store, module.1, &imports, &mut trap) };
        if !trap.is_null() {
            // Every failure has a trap; whether one was raised, the kind of the error tells.
            let (code, text) = self.tenon.error();
            let end = self.tenon.trap(trap);
            return Err(match code {
                4 => End::Link(text),
                6 => End::Resources(text),
                _ => end,
            });
        }
        if instance.is_null() {
            return Err(self.tenon.failure());
        }
        let mut exports = Externs::empty();
        // SAFETY: the instance is live.
        unsafe { (f.wasm_instance_exports)(instance, &mut exports) };
        self.instances.push(Instance { instance, exports, names: export_names(wasm) });
        Ok(self.instances.len() - 1)
    }

    fn call(
        &mut self,
        instance: usize,
        name: &str,
        args: &[Value],
        results: &[ValType],
    ) -> Result<Vec<Value>, End> {
        let mut args: Vec<_> = args.iter().map(|value| to_val(*value)).collect();
        let mut values = vec![Val { kind: 0, bits: 0 }; results.len()];
        let export = self.export(instance, name);
        // SAFETY: the export is live and a function; the vectors are whole.
        let trap = unsafe {
            let func = (self.tenon.f.wasm_extern_as_func)(export);
            (self.tenon.f.wasm_func_call)(func, &Vals::of(&mut args), &mut Vals::of(&mut values))
        };
        if !trap.is_null() {
            return Err(self.tenon.trap(trap));
        }
        Ok(values.iter().map(from_val).collect())
    }

    fn memory(&mut self, instance: usize, name: &str) -> (u64, u64) {
        let export = self.export(instance, name);
        let f = &self.tenon.f;
        // SAFETY: the export is live and a memory; nothing runs while its bytes are read.
        unsafe {
            let memory = (f.wasm_extern_as_memory)(export);
            let (data, size) = ((f.wasm_memory_data)(memory), (f.wasm_memory_data_size)(memory));
            let bytes = if size == 0 { &[] } else { std::slice::from_raw_parts(data, size) };
            (size as u64, hash(bytes))
        }
    }

    fn set_i32(&mut self, instance: usize, name: &str, value: u32) {
        let export = self.export(instance, name);
        // SAFETY: the export is live and a global.
        unsafe {
            let global = (self.tenon.f.wasm_extern_as_global)(export);
            (self.tenon.f.wasm_global_set)(global, &to_val(Value::I32(value)));
        }
    }
}

fn to_val(value: Value) -> Val {
    match value {
        Value::I32(bits) => Val { kind: 0, bits: bits.into() },
        Value::I64(bits) => Val { kind: 1, bits },
        Value::F32(bits) => Val { kind: 2, bits: bits.into() },
        Value::F64(bits) => Val { kind: 3, bits },
    }
}

fn from_val(value: &Val) -> Value {
    match value.kind {
        0 => Value::I32(value.bits as u32),
        1 => Value::I64(value.bits),
        2 => Value::F32(value.bits as u32),
        _ => Value::F64(value.bits),
    }
}
