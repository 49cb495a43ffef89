//! `tenon compile`: compiles ahead of time.

use std::path::PathBuf;

use clap::Args;

use crate::{EngineArgs, Failure, input};

/// Compile a module to a file that `tenon run` and `wasm_module_deserialize` take.
#[derive(Args)]
pub struct Compile {
    /// The module (.wasm or .wat).
    file: PathBuf,
    /// Where to write it; by default beside the module, as .tenon.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Compile {
    pub fn run(self) -> Result<(), Failure> {
        let engine = self.engine.engine()?;
        let module = input::load(&engine, &self.file)?;
        let output = self.output.unwrap_or_else(|| self.file.with_extension("tenon"));
        std::fs::write(&output, module.serialize()?)
            .map_err(|error| Failure::from(format!("{}: {error}", output.display())))
    }
}
