//! `tenon inspect`: what is in a module.

use std::path::PathBuf;

use clap::Args;

use crate::{EngineArgs, Failure, input};

/// Show what a module imports and exports, how large it is, and which features it needs.
#[derive(Args)]
pub struct Inspect {
    /// The module (.wasm, .wat or .tenon).
    file: PathBuf,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Inspect {
    pub fn run(self) -> Result<(), Failure> {
        let engine = self.engine.engine()?;
        let module = input::load(&engine, &self.file)?;
        println!("module: {}", module.name().unwrap_or("(without a name)"));
        println!("size: {} bytes", module.bytes().len());
        println!("functions: {}", module.func_count());
        println!("machine code: {} bytes", module.code_size());
        let needed: Vec<_> = module.needed_features().iter().map(|f| f.name()).collect();
        let needed = if needed.is_empty() { "none".to_owned() } else { needed.join(", ") };
        println!("features needed: {needed}");
        println!("imports: {}", module.imports().len());
        for import in module.imports() {
            println!("  {}.{}: {}", import.module, import.name, import.ty);
        }
        println!("exports: {}", module.exports().len());
        for export in module.exports() {
            println!("  {}: {}", export.name, export.ty);
        }
        Ok(())
    }
}
