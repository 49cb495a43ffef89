//! A program, ready to run.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use tenon::wasi::{self, Exit, Wasi, emscripten};
use tenon::{Engine, Error, Instance, Linker, Module, Store, Trap};

use crate::Failure;
use crate::grants::Grants;
use crate::invoke::invoke;
use crate::limits::Limits;

/// The exit code for a trap: that of a program that a shell has seen abort.
const TRAPPED: u8 = 134;

/// A module, and what it is run with.
pub struct Program {
    pub module: Module,
    /// The program's own name, unless the grants have another.
    pub name: String,
    pub args: Vec<OsString>,
    pub grants: Grants,
    pub limits: Limits,
}

impl Program {
    /// Runs it to its end; the exit code is the program's.
    pub fn run(&self, engine: &Engine) -> Result<ExitCode, Failure> {
        let (wasi, linker) = self.linker(engine, &self.args)?;
        ended((|| {
            let instance = linker.instantiate(&self.module)?;
            if emscripten::has_main(&self.module) {
                return Ok(emscripten::start(&wasi, &instance)?);
            }
            let start = instance.func("_start").ok_or_else(|| no_start(&instance))?;
            start.call(&[])?;
            Ok(())
        })())
    }

    /// Calls one exported function with the arguments as its parameters, and prints its results.
    pub fn invoke(&self, engine: &Engine, name: &str) -> Result<ExitCode, Failure> {
        let text = |arg: &OsString| arg.clone().into_string();
        let args: Result<Vec<_>, _> = self.args.iter().map(text).collect();
        let args = args.map_err(|arg| Failure::from(format!("{} is no value", arg.display())))?;
        let (_wasi, linker) = self.linker(engine, &[])?;
        ended(
            linker
                .instantiate(&self.module)
                .map_err(Failure::from)
                .and_then(|instance| invoke(&instance, name, &args)),
        )
    }

    /// What the module can import.
    fn linker(&self, engine: &Engine, args: &[OsString]) -> Result<(Wasi, Linker), Failure> {
        let config = self.grants.wasi_config(&self.name, args)?;
        let (wasi, linker) = linker(engine, &self.module, config)?;
        refuse_unknown(&linker, &self.module)?;
        self.limits.set(linker.store())?;
        Ok((wasi, linker))
    }
}

fn linker(engine: &Engine, module: &Module, config: wasi::Config) -> Result<(Wasi, Linker), Error> {
    let mut linker = Linker::new(&Store::new(engine));
    let wasi = Wasi::new(config);
    wasi.define(&mut linker)?;
    wasi.define_emscripten(&mut linker, module)?;
    Ok((wasi, linker))
}

/// What a program can import, with nothing behind it.
pub fn provided(engine: &Engine, module: &Module) -> Result<Linker, Error> {
    Ok(linker(engine, module, wasi::Config::new())?.1)
}

fn ended(outcome: Result<(), Failure>) -> Result<ExitCode, Failure> {
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Failure::Error(Error::Trap(trap))) => Ok(end_of(&trap)),
        Err(failure) => Err(failure),
    }
}

/// Modules that other tools are meant to run: what they import from, and what that says.
const FOREIGN: [(&str, &str); 6] = [
    ("__wbindgen_", "it is made by wasm-bindgen for a JavaScript host"),
    ("./", "it is made for a JavaScript host"),
    ("gojs", "it is made by Go for a JavaScript host; build with GOOS=wasip1"),
    ("wasix_", "it needs WASIX"),
    ("wasi:", "it is part of a component; build for the target wasm32-wasip1"),
    ("a", "it is made by Emscripten with short names; link with -sSTANDALONE_WASM, or with -O1"),
];

/// Refuses a module that imports what has no name here; names all of that.
pub fn refuse_unknown(linker: &Linker, module: &Module) -> Result<(), Failure> {
    let missing = linker.missing(module);
    if missing.is_empty() {
        return Ok(());
    }
    let lines = missing.iter().map(|i| format!("\n  {}.{}: {}", i.module, i.name, i.ty));
    let lines: String = lines.collect();
    let hint = if module.custom_sections("linking").next().is_some() {
        Some("it is an object file: link it with wasm-ld first")
    } else {
        let meant = |(start, _): &&(&str, &str)| {
            // One letter is a name that minifying has left, and no prefix.
            let from = |name: &str| name == *start || (start.len() > 1 && name.starts_with(start));
            missing.iter().any(|import| from(import.module))
        };
        FOREIGN.iter().find(meant).map(|(_, hint)| *hint)
    };
    let hint = hint.map(|hint| format!("\n{hint}")).unwrap_or_default();
    Err(Failure::from(format!("the module imports what is not there:{lines}{hint}")))
}

fn no_start(instance: &Instance) -> Failure {
    let funcs = instance.exports().filter(|(name, _)| instance.func(name).is_some());
    let names: Vec<_> = funcs.map(|(name, _)| format!("`{name}`")).collect();
    let choice = match names.len() {
        0 => "no function at all".to_owned(),
        1..=8 => format!("what `--invoke` can call is {}", names.join(", ")),
        count => format!("`--invoke` can call one of its {count} functions"),
    };
    let library = match instance.func("_initialize") {
        Some(_) => "; it is a library (a WASI reactor), not a program",
        None => "",
    };
    let message = format!("the module exports no function named `_start`{library}; {choice}");
    Failure::from(message)
}

/// The exit code for execution that a trap has ended. Says what has happened, unless the program
/// has asked for its end.
fn end_of(trap: &Trap) -> ExitCode {
    if let Some(Exit(status)) = Exit::of(trap) {
        // As for any process, the system keeps the lowest eight bits.
        return ExitCode::from(status.to_le_bytes()[0]);
    }
    let mut err = std::io::stderr().lock();
    // Nobody is left to hear that standard error is closed.
    let _ = writeln!(err, "trap: {trap}");
    for (i, frame) in trap.frames().iter().enumerate() {
        let _ = writeln!(err, "{i:>5}: {frame}");
    }
    ExitCode::from(TRAPPED)
}
