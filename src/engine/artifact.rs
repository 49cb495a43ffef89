//! Modules to bytes and back.

use super::module::Module;
use super::tiers::{self, Tiers};
use super::{Engine, Error};
use crate::compile::{Artifact, FORMAT, MAGIC, VERSION};
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
            settings: engine.config().code_settings(),
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

    /// The bytes of the module that [`Module::serialize`] has been called on, in the binary format.
    /// They can be had whatever machine and settings the code was made for.
    ///
    /// # Errors
    ///
    /// [`Error::Artifact`] when the bytes are damaged, or not what this version of the library has
    /// written.
    ///
    /// ```
    /// use tenon::{Config, Engine, Error, Module};
    ///
    /// let module = Module::from_text(&Engine::new(&Config::new())?, b"(module (func))")?;
    /// let serialized = module.serialize()?;
    /// assert_eq!(Module::serialized_source(&serialized)?, module.bytes());
    /// let damaged = &serialized[..serialized.len() - 1];
    /// assert!(matches!(Module::serialized_source(damaged), Err(Error::Artifact(_))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn serialized_source(bytes: &[u8]) -> Result<Vec<u8>, Error> {
        Artifact::from_bytes(bytes).map(|artifact| artifact.module).map_err(Error::Artifact)
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
        if artifact.settings != engine.config().code_settings() || artifact.memories != memories {
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

impl Engine {
    /// What serialized modules of this engine depend on, as text: version, target, settings and
    /// features. An engine can use what another has serialized if both have the same text.
    ///
    /// ```
    /// use tenon::{Config, Engine, Error};
    ///
    /// let mut config = Config::new();
    /// let engine = Engine::new(&config)?;
    /// assert_eq!(engine.compatibility(), Engine::new(&config)?.compatibility());
    /// config.explicit_checks(true);
    /// assert_ne!(engine.compatibility(), Engine::new(&config)?.compatibility());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn compatibility(&self) -> String {
        let memories = self.store_config().memory.style();
        let features = self.config().features().bits();
        let (settings, target) = (self.config().code_settings(), self.target());
        format!("{VERSION} {FORMAT} {target} {settings:?} {memories:?} {features:x}")
    }
}
