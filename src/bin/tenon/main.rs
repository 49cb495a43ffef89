//! The command line of Tenon.

#![deny(unsafe_code)]

mod cache;
mod compile;
mod grants;
mod inspect;
mod invoke;
mod limits;
mod manual;
mod package;
mod program;
mod progress;
mod run;
mod source;
mod standalone;
mod validate;
mod wast;

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};
use tenon::{Compilation, Config, Engine, Error, Feature, Features};

use progress::Progress;

const EXAMPLES: &str = "\
Examples:
  tenon run program.wasm one two            run a WASI program with two arguments
  tenon run --dir data::/data program.wasm  let it use a directory, as /data
  tenon run --invoke add math.wat 20 22     call one function and print its result
  tenon compile --exe program.wasm -o app   make an executable that needs nothing else
  tenon inspect program.wasm                what it imports, exports and needs

A program gets no directory, no variable and no network that is not given to it.
`tenon help COMMAND` tells about a command.";

/// Run WebAssembly programs.
#[derive(Parser)]
#[command(name = "tenon", version, after_help = EXAMPLES, subcommand_value_name = "COMMAND")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Compile(compile::Compile),
    Validate(validate::Validate),
    Inspect(inspect::Inspect),
    Cache(cache::Command),
    Wast(wast::Wast),
    Completions(manual::Completions),
    Man(manual::Man),
}

/// Why a command has failed.
#[derive(Debug)]
enum Failure {
    /// An error of the library.
    Error(Error),
    /// Anything else.
    Message(String),
    /// Something that the user has been told already.
    Reported,
}

impl Failure {
    /// What is wrong with a file.
    fn at(path: &Path, error: impl Display) -> Failure {
        Failure::Message(format!("{}: {error}", path.display()))
    }

    /// Tells the user.
    fn report(&self) {
        match self {
            Failure::Error(error) => say(format_args!("error: {error}")),
            Failure::Message(message) => say(format_args!("error: {message}")),
            Failure::Reported => {}
        }
    }
}

/// Writes a line to standard error. If that is closed, nobody is left to hear it.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes to standard output. When its reader is gone, that is the end, without a word.
fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    let written = out.write_all(text.as_ref()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::Reported,
        _ => Failure::from(format!("standard output: {error}")),
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Error(error)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure::Message(message)
    }
}

/// Settings of the engine.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[command(next_help_heading = "Engine")]
struct EngineArgs {
    /// Check every condition that traps by code instead of by hardware faults.
    #[arg(long)]
    explicit_checks: bool,
    /// Bytes of address space to reserve for each memory; below 4 GiB accesses are checked.
    #[arg(long, value_name = "BYTES")]
    memory_reservation: Option<u64>,
    /// When to compile functions; but for `eager`, the cache is not used then.
    #[arg(long, value_name = "WHEN", value_enum)]
    compilation: Option<When>,
    /// Compile each function when it is called for the first time: --compilation=lazy.
    #[arg(long, conflicts_with = "compilation")]
    lazy: bool,
    /// After how many calls and turns of loops a function is optimized; 0: at once.
    #[arg(long, value_name = "COUNT")]
    tier_up_after: Option<u32>,
    /// Let code look for interrupts; `--timeout` implies it.
    #[arg(long)]
    interruptible: bool,
    /// Let code count what it executes; `--fuel` implies it.
    #[arg(long)]
    metered: bool,
    /// Free what nothing reaches before each allocation on the heap, which is slow; for finding
    /// references that the engine has lost.
    #[arg(long)]
    collect_always: bool,
    /// Give relaxed vector instructions the same results on every machine.
    #[arg(long)]
    relaxed_simd_deterministic: bool,
    /// Use only what every supported processor has, for code that is to run on others.
    #[arg(long)]
    baseline_cpu: bool,
    #[arg(long = "feature", value_name = "NAME=on|off", help = feature_help())]
    features: Vec<String>,
}

/// Names of [`Compilation`].
#[derive(clap::ValueEnum, Clone, Copy, Debug, Serialize, Deserialize)]
enum When {
    /// Small modules at once, others ahead.
    Adaptive,
    /// All before the program starts.
    Eager,
    /// Each when it is called for the first time.
    Lazy,
    /// As lazy, while threads compile what functions call.
    Ahead,
}

impl EngineArgs {
    /// When functions are to be compiled, if the user has said so.
    fn compilation(&self) -> Option<Compilation> {
        let when = self.compilation.map(|when| match when {
            When::Adaptive => Compilation::Adaptive,
            When::Eager => Compilation::Eager,
            When::Lazy => Compilation::Lazy,
            When::Ahead => Compilation::Ahead,
        });
        when.or(self.lazy.then_some(Compilation::Lazy))
    }

    /// These settings, which compile everything at once unless the user has said otherwise.
    fn or_eager(&self) -> EngineArgs {
        let compilation = if self.lazy { None } else { self.compilation.or(Some(When::Eager)) };
        EngineArgs { compilation, ..self.clone() }
    }

    /// The engine with these settings.
    fn engine(&self) -> Result<Engine, Error> {
        Engine::new(&self.config()?)
    }

    /// The engine with these settings; it shows on a terminal how far compilation is.
    fn engine_with_progress(&self) -> Result<(Engine, Progress), Error> {
        let mut config = self.config()?;
        let progress = Progress::watch(&mut config);
        Ok((Engine::new(&config)?, progress))
    }

    fn config(&self) -> Result<Config, Error> {
        let mut config = Config::new();
        config.explicit_checks(self.explicit_checks);
        config.interruptible(self.interruptible).fuel(self.metered);
        config.collect_always(self.collect_always);
        if let Some(bytes) = self.memory_reservation {
            config.memory_reservation(bytes);
        }
        if let Some(when) = self.compilation() {
            config.compilation(when);
        }
        if let Some(count) = self.tier_up_after {
            config.tier_up_after(count);
        }
        config.relaxed_simd_deterministic(self.relaxed_simd_deterministic);
        config.baseline_cpu(self.baseline_cpu);
        // Compiled files are run on other machines too, and shown and validated.
        config.serialize_source(true);
        for feature in &self.features {
            let (name, on) = match feature.split_once('=') {
                None | Some((_, "on")) => (feature.trim_end_matches("=on"), true),
                Some((name, "off")) => (name, false),
                Some((name, other)) => {
                    let message = format!("the feature '{name}' can be on or off, not '{other}'");
                    return Err(Error::Config(message));
                }
            };
            config.feature_by_name(name, on)?;
        }
        Ok(config)
    }
}

/// The help of `--feature`, which has the names of all features.
fn feature_help() -> String {
    let defaults = Features::default();
    let names = |on| {
        let these = Feature::ALL.iter().filter(move |feature| defaults.has(**feature) == on);
        these.map(|feature| feature.name()).collect::<Vec<_>>().join(", ")
    };
    format!(
        "Switch a WebAssembly feature on or off. On by default: {}. Off by default: {}",
        names(true),
        names(false)
    )
}

fn main() -> ExitCode {
    let ended = match standalone::attached() {
        Ok(Some(program)) => program.run(),
        Ok(None) => command(Cli::parse().command),
        Err(failure) => Err(failure),
    };
    ended.unwrap_or_else(|failure| {
        failure.report();
        ExitCode::FAILURE
    })
}

fn command(command: Command) -> Result<ExitCode, Failure> {
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Run(args) => args.run(),
        Command::Compile(args) => args.run().map(done),
        Command::Validate(args) => args.run().map(done),
        Command::Inspect(args) => args.run().map(done),
        Command::Cache(args) => args.run().map(done),
        Command::Wast(args) => args.run(),
        Command::Completions(args) => args.run().map(done),
        Command::Man(args) => args.run().map(done),
    }
}
