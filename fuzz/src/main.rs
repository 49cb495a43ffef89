//! Differential fuzzing of Tenon: random modules run on it and on another engine, or in its own
//! modes, and have to show the same. See the section on fuzzing in `CONTRIBUTING.md`.

mod around;
mod bytes;
mod campaign;
mod case;
mod engines;
mod generate;
mod options;
mod outcome;
mod peers;
mod rng;
mod shape;
mod sizes;

use std::process::ExitCode;

use options::{Command, Options};

/// Stack of the thread that runs modules: more than engines are told to use.
const STACK: usize = 64 << 20;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let run = move || match &options.command {
        Command::Run => campaign::run(&options),
        Command::Worker => campaign::work(&options),
        Command::Seed(seed) => campaign::one(&options, *seed),
        Command::File(path) => campaign::file(&options, path),
        Command::Alone(seed) => campaign::alone(&options, *seed),
        Command::Write(seed) => campaign::write_module(&options, *seed),
        Command::Sizes => sizes::run(&options),
        Command::Size(shape, size) => sizes::one(&options, *shape, *size),
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(true))) => ExitCode::SUCCESS,
        Ok(Ok(Err(message))) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
        _ => ExitCode::FAILURE,
    }
}
