//! `tenon validate`: tells valid modules from others.

use std::path::PathBuf;

use clap::Args;

use crate::source::Source;
use crate::{EngineArgs, Failure};

/// Check that modules are valid; say what is wrong with those that are not.
#[derive(Args)]
pub struct Validate {
    /// The modules (.wasm, .wat or .tenon).
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Validate {
    pub fn run(self) -> Result<(), Failure> {
        let engine = self.engine.engine()?;
        let mut all_valid = true;
        for file in &self.files {
            if let Err(failure) = Source::file(file).and_then(|source| source.validate(&engine)) {
                failure.report();
                all_valid = false;
            }
        }
        if all_valid { Ok(()) } else { Err(Failure::Reported) }
    }
}
