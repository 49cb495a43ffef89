//! A module with everything that is done to it. The module alone decides: a case can be repeated
//! from the module's file.

use wasmparser::{TypeRef, ValType};

use crate::around::{About, Observer, observer, provider};
use crate::engines::{Engine, Store};
use crate::outcome::{End, Outcome, Seen, Value};
use crate::rng::Rng;
use crate::shape::{Shape, is_number};

/// The name of the global by which a module's own count of turns and calls is exported, when it
/// has one.
pub const FUEL: &str = "tenon fuzz fuel";

/// What `FUEL` is set to before each call.
pub const FUEL_OF_A_CALL: u32 = 1000;

/// Times that each function is called.
const ROUNDS: u64 = 2;

/// Calls of functions in all.
const MOST_CALLS: usize = 24;

pub struct Case {
    pub wasm: Vec<u8>,
    provider: Option<Vec<u8>>,
    import_count: usize,
    observer: Option<Observer>,
    /// Functions that take and return numbers, and the memories.
    direct: Vec<(String, Vec<ValType>, Vec<ValType>)>,
    memories: Vec<String>,
    has_fuel: bool,
}

/// Why a module is no case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoCase {
    Unreadable,
    /// Its imports cannot be provided.
    Imports,
}

impl Case {
    pub fn new(wasm: Vec<u8>) -> Result<Case, NoCase> {
        let shape = Shape::of(&wasm).map_err(|_| NoCase::Unreadable)?;
        let import_count = shape.imports.len();
        let provider = match import_count {
            0 => None,
            _ => Some(provider(&shape).ok_or(NoCase::Imports)?),
        };
        let observer = observer(&shape);
        let mut direct = Vec::new();
        let mut memories = Vec::new();
        let mut has_fuel = false;
        for export in &shape.exports {
            match export.ty {
                TypeRef::Func(ty) => {
                    let Some(ty) = shape.func_type(ty) else { continue };
                    if ty.params().iter().chain(ty.results()).all(|ty| is_number(*ty)) {
                        let (params, results) = (ty.params().to_vec(), ty.results().to_vec());
                        direct.push((export.name.to_owned(), params, results));
                    }
                }
                TypeRef::Memory(_) => memories.push(export.name.to_owned()),
                TypeRef::Global(_) => has_fuel |= export.name == FUEL,
                _ => {}
            }
        }
        drop(shape);
        Ok(Case { wasm, provider, import_count, observer, direct, memories, has_fuel })
    }

    /// Runs the module, and says what is seen of it.
    pub fn run(&self, engine: &mut dyn Engine) -> Outcome {
        let mut run = Run { store: engine.store(), outcome: Vec::new(), main: 0, observer: None };
        match run.start(self) {
            Ok(()) => {
                run.outcome.push(Seen::Start(Ok(())));
                run.state(self);
                run.calls(self);
                run.state(self);
            }
            Err(end) => run.outcome.push(Seen::Start(Err(end))),
        }
        run.outcome
    }
}

/// A case in a store.
struct Run<'a> {
    store: Box<dyn Store + 'a>,
    outcome: Outcome,
    main: usize,
    observer: Option<usize>,
}

impl Run<'_> {
    fn start(&mut self, case: &Case) -> Result<(), End> {
        let mut imports = Vec::new();
        if let Some(wasm) = &case.provider {
            let provider = self.store.instantiate(wasm, &[])?;
            imports.extend((0..case.import_count).map(|i| (provider, i.to_string())));
        }
        self.main = self.store.instantiate(&case.wasm, &imports)?;
        if let Some(observer) = &case.observer {
            let imports = observer.imports.iter().map(|name| (self.main, name.clone()));
            let imports: Vec<_> = imports.collect();
            self.observer = Some(self.store.instantiate(&observer.wasm, &imports)?);
        }
        Ok(())
    }

    /// Looks at memories, tables and globals.
    fn state(&mut self, case: &Case) {
        for name in &case.memories {
            let (size, hash) = self.store.memory(self.main, name);
            self.outcome.push(Seen::Memory(name.clone(), size, hash));
        }
        let (Some(observer), Some(instance)) = (&case.observer, self.observer) else { return };
        for (i, wrapper) in observer.functions.iter().enumerate() {
            if wrapper.about == About::Function {
                continue;
            }
            let values = self.store.call(instance, &i.to_string(), &[], &wrapper.results);
            let seen = match values {
                Ok(values) => Seen::State(wrapper.about, wrapper.name.clone(), values),
                Err(end) => Seen::Call(wrapper.name.clone(), Vec::new(), Err(end)),
            };
            self.outcome.push(seen);
        }
    }

    fn calls(&mut self, case: &Case) {
        let mut left = MOST_CALLS;
        for round in 0..ROUNDS {
            for (name, params, results) in &case.direct {
                self.call(case, self.main, (name, name), (params, results), round, &mut left);
            }
            let (Some(observer), Some(instance)) = (&case.observer, self.observer) else {
                continue;
            };
            for (i, wrapper) in observer.functions.iter().enumerate() {
                if wrapper.about == About::Function {
                    let names = (&*wrapper.name, &*i.to_string());
                    let types = (&*wrapper.params, &*wrapper.results);
                    self.call(case, instance, names, types, round, &mut left);
                }
            }
        }
    }

    /// Calls one function; its name for people, and that in the instance.
    fn call(
        &mut self,
        case: &Case,
        instance: usize,
        (name, export): (&str, &str),
        (params, results): (&[ValType], &[ValType]),
        round: u64,
        left: &mut usize,
    ) {
        let Some(rest) = left.checked_sub(1) else { return };
        *left = rest;
        if case.has_fuel {
            self.store.set_i32(self.main, FUEL, FUEL_OF_A_CALL);
        }
        let mut rng = Rng::of(name, round);
        let args: Vec<_> = params.iter().map(|ty| argument(*ty, &mut rng)).collect();
        let returned = self.store.call(instance, export, &args, results);
        self.outcome.push(Seen::Call(name.to_owned(), args, returned));
    }
}

/// A number, often one where operations have their borders.
fn argument(ty: ValType, rng: &mut Rng) -> Value {
    const BORDERS: [u64; 12] = [
        0,
        1,
        2,
        31,
        64,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0xffff_0000,
        0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000,
        u64::MAX,
    ];
    let bits = match rng.below(4) {
        0 => rng.pick(&BORDERS),
        1 => rng.below(1000),
        2 => u64::MAX - rng.below(1000),
        _ => rng.next(),
    };
    // NaNs differ in more than bits that count; those that go in here are canonical.
    let float = match rng.below(8) {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => -0.0,
        3 => f64::MIN_POSITIVE / 4.0,
        4 => f64::from(bits as i32) / 16.0,
        5 => -(bits as f64),
        6 => bits as f64,
        _ => f64::from(bits as u8),
    };
    match ty {
        ValType::I64 => Value::I64(bits),
        ValType::F32 => Value::F32((float as f32).to_bits()),
        ValType::F64 => Value::F64(float.to_bits()),
        _ => Value::I32(bits as u32),
    }
}
