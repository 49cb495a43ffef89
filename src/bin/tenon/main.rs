//! The command line of Tenon.

#![forbid(unsafe_code)]

mod wast;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tenon::{Compilation, Config, Engine};

/// Runs WebAssembly.
#[derive(Parser)]
#[command(name = "tenon", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Wast(wast::Wast),
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
    fn engine(&self) -> Result<Engine, tenon::Error> {
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
    match Cli::parse().command {
        Command::Wast(args) => args.run(),
    }
}
