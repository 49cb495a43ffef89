//! The command line of Tenon.

#![deny(unsafe_code)]

mod compile;
mod input;
mod inspect;
mod run;
mod validate;
mod wast;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tenon::{Compilation, Config, Engine, Error};

/// Run WebAssembly programs.
#[derive(Parser)]
#[command(name = "tenon", version)]
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
    Wast(wast::Wast),
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
    /// Tells the user.
    fn report(&self) {
        match self {
            Failure::Error(error) => eprintln!("error: {error}"),
            Failure::Message(message) => eprintln!("error: {message}"),
            Failure::Reported => {}
        }
    }
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
#[derive(Args, Clone, Debug)]
struct EngineArgs {
    /// Check every condition that traps by code instead of by hardware faults.
    #[arg(long)]
    explicit_checks: bool,
    /// Bytes of address space to reserve for each memory; below 4 GiB accesses are checked.
    #[arg(long, value_name = "BYTES")]
    memory_reservation: Option<u64>,
    /// Compile each function when it is called for the first time.
    #[arg(long)]
    lazy: bool,
    /// Switch a feature on (NAME) or off (NAME=off).
    #[arg(long = "feature", value_name = "NAME[=off]")]
    features: Vec<String>,
}

impl EngineArgs {
    /// The engine with these settings.
    fn engine(&self) -> Result<Engine, Error> {
        let mut config = Config::new();
        config.explicit_checks(self.explicit_checks);
        if let Some(bytes) = self.memory_reservation {
            config.memory_reservation(bytes);
        }
        if self.lazy {
            config.compilation(Compilation::Lazy);
        }
        for feature in &self.features {
            let (name, on) = match feature.strip_suffix("=off") {
                Some(name) => (name, false),
                None => (feature.as_str(), true),
            };
            config.feature_by_name(name, on)?;
        }
        Engine::new(&config)
    }
}

fn main() -> ExitCode {
    let done = |()| ExitCode::SUCCESS;
    let ended = match Cli::parse().command {
        Command::Run(args) => args.run(),
        Command::Compile(args) => args.run().map(done),
        Command::Validate(args) => args.run().map(done),
        Command::Inspect(args) => args.run().map(done),
        Command::Wast(args) => args.run(),
    };
    ended.unwrap_or_else(|failure| {
        failure.report();
        ExitCode::FAILURE
    })
}
