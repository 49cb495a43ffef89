//! Files with modules.

use std::path::Path;

use tenon::{Engine, Module};

use crate::Failure;

/// The module in a file: the binary format, the text format, or what `tenon compile` has written.
pub fn load(engine: &Engine, path: &Path) -> Result<Module, Failure> {
    let bytes = read(path)?;
    let module = if Module::is_serialized(&bytes) {
        #[allow(unsafe_code, reason = "whoever names a compiled file here wants its code to run")]
        // SAFETY: the user vouches for the file, as for any program that is started by its name.
        unsafe {
            Module::deserialize(engine, &bytes)
        }
    } else {
        Module::from_text(engine, &bytes)
    };
    module.map_err(|error| Failure::from(format!("{}: {error}", path.display())))
}

/// The bytes of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::from(format!("{}: {error}", path.display())))
}
