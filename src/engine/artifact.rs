//! Modules to bytes and back.

use super::module::Module;
use super::tiers::{self, Tiers};
use super::{Engine, Error};
use crate::compile::{Artifact, MAGIC, Settings};
use crate::module;
use crate::vm::code::CodeSpace;

impl Module {
    /// The compiled module as bytes that [`Module::deserialize`] takes: every function is in it.
    ///
    /// # Errors
    ///
    /// [`Error::Compile`] when a function that was not compiled before cannot be.
    pub fn serialize(&self) -> Result<Vec<u8>, Error> {
        let engine = self.engine();
        let memories = engine.store_config().memory.style();
        let artifact = Artifact {
            target: engine.target().to_owned(),
            settings: settings(engine),
            memories,
            features: self.info().features.bits(),
            module: self.bytes().to_vec(),
            functions: tiers::compile_all(&self.0, memories)?,
        };
        Ok(artifact.to_bytes())
    }

    /// Whether bytes begin like those that [`Module::serialize`] writes.
    pub fn is_serialized(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Makes a module of what [`Module::serialize`] has written.
    ///
    /// # Safety
    ///
    /// The bytes come from [`Module::serialize`]. They are checked against accidents (anything cut
    /// off, damaged, from another version or for another machine is refused), but machine code
    /// that somebody has made up with care will run.
    ///
    /// # Errors
    ///
    /// [`Error::Artifact`] when the bytes are not what this engine can use.
    pub unsafe fn deserialize(engine: &Engine, bytes: &[u8]) -> Result<Module, Error> {
        let artifact = Artifact::from_bytes(bytes).map_err(Error::Artifact)?;
        if artifact.target != engine.target() {
            let (theirs, ours) = (&artifact.target, engine.target());
            return Err(Error::Artifact(format!(
                "the module was compiled for another machine: for '{theirs}', not '{ours}'"
            )));
        }
        let memories = engine.store_config().memory.style();
        if artifact.settings != settings(engine) || artifact.memories != memories {
            let message = "the module was compiled with other settings than the engine's";
            return Err(Error::Artifact(message.to_owned()));
        }
        let features = engine.config().features();
        if artifact.features & !features.bits() != 0 {
            let message = "the module was compiled with features that are off in this engine";
            return Err(Error::Artifact(message.to_owned()));
        }
        let info = module::parse_trusted(&artifact.module, features)?;
        if info.bodies.len() != artifact.functions.len() {
            return Err(Error::Artifact("the compiled module is malformed".to_owned()));
        }
        let code = CodeSpace::complete(artifact.functions)
            .map_err(|e| Error::Limit(format!("no memory for code: {e}")))?;
        Ok(Module::with(engine, info, artifact.module.into(), Tiers::with(memories, code)))
    }
}

fn settings(engine: &Engine) -> Settings {
    engine.config().code_settings()
}
