//! Wasmi: an interpreter, which shares nothing with Cranelift.

use std::mem::discriminant;

use wasmi::errors::{ErrorKind, InstantiationError, MemoryError, TableError};
use wasmi::{
    CompilationMode, Config, Engine as Wasmi, Error, Extern, Instance, Module, Store as WasmiStore,
    TrapCode, Val,
};
use wasmparser::ValType;

use super::{Engine, Store};
use crate::outcome::{End, Trap, Value};
use crate::rng::hash;

const MAX_STACK: usize = 8 << 20;

pub struct Interpreter(Wasmi);

impl Interpreter {
    pub fn new() -> Interpreter {
        let mut config = Config::default();
        config.wasm_custom_page_sizes(true).wasm_memory64(true).wasm_wide_arithmetic(true);
        config.wasm_simd(true).wasm_relaxed_simd(true).wasm_tail_call(true).wasm_multi_memory(true);
        config.set_max_recursion_depth(10_000).set_max_stack_height(MAX_STACK);
        config.compilation_mode(CompilationMode::Lazy);
        Interpreter(Wasmi::new(&config))
    }
}

impl Engine for Interpreter {
    fn name(&self) -> String {
        "wasmi".to_owned()
    }

    fn store(&mut self) -> Box<dyn Store + '_> {
        let store = WasmiStore::new(&self.0, ());
        Box::new(InStore { engine: &self.0, store, instances: Vec::new() })
    }
}

struct InStore<'a> {
    engine: &'a Wasmi,
    store: WasmiStore<()>,
    instances: Vec<Instance>,
}

impl InStore<'_> {
    fn export(&self, instance: usize, name: &str) -> Extern {
        let export = self.instances[instance].get_export(&self.store, name);
        export.expect("the module has been read")
    }
}

impl Store for InStore<'_> {
    fn instantiate(&mut self, wasm: &[u8], imports: &[(usize, String)]) -> Result<usize, End> {
        let module = Module::new(self.engine, wasm).map_err(|e| End::Refused(e.to_string()))?;
        // It wants imports of one kind after those of another.
        let mut left: Vec<_> = imports.iter().map(|(i, name)| self.export(*i, name)).collect();
        let mut imports = Vec::new();
        for import in module.imports() {
            let fits =
                |item: &Extern| discriminant(&item.ty(&self.store)) == discriminant(import.ty());
            imports.push(left.remove(left.iter().position(fits).ok_or(End::Link(String::new()))?));
        }
        let instance = Instance::new(&mut self.store, &module, &imports).map_err(end)?;
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
        let func = self.export(instance, name).into_func().expect("the module has been read");
        let args: Vec<_> = args.iter().map(|value| to_wasmi(*value)).collect();
        let mut values = vec![Val::I32(0); results.len()];
        func.call(&mut self.store, &args, &mut values).map_err(end)?;
        Ok(values.iter().map(from_wasmi).collect())
    }

    fn memory(&mut self, instance: usize, name: &str) -> (u64, u64) {
        let memory = self.export(instance, name).into_memory().expect("the module has been read");
        let data = memory.data(&self.store);
        (data.len() as u64, hash(data))
    }

    fn set_i32(&mut self, instance: usize, name: &str, value: u32) {
        let global = self.export(instance, name).into_global().expect("the module has been read");
        let set = global.set(&mut self.store, Val::I32(value as i32));
        set.expect("the global is mutable");
    }
}

fn to_wasmi(value: Value) -> Val {
    match value {
        Value::I32(bits) => Val::I32(bits as i32),
        Value::I64(bits) => Val::I64(bits as i64),
        Value::F32(bits) => Val::F32(wasmi::F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(wasmi::F64::from_bits(bits)),
    }
}

fn from_wasmi(value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value as u32),
        Val::I64(value) => Value::I64(*value as u64),
        Val::F32(value) => Value::F32(value.to_bits()),
        Val::F64(value) => Value::F64(value.to_bits()),
        _ => unreachable!("only numbers are returned"),
    }
}

fn end(error: Error) -> End {
    if let Some(code) = error.as_trap_code() {
        return End::Trap(match code {
            TrapCode::UnreachableCodeReached => Trap::Unreachable,
            TrapCode::MemoryOutOfBounds => Trap::MemoryOutOfBounds,
            TrapCode::TableOutOfBounds => Trap::TableOutOfBounds,
            TrapCode::IndirectCallToNull => Trap::NullFunction,
            TrapCode::IntegerDivisionByZero => Trap::DivideByZero,
            TrapCode::IntegerOverflow => Trap::IntegerOverflow,
            TrapCode::BadConversionToInteger => Trap::InvalidConversion,
            TrapCode::BadSignature => Trap::TypeMismatch,
            TrapCode::StackOverflow => return End::Stack,
            TrapCode::OutOfFuel
            | TrapCode::GrowthOperationLimited
            | TrapCode::OutOfSystemMemory => return End::Resources(error.to_string()),
        });
    }
    match error.kind() {
        ErrorKind::Translation(_) | ErrorKind::Wasm(_) | ErrorKind::ImplementationLimits(_) => {
            End::Refused(error.to_string())
        }
        ErrorKind::Memory(
            MemoryError::OutOfSystemMemory | MemoryError::ResourceLimiterDeniedAllocation,
        )
        | ErrorKind::Table(TableError::OutOfSystemMemory) => End::Resources(error.to_string()),
        ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) => {
            End::Trap(Trap::TableOutOfBounds)
        }
        ErrorKind::Instantiation(_) | ErrorKind::Linker(_) => End::Link(error.to_string()),
        _ => End::Other(error.to_string()),
    }
}
