//! `tenon validate`: tells valid modules from others.

use std::path::PathBuf;

use clap::Args;
use tenon::Module;

use crate::{EngineArgs, Failure, input};

/// Check that modules are valid.
#[derive(Args)]
pub struct Validate {
    /// The modules (.wasm or .wat).
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Validate {
    pub fn run(self) -> Result<(), Failure> {
        let engine = self.engine.engine()?;
        let mut invalid = 0;
        for file in &self.files {
            let validated = input::read(file).and_then(|bytes| {
                let binary = Module::text_to_binary(&bytes);
                let validated = binary.and_then(|binary| Module::validate(&engine, &binary));
                validated.map_err(|error| Failure::from(format!("{}: {error}", file.display())))
            });
            if let Err(failure) = validated {
                failure.report();
                invalid += 1;
            }
        }
        match invalid {
            0 => Ok(()),
            _ => Err(Failure::Reported),
        }
    }
}
