//! `tenon run`: runs a program.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tenon::wasi::{self, Exit, Wasi};
use tenon::{Error, Func, Instance, Linker, Module, Store, Trap, Val, ValType};

use crate::{EngineArgs, Failure, input};

/// The exit code for a trap: that of a program that a shell has seen abort.
const TRAPPED: u8 = 134;

/// Run a WebAssembly program.
#[derive(Args)]
pub struct Run {
    /// Give the program a directory, under a name of its own after `::`.
    #[arg(long = "dir", value_name = "HOST[::GUEST]", value_parser = parse_dir)]
    dirs: Vec<(PathBuf, String)>,
    /// Set a variable of the program's environment.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = parse_variable)]
    env: Vec<(String, String)>,
    /// Let the program accept connections on this address; its descriptor follows those of the
    /// directories. With port 0 the system chooses the port, and standard error names it.
    #[arg(long = "tcplisten", value_name = "ADDRESS:PORT")]
    listeners: Vec<String>,
    /// Let the program reach this over the network: connect and send to it, bind to it, look it
    /// up. HOST is an address, a block ADDRESS/BITS, a name, or *; PORT a number, a range
    /// FIRST-LAST, or *.
    #[arg(long = "allow-net", value_name = "HOST:PORT")]
    nets: Vec<String>,
    /// Call this exported function instead of the program's start, with the arguments as its
    /// parameters, and print its results.
    #[arg(long, value_name = "FUNCTION")]
    invoke: Option<String>,
    #[command(flatten)]
    engine: EngineArgs,
    /// The program (.wasm, .wat or .tenon).
    file: PathBuf,
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

fn parse_dir(arg: &str) -> Result<(PathBuf, String), String> {
    let (host, guest) = arg.split_once("::").unwrap_or((arg, arg));
    if host.is_empty() || guest.is_empty() {
        return Err("a directory without a name".to_owned());
    }
    Ok((host.into(), guest.to_owned()))
}

fn parse_variable(arg: &str) -> Result<(String, String), String> {
    let (name, value) = arg.split_once('=').ok_or("a variable is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Run {
    pub fn run(self) -> Result<ExitCode, Failure> {
        let engine = self.engine.engine()?;
        let module = input::load(&engine, &self.file)?;
        let store = Store::new(&engine);
        let mut linker = Linker::new(&store);
        Wasi::new(self.wasi_config()?).define_for(&mut linker, &module)?;
        refuse_unknown(&linker, &module)?;
        match self.execute(&linker, &module) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(Failure::Error(Error::Trap(trap))) => Ok(end_of(&trap)),
            Err(failure) => Err(failure),
        }
    }

    fn wasi_config(&self) -> Result<wasi::Config, Failure> {
        let mut config = wasi::Config::new();
        config.inherit_stdin().inherit_stdout().inherit_stderr();
        config.arg(self.file.to_string_lossy().into_owned());
        if self.invoke.is_none() {
            for arg in &self.args {
                config.arg(arg.as_str());
            }
        }
        for (name, value) in &self.env {
            config.env(name.as_str(), value.as_str());
        }
        for (host, guest) in &self.dirs {
            if let Err(error) = config.dir(host, guest.as_str(), true) {
                return Err(Failure::from(format!("{}: {error}", host.display())));
            }
        }
        for address in &self.listeners {
            match config.tcp_listen(address) {
                Ok(local) if address.ends_with(":0") => eprintln!("listening on {local}"),
                Ok(_) => {}
                Err(error) => return Err(Failure::from(format!("{address}: {error}"))),
            }
        }
        for grant in &self.nets {
            config.allow_net(grant).map_err(|error| Failure::from(error.to_string()))?;
        }
        Ok(config)
    }

    fn execute(&self, linker: &Linker, module: &Module) -> Result<(), Failure> {
        let instance = linker.instantiate(module)?;
        let Some(name) = &self.invoke else {
            let Some(start) = instance.func("_start") else {
                return Err(no_start(&instance));
            };
            start.call(&[])?;
            return Ok(());
        };
        let Some(func) = instance.func(name) else {
            return Err(Failure::from(format!("the module exports no function named `{name}`")));
        };
        let args = arguments(&func, &self.args)?;
        if let Some(initialize) = instance.func("_initialize") {
            initialize.call(&[])?;
        }
        for result in func.call(&args)? {
            println!("{}", text(&result));
        }
        Ok(())
    }
}

/// Refuses a module that imports what has no name here; names all of that.
fn refuse_unknown(linker: &Linker, module: &Module) -> Result<(), Failure> {
    let missing = linker.missing(module);
    if missing.is_empty() {
        return Ok(());
    }
    let lines = missing.iter().map(|i| format!("\n  {}.{}: {}", i.module, i.name, i.ty));
    let lines: String = lines.collect();
    Err(Failure::from(format!("the module imports what is not there:{lines}")))
}

fn no_start(instance: &Instance) -> Failure {
    let funcs = instance.exports().filter(|(name, _)| instance.func(name).is_some());
    let names: Vec<_> = funcs.map(|(name, _)| format!("`{name}`")).collect();
    let choice = match names.len() {
        0 => "no function at all".to_owned(),
        1..=8 => format!("what `--invoke` can call is {}", names.join(", ")),
        count => format!("`--invoke` can call one of its {count} functions"),
    };
    Failure::from(format!("the module exports no function named `_start`; {choice}"))
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

/// Arguments for a function, each of its parameter's type.
fn arguments(func: &Func, args: &[String]) -> Result<Vec<Val>, Failure> {
    let params = func.ty().params();
    if params.len() != args.len() {
        let message = format!("the function is {}; got {} arguments", func.ty(), args.len());
        return Err(Failure::from(message));
    }
    params.iter().zip(args).map(|(ty, arg)| argument(*ty, arg)).collect()
}

fn argument(ty: ValType, arg: &str) -> Result<Val, Failure> {
    let value = match ty {
        ValType::I32 => integer(arg).and_then(|value| {
            let unsigned = u32::try_from(value).map(u32::cast_signed);
            unsigned.or_else(|_| i32::try_from(value)).ok().map(Val::I32)
        }),
        ValType::I64 => integer(arg).and_then(|value| {
            let unsigned = u64::try_from(value).map(u64::cast_signed);
            unsigned.or_else(|_| i64::try_from(value)).ok().map(Val::I64)
        }),
        ValType::F32 => arg.parse().ok().map(Val::F32),
        ValType::F64 => arg.parse().ok().map(Val::F64),
        ValType::V128 => integer(arg).map(|value| Val::V128(value.cast_unsigned())),
        ValType::Ref(_) if arg == "null" => Some(Val::default(ty)),
        ValType::Ref(_) => None,
    };
    value.ok_or_else(|| Failure::from(format!("`{arg}` is no value of type {ty}")))
}

/// A decimal integer, or a hexadecimal one after `0x`.
fn integer(arg: &str) -> Option<i128> {
    let (negative, digits) = match arg.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, arg),
    };
    let value = match digits.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16).ok()?.cast_signed(),
        None => digits.parse().ok()?,
    };
    if negative { value.checked_neg() } else { Some(value) }
}

fn text(value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(value) => value.to_string(),
        Val::F64(value) => value.to_string(),
        Val::V128(value) => format!("{value:#034x}"),
        Val::FuncRef(None) | Val::ExternRef(None) => "null".to_owned(),
        Val::FuncRef(Some(func)) => format!("funcref {}", func.ty()),
        Val::ExternRef(Some(_)) => "externref".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_signed_or_unsigned() {
        assert_eq!(integer("-0x10"), Some(-16));
        assert_eq!(integer("18446744073709551615"), Some(u64::MAX.into()));
        assert_eq!(integer("--1"), None);
        assert!(matches!(argument(ValType::I32, "4294967295"), Ok(Val::I32(-1))));
        assert!(matches!(argument(ValType::I32, "-2147483648"), Ok(Val::I32(i32::MIN))));
        assert!(argument(ValType::I32, "4294967296").is_err());
    }

    #[test]
    fn directories_may_have_two_names() {
        assert_eq!(parse_dir("a"), Ok(("a".into(), "a".to_owned())));
        assert_eq!(parse_dir("a::/b"), Ok(("a".into(), "/b".to_owned())));
        assert!(parse_dir("::b").is_err());
    }
}
