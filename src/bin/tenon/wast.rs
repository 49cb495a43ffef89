//! `tenon wast`: runs the scripts of the specification's test suite.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::{self, ScopedJoinHandle};

use clap::Args;
use tenon::{
    AddressType, Engine, Error, Extern, ExternRef, Family, Func, FuncType, Global, GlobalType,
    Handle, HeapType, Instance, Limits, Linker, Memory, MemoryType, Module, RefType, SharedMemory,
    Store, Table, TableType, Trap, TrapCode, Val, ValType,
};
use wast::core::{AbstractHeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::parser::{self, ParseBuffer};
use wast::token::{F32, F64, Id, Span};
use wast::{QuoteWat, QuoteWatTest, WastArg, WastDirective, WastExecute, WastInvoke, WastRet};

use crate::{EngineArgs, Failure};

/// Run WebAssembly test scripts.
#[derive(Args)]
pub struct Wast {
    /// The scripts (.wast); of a folder, all scripts in it.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

/// What became of the directives.
#[derive(Default, Clone, Copy)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Wast {
    pub fn run(self) -> Result<ExitCode, Failure> {
        let engine = self.engine.engine()?;
        let mut total = Tally::default();
        for file in self.files.iter().flat_map(|path| scripts(path)) {
            total.add(run_file(&engine, &file));
        }
        println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
        Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The scripts that a path stands for, in alphabetical order.
fn scripts(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return vec![path.to_owned()] };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_script = |path: &Path| path.extension().is_some_and(|e| e == "wast");
    paths
        .into_iter()
        .flat_map(|path| if path.is_dir() || is_script(&path) { scripts(&path) } else { vec![] })
        .collect()
}

fn run_file(engine: &Engine, file: &Path) -> Tally {
    let failed = |message: String| {
        println!("{}: {message}", file.display());
        Tally { failed: 1, ..Tally::default() }
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return failed(error.to_string()),
    };
    let mut lexer = wast::lexer::Lexer::new(&text);
    lexer.allow_confusing_unicode(true);
    let buffer = match ParseBuffer::new_with_lexer(lexer) {
        Ok(buffer) => buffer,
        Err(error) => return failed(error.to_string()),
    };
    let script = match parser::parse::<wast::Wast>(&buffer) {
        Ok(script) => script,
        Err(error) => return failed(error.to_string()),
    };
    Script { engine, file, text: &text }.run(script.directives, Shared::new())
}

/// A script, as all of its threads see it.
#[derive(Clone, Copy)]
struct Script<'a> {
    engine: &'a Engine,
    file: &'a Path,
    text: &'a str,
}

/// The shared memories that instances of one thread export, which another thread gets.
type Shared = HashMap<String, Vec<(String, SharedMemory)>>;

impl Script<'_> {
    /// Runs directives on the current thread, and those of the script's other threads, which this
    /// waits for.
    fn run(self, directives: Vec<WastDirective>, shared: Shared) -> Tally {
        let mut tally = Tally::default();
        let mut runner = match Runner::new(self.engine, shared) {
            Ok(runner) => runner,
            Err(error) => {
                println!("{}: {error}", self.file.display());
                return Tally { failed: 1, ..tally };
            }
        };
        thread::scope(|scope| {
            let mut threads = HashMap::new();
            for directive in directives {
                let span = directive.span();
                let outcome = match directive {
                    WastDirective::Thread(thread) => {
                        runner.shared_by(thread.shared_module).map(|shared| {
                            let name = thread.name.name().to_owned();
                            threads.insert(
                                name,
                                scope.spawn(move || self.run(thread.directives, shared)),
                            );
                            Outcome::Passed
                        })
                    }
                    WastDirective::Wait { thread, .. } => match threads.remove(thread.name()) {
                        Some(thread) => join(thread, &mut tally),
                        None => Err(format!("no thread {}", thread.name())),
                    },
                    directive => runner.directive(directive),
                };
                self.report(span, outcome, &mut tally);
            }
            for thread in threads.into_values() {
                if let Err(message) = join(thread, &mut tally) {
                    println!("{}: {message}", self.file.display());
                    tally.failed += 1;
                }
            }
        });
        tally
    }

    fn report(self, span: Span, outcome: Checked<Outcome>, tally: &mut Tally) {
        let (line, column) = span.linecol_in(self.text);
        let place = || format!("{}:{}:{}", self.file.display(), line + 1, column + 1);
        match outcome {
            Ok(Outcome::Passed) => tally.passed += 1,
            Ok(Outcome::Skipped(reason)) => {
                tally.skipped += 1;
                println!("{}: skipped: {reason}", place());
            }
            Err(message) => {
                tally.failed += 1;
                println!("{}: {message}", place());
            }
        }
    }
}

/// Waits for a thread of the script, and adds what became of its directives.
fn join(thread: ScopedJoinHandle<Tally>, tally: &mut Tally) -> Checked<Outcome> {
    let theirs = thread.join().map_err(|_| "a thread has panicked".to_owned())?;
    tally.add(theirs);
    Ok(Outcome::Passed)
}

enum Outcome {
    Passed,
    Skipped(&'static str),
}

/// The state of a script.
struct Runner {
    engine: Engine,
    store: Store,
    linker: Linker,
    /// The instance that commands without a name mean.
    current: Option<Instance>,
    instances: HashMap<String, Instance>,
    modules: HashMap<String, Module>,
    latest_module: Option<Module>,
    /// The objects that `ref.extern` names.
    externs: HashMap<u32, ExternRef>,
    /// What stands for the instances of the thread that has started this one.
    shared: Shared,
}

type Checked<T> = Result<T, String>;

impl Runner {
    fn new(engine: &Engine, shared: Shared) -> Result<Runner, Error> {
        let store = Store::new(engine);
        if store.has_fuel() {
            store.set_fuel(i64::MAX as u64).expect("so much is possible");
        }
        let mut linker = Linker::new(&store);
        define_spectest(&mut linker)?;
        Ok(Runner {
            engine: engine.clone(),
            store,
            linker,
            current: None,
            instances: HashMap::new(),
            modules: HashMap::new(),
            latest_module: None,
            externs: HashMap::new(),
            shared,
        })
    }

    fn directive(&mut self, directive: WastDirective) -> Checked<Outcome> {
        match directive {
            WastDirective::Module(mut module) => {
                let name = module.name().map(|id| id.name().to_owned());
                let module = self.compile(&mut module)?.map_err(|e| e.to_string())?;
                let instance = self.instantiate(&module).map_err(|e| e.to_string())?;
                if let Some(name) = &name {
                    self.instances.insert(name.clone(), instance.clone());
                    self.modules.insert(name.clone(), module.clone());
                }
                self.latest_module = Some(module);
                self.current = Some(instance);
            }
            WastDirective::ModuleDefinition(mut module) => {
                let name = module.name().map(|id| id.name().to_owned());
                let module = self.compile(&mut module)?.map_err(|e| e.to_string())?;
                if let Some(name) = name {
                    self.modules.insert(name, module.clone());
                }
                self.latest_module = Some(module);
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                let module = match module {
                    Some(id) => self.modules.get(id.name()),
                    None => self.latest_module.as_ref(),
                };
                let module = module.ok_or("no such module")?.clone();
                let made = self.instantiate(&module).map_err(|e| e.to_string())?;
                if let Some(id) = instance {
                    self.instances.insert(id.name().to_owned(), made.clone());
                }
                self.current = Some(made);
            }
            WastDirective::Register { name, module, .. } => {
                if let Some(memories) = module.and_then(|id| self.shared.get(id.name())) {
                    for (export, memory) in memories {
                        let memory = Memory::from_shared(&self.store, memory);
                        self.linker.define(name, export, memory);
                    }
                    return Ok(Outcome::Passed);
                }
                let instance = self.instance(module)?.clone();
                self.linker.define_instance(name, &instance);
            }
            WastDirective::Invoke(invoke) => {
                self.invoke(invoke)?.map_err(|e| e.to_string())?;
            }
            WastDirective::AssertReturn { exec, results, .. } => {
                let got = self.execute(exec)?.map_err(|e| e.to_string())?;
                if got.len() != results.len() {
                    return Err(format!("expected {} results, got {got:?}", results.len()));
                }
                for (got, wanted) in got.iter().zip(&results) {
                    let WastRet::Core(wanted) = wanted else { return Ok(COMPONENTS) };
                    if !self.matches(got, wanted) {
                        return Err(format!("expected {wanted:?}, got {got:?}"));
                    }
                }
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                expect_trap(self.execute(exec)?, message)?;
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                let result = self.invoke(call)?;
                match expect_trap(result, message)? {
                    Some(TrapCode::StackOverflow) => {}
                    other => return Err(format!("expected exhaustion, got {other:?}")),
                }
            }
            WastDirective::AssertUnlinkable { module, message, .. } => {
                let mut module = QuoteWat::Wat(module);
                let module = self.compile(&mut module)?.map_err(|e| e.to_string())?;
                match self.instantiate(&module) {
                    Ok(_) => return Err(format!("linked; expected '{message}'")),
                    Err(Error::Link { message: got, .. }) if got.contains(message) => {}
                    Err(error) => return Err(format!("expected '{message}', got: {error}")),
                }
            }
            WastDirective::AssertMalformed { mut module, message, .. } => {
                let text = matches!(module, QuoteWat::QuoteModule(..));
                match module.to_test() {
                    Ok(QuoteWatTest::Binary(bytes)) => {
                        if Module::validate(&self.engine, &bytes).is_ok() {
                            return Err(format!("is well-formed; expected '{message}'"));
                        }
                    }
                    // Text that is wrong as text.
                    Ok(QuoteWatTest::Text(text)) => {
                        if Module::from_text(&self.engine, &text).is_ok() {
                            return Err(format!("is well-formed; expected '{message}'"));
                        }
                    }
                    Err(_) if text => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
            WastDirective::AssertInvalid { mut module, message, .. } => {
                let Ok(bytes) = module.encode() else { return Ok(Outcome::Passed) };
                if Module::validate(&self.engine, &bytes).is_ok() {
                    return Err(format!("is valid; expected '{message}'"));
                }
            }
            WastDirective::AssertMalformedCustom { .. }
            | WastDirective::AssertInvalidCustom { .. } => {
                return Ok(Outcome::Skipped("custom sections never make a module invalid"));
            }
            WastDirective::AssertException { exec, .. } => match self.execute(exec)? {
                Err(Error::Trap(trap)) if trap.exception().is_some() => {}
                Err(error) => return Err(format!("expected an exception, got: {error}")),
                Ok(values) => return Err(format!("expected an exception, got {values:?}")),
            },
            WastDirective::AssertSuspension { .. } => {
                return Ok(Outcome::Skipped("stack switching is not supported"));
            }
            WastDirective::Thread(_) | WastDirective::Wait { .. } => {
                unreachable!("threads are the script's business")
            }
        }
        Ok(Outcome::Passed)
    }

    /// The module; the outer error is the script's.
    fn compile(&self, module: &mut QuoteWat) -> Checked<Result<Module, Error>> {
        let bytes = module.encode().map_err(|e| e.to_string())?;
        Ok(Module::new(&self.engine, &bytes))
    }

    fn instantiate(&self, module: &Module) -> Result<Instance, Error> {
        self.linker.instantiate(module)
    }

    fn instance(&self, name: Option<Id>) -> Checked<&Instance> {
        match name {
            Some(id) => self.instances.get(id.name()).ok_or(format!("no instance {}", id.name())),
            None => self.current.as_ref().ok_or("no instance yet".to_owned()),
        }
    }

    /// The shared memories that an instance exports, under its name.
    fn shared_by(&self, id: Option<Id>) -> Checked<Shared> {
        let Some(id) = id else { return Ok(Shared::new()) };
        let exports = self.instance(Some(id))?.exports();
        let memories = exports.filter_map(|(name, export)| match export {
            Extern::Memory(memory) => Some((name.to_owned(), memory.shared()?)),
            _ => None,
        });
        Ok(Shared::from([(id.name().to_owned(), memories.collect())]))
    }

    /// Runs an action; the outer error is the script's.
    fn execute(&mut self, execute: WastExecute) -> Checked<Result<Vec<Val>, Error>> {
        match execute {
            WastExecute::Invoke(invoke) => self.invoke(invoke),
            WastExecute::Wat(module) => {
                let module = self.compile(&mut QuoteWat::Wat(module))?;
                Ok(module.and_then(|module| self.instantiate(&module)).map(|_| Vec::new()))
            }
            WastExecute::Get { module, global, .. } => {
                match self.instance(module)?.export(global) {
                    Some(Extern::Global(global)) => Ok(Ok(vec![global.get()])),
                    _ => Err(format!("no global '{global}'")),
                }
            }
        }
    }

    fn invoke(&mut self, invoke: WastInvoke) -> Checked<Result<Vec<Val>, Error>> {
        let args: Checked<Vec<Val>> = invoke
            .args
            .iter()
            .map(|arg| match arg {
                WastArg::Core(arg) => self.argument(arg),
                _ => Err("components are not supported".to_owned()),
            })
            .collect();
        let func = self.instance(invoke.module)?.func(invoke.name);
        let func = func.ok_or_else(|| format!("no function '{}'", invoke.name))?;
        Ok(func.call(&args?))
    }

    fn argument(&mut self, arg: &WastArgCore) -> Checked<Val> {
        Ok(match arg {
            WastArgCore::I32(value) => Val::I32(*value),
            WastArgCore::I64(value) => Val::I64(*value),
            WastArgCore::F32(value) => Val::F32(f32::from_bits(value.bits)),
            WastArgCore::F64(value) => Val::F64(f64::from_bits(value.bits)),
            WastArgCore::V128(value) => Val::V128(u128::from_le_bytes(value.to_le_bytes())),
            WastArgCore::RefNull(ty) => match ty {
                wast::core::HeapType::Abstract { ty, .. } => match ty {
                    AbstractHeapType::Func | AbstractHeapType::NoFunc => Val::FuncRef(None),
                    AbstractHeapType::Extern | AbstractHeapType::NoExtern => Val::ExternRef(None),
                    AbstractHeapType::Exn | AbstractHeapType::NoExn => Val::ExnRef(None),
                    _ => Val::AnyRef(None),
                },
                other => return Err(format!("argument ref.null {other:?}")),
            },
            WastArgCore::RefExtern(number) => Val::ExternRef(Some(self.host_object(*number))),
            WastArgCore::RefHost(number) => Val::AnyRef(Some(self.host_object(*number))),
        })
    }

    /// The object that scripts know by this number.
    fn host_object(&mut self, number: u32) -> Handle {
        let store = &self.store;
        let object = self.externs.entry(number).or_insert_with(|| ExternRef::new(store, number));
        object.handle().clone()
    }

    fn matches(&self, got: &Val, wanted: &WastRetCore) -> bool {
        match (got, wanted) {
            (Val::I32(got), WastRetCore::I32(wanted)) => got == wanted,
            (Val::I64(got), WastRetCore::I64(wanted)) => got == wanted,
            (Val::F32(got), WastRetCore::F32(wanted)) => f32_matches(got.to_bits(), wanted),
            (Val::F64(got), WastRetCore::F64(wanted)) => f64_matches(got.to_bits(), wanted),
            (Val::V128(got), WastRetCore::V128(wanted)) => v128_matches(*got, wanted),
            (Val::FuncRef(None), WastRetCore::RefNull(ty)) => is_null(ty, Family::Func),
            (Val::ExternRef(None), WastRetCore::RefNull(ty)) => is_null(ty, Family::Extern),
            (Val::AnyRef(None), WastRetCore::RefNull(ty)) => is_null(ty, Family::Any),
            (Val::ExnRef(None), WastRetCore::RefNull(ty)) => is_null(ty, Family::Exn),
            (Val::ExternRef(Some(_)), WastRetCore::RefExtern(None))
            | (Val::AnyRef(Some(_)), WastRetCore::RefAny)
            | (Val::FuncRef(Some(_)), WastRetCore::RefFunc(None)) => true,
            (Val::ExternRef(Some(got)), WastRetCore::RefExtern(Some(wanted)))
            | (Val::AnyRef(Some(got)), WastRetCore::RefHost(wanted)) => {
                self.externs.get(wanted).is_some_and(|object| object.handle().is(got))
            }
            (Val::AnyRef(Some(_)), WastRetCore::RefEq) => got.as_object().is_some(),
            (Val::AnyRef(Some(_)), WastRetCore::RefI31 | WastRetCore::RefI31Shared) => {
                got.as_object().is_some_and(|object| object.as_i31().is_some())
            }
            (Val::AnyRef(Some(_)), WastRetCore::RefStruct) => got
                .as_object()
                .is_some_and(|object| matches!(object.heap_type(), HeapType::ConcreteStruct(_))),
            (Val::AnyRef(Some(_)), WastRetCore::RefArray) => got
                .as_object()
                .is_some_and(|object| matches!(object.heap_type(), HeapType::ConcreteArray(_))),
            (got, WastRetCore::Either(options)) => {
                options.iter().any(|option| self.matches(got, option))
            }
            _ => false,
        }
    }
}

const COMPONENTS: Outcome = Outcome::Skipped("components are not supported");

fn expect_trap(result: Result<Vec<Val>, Error>, message: &str) -> Checked<Option<TrapCode>> {
    match result {
        Ok(values) => Err(format!("expected trap '{message}', got {values:?}")),
        Err(Error::Trap(trap)) => {
            let got = trap.to_string();
            if got.starts_with(message)
                || message.starts_with(&got)
                || is_about_null(message, &trap)
            {
                return Ok(trap.code());
            }
            Err(format!("expected trap '{message}', got '{got}'"))
        }
        Err(error) => Err(format!("expected trap '{message}', got: {error}")),
    }
}

/// Whether the message is that of a trap for null, which says what kind of reference it was.
fn is_about_null(message: &str, trap: &Trap) -> bool {
    let is_null = message.starts_with("null ") && message.ends_with(" reference");
    is_null && trap.code() == Some(TrapCode::NullReference)
}

fn is_null(wanted: &Option<wast::core::HeapType>, got: Family) -> bool {
    use AbstractHeapType as A;
    match wanted {
        None => true,
        Some(wast::core::HeapType::Abstract { ty, .. }) => match ty {
            A::Func | A::NoFunc => got == Family::Func,
            A::Extern | A::NoExtern => got == Family::Extern,
            A::Exn | A::NoExn => got == Family::Exn,
            A::Any | A::None | A::Eq | A::I31 | A::Struct | A::Array => got == Family::Any,
            A::Cont | A::NoCont => false,
        },
        Some(_) => matches!(got, Family::Func | Family::Any),
    }
}

fn f32_matches(got: u32, wanted: &NanPattern<F32>) -> bool {
    const QUIET: u32 = 0x7fc0_0000;
    match wanted {
        NanPattern::CanonicalNan => got & 0x7fff_ffff == QUIET,
        NanPattern::ArithmeticNan => got & QUIET == QUIET,
        NanPattern::Value(wanted) => got == wanted.bits,
    }
}

fn f64_matches(got: u64, wanted: &NanPattern<F64>) -> bool {
    const QUIET: u64 = 0x7ff8_0000_0000_0000;
    match wanted {
        NanPattern::CanonicalNan => got & 0x7fff_ffff_ffff_ffff == QUIET,
        NanPattern::ArithmeticNan => got & QUIET == QUIET,
        NanPattern::Value(wanted) => got == wanted.bits,
    }
}

fn v128_matches(got: u128, wanted: &V128Pattern) -> bool {
    let lane = |width: usize, index: usize| (got >> (width * index)) as u64;
    let mut lanes: Box<dyn Iterator<Item = bool>> = match wanted {
        V128Pattern::I8x16(w) => {
            Box::new(w.iter().enumerate().map(|(i, w)| lane(8, i) as i8 == *w))
        }
        V128Pattern::I16x8(w) => {
            Box::new(w.iter().enumerate().map(|(i, w)| lane(16, i) as i16 == *w))
        }
        V128Pattern::I32x4(w) => {
            Box::new(w.iter().enumerate().map(|(i, w)| lane(32, i) as i32 == *w))
        }
        V128Pattern::I64x2(w) => {
            Box::new(w.iter().enumerate().map(|(i, w)| lane(64, i) as i64 == *w))
        }
        V128Pattern::F32x4(w) => {
            Box::new(w.iter().enumerate().map(|(i, w)| f32_matches(lane(32, i) as u32, w)))
        }
        V128Pattern::F64x2(w) => {
            Box::new(w.iter().enumerate().map(|(i, w)| f64_matches(lane(64, i), w)))
        }
    };
    lanes.all(|matches| matches)
}

/// The module `spectest` that scripts may import from.
fn define_spectest(linker: &mut Linker) -> Result<(), Error> {
    const MODULE: &str = "spectest";
    let store = linker.store().clone();
    let prints: [(&str, &[ValType]); 7] = [
        ("print", &[]),
        ("print_i32", &[ValType::I32]),
        ("print_i64", &[ValType::I64]),
        ("print_f32", &[ValType::F32]),
        ("print_f64", &[ValType::F64]),
        ("print_i32_f32", &[ValType::I32, ValType::F32]),
        ("print_f64_f64", &[ValType::F64, ValType::F64]),
    ];
    for (name, params) in prints {
        let ty = FuncType::new(params.iter().copied(), []);
        let print = Func::new(&store, ty, |_, _, _| -> Result<(), Trap> { Ok(()) })?;
        linker.define(MODULE, name, print);
    }
    for (name, value) in [
        ("global_i32", Val::I32(666)),
        ("global_i64", Val::I64(666)),
        ("global_f32", Val::F32(666.6)),
        ("global_f64", Val::F64(666.6)),
    ] {
        let ty = GlobalType { content: value.ty(), mutable: false };
        linker.define(MODULE, name, Global::new(&store, ty, &value)?);
    }
    let limits = Limits { min: 10, max: Some(20) };
    let ty = TableType::new(RefType::FUNC, limits);
    linker.define(MODULE, "table", Table::new(&store, ty, &Val::FuncRef(None))?);
    let ty = TableType { address: AddressType::I64, ..ty };
    linker.define(MODULE, "table64", Table::new(&store, ty, &Val::FuncRef(None))?);
    let ty = MemoryType::new(Limits { min: 1, max: Some(2) });
    linker.define(MODULE, "memory", Memory::new(&store, ty)?);
    let ty = MemoryType { shared: true, ..ty };
    linker.define(MODULE, "shared_memory", Memory::new(&store, ty)?);
    Ok(())
}
