//! Modules to bytes and back.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::module::{Kept, Module};
use super::tiers::{self, Tiers};
use super::{Engine, Error};
use crate::abi::blob::Blob;
use crate::abi::image::FunctionTable;
use crate::compile::{
    Artifact, FORMAT, MAGIC, Parts, Sections, VERSION, bodies_from, bodies_to, pack,
};
use crate::module;
use crate::vm::code::CodeSpace;
use crate::vm::file::MappedFile;

impl Module {
    /// The compiled module as bytes that [`Module::deserialize`] takes: every function is in it.
    ///
    /// # Errors
    ///
    /// [`Error::Compile`] when a function that was not compiled before cannot be.
    pub fn serialize(&self) -> Result<Vec<u8>, Error> {
        let engine = self.engine();
        let memories = engine.store_config().memory.style();
        let config = engine.config();
        let (stripped, packed);
        let (has_source, module, custom): (bool, &[u8], &[u8]) = match &self.0.kept {
            Kept::Source(module) if config.serialize_source => (true, module, &[]),
            Kept::Source(module) => {
                stripped = module::strip(module)?;
                packed = pack(&stripped.custom);
                (false, &stripped.module, &packed)
            }
            Kept::Stripped { module, custom } => (false, module, custom),
        };
        let artifact = Artifact {
            target: engine.target().to_owned(),
            settings: config.code_settings(),
            memories,
            features: self.info().features.bits(),
            has_source,
        };
        let bodies = &bodies_to(&self.info().bodies);
        if let Some((code, table)) = self.0.tiers.made(memories).and_then(CodeSpace::whole) {
            return Ok(artifact.to_bytes(Parts { table, bodies, module, custom, code }));
        }
        let image = tiers::compile_all(&self.0, memories)?;
        let (table, code) = (&image.table, &image.code[..]);
        Ok(artifact.to_bytes(Parts { table, bodies, module, custom, code }))
    }

    /// Writes what [`Module::serialize`] returns to a file, for [`Module::deserialize_file`]. A file
    /// of this name is replaced, which modules that have been made of it do not notice.
    ///
    /// # Errors
    ///
    /// As [`Module::serialize`]; [`Error::Artifact`] when the file cannot be written.
    ///
    /// ```
    /// use tenon::{Config, Engine, Error, Module};
    ///
    /// let module = Module::from_text(&Engine::new(&Config::new())?, b"(module (func))")?;
    /// let path = std::env::temp_dir().join(format!("example-{}.tenon", std::process::id()));
    /// module.serialize_file(&path)?;
    /// let file = std::fs::File::open(&path).expect("it has just been written");
    /// // SAFETY: nobody else has the file.
    /// let again = unsafe { Module::deserialize_file(module.engine(), &file)? };
    /// assert_eq!(again.exports().len(), module.exports().len());
    /// # std::fs::remove_file(&path).expect("it is there");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn serialize_file(&self, path: &Path) -> Result<(), Error> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let bytes = self.serialize()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".{}-{number}", std::process::id()));
        let unfinished = PathBuf::from(unfinished);
        let written = File::create_new(&unfinished)
            .and_then(|mut file| file.write_all(&bytes))
            .and_then(|()| fs::rename(&unfinished, path));
        written.map_err(|error| {
            let _ = fs::remove_file(&unfinished);
            Error::Artifact(format!("{}: {error}", path.display()))
        })
    }

    /// Whether bytes begin like those that [`Module::serialize`] writes.
    pub fn is_serialized(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// The bytes of the module that [`Module::serialize`] has been called on, in the binary format,
    /// if they have been kept: see [`super::Config::serialize_source`]. They can be had whatever
    /// machine and settings the code was made for.
    ///
    /// # Errors
    ///
    /// [`Error::Artifact`] when the bytes are damaged, or not what this version of the library has
    /// written, or without the source.
    ///
    /// ```
    /// use tenon::{Config, Engine, Error, Module};
    ///
    /// let mut config = Config::new();
    /// config.serialize_source(true);
    /// let module = Module::from_text(&Engine::new(&config)?, b"(module (func))")?;
    /// let serialized = module.serialize()?;
    /// assert_eq!(Some(&Module::serialized_source(&serialized)?[..]), module.bytes());
    /// let damaged = &serialized[..serialized.len() - 1];
    /// assert!(matches!(Module::serialized_source(damaged), Err(Error::Artifact(_))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn serialized_source(bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let (artifact, sections) = Artifact::from_bytes(bytes).map_err(Error::Artifact)?;
        if !artifact.has_source {
            let message = "the compiled module was serialized without its source";
            return Err(Error::Artifact(message.to_owned()));
        }
        Ok(bytes[sections.module].to_vec())
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
        let (artifact, sections) = Artifact::from_bytes(bytes).map_err(Error::Artifact)?;
        let code = &bytes[sections.code.clone()];
        let kept = Blob::new(bytes[..sections.code.start].to_vec());
        deserialize(engine, &artifact, &sections, &kept, |table| CodeSpace::complete(code, table))
    }

    /// Makes a module of a file that [`Module::serialize_file`] has written, or of one with the
    /// bytes that [`Module::serialize`] returns. The file is used where it is: what a program does
    /// not need of it is not read, and processes that use the same file share its memory.
    ///
    /// # Safety
    ///
    /// As for [`Module::deserialize`]; and for as long as the module, or an instance of it, is
    /// there, nobody writes to the file or makes it shorter. It may be removed, and replaced by
    /// another of its name.
    ///
    /// # Errors
    ///
    /// [`Error::Artifact`] when the file cannot be read, or its bytes are not what this engine can
    /// use.
    pub unsafe fn deserialize_file(engine: &Engine, file: &File) -> Result<Module, Error> {
        let unreadable = |error: io::Error| Error::Artifact(error.to_string());
        // An empty file cannot be mapped.
        let is_empty = file.metadata().map_err(unreadable)?.len() == 0;
        let bytes = if is_empty {
            Blob::new([])
        } else {
            // SAFETY: the contract of this function.
            Blob::new(unsafe { MappedFile::new(file) }.map_err(unreadable)?)
        };
        let (artifact, sections) = Artifact::from_bytes(&bytes).map_err(Error::Artifact)?;
        deserialize(engine, &artifact, &sections, &bytes, |table| {
            let range = sections.code.clone();
            // SAFETY: the contract of this function.
            let mapped = unsafe { CodeSpace::in_file(file, range.clone(), table.clone()) };
            // Some file systems are not for programs.
            mapped.or_else(|_| CodeSpace::complete(&bytes[range], table))
        })
    }
}

/// Makes a module of an artifact whose bytes, at least those before the code, are `kept`.
fn deserialize(
    engine: &Engine,
    artifact: &Artifact,
    sections: &Sections,
    kept: &Blob,
    space: impl FnOnce(FunctionTable) -> io::Result<Box<CodeSpace>>,
) -> Result<Module, Error> {
    let refused = |message: &str| Err(Error::Artifact(message.to_owned()));
    if artifact.target != engine.target() {
        let (theirs, ours) = (&artifact.target, engine.target());
        return refused(&format!(
            "the module was compiled for another machine: for '{theirs}', not '{ours}'"
        ));
    }
    let memories = engine.store_config().memory.style();
    if artifact.settings != engine.config().code_settings() || artifact.memories != memories {
        return refused("the module was compiled with other settings than the engine's");
    }
    let features = engine.config().features();
    if artifact.features & !features.bits() != 0 {
        return refused("the module was compiled with features that are off in this engine");
    }
    let malformed = || Error::Artifact("the compiled module is malformed".to_owned());
    let part = |range: &Range<usize>| kept.part(range.clone()).ok_or_else(malformed);
    let module = part(&sections.module)?;
    let table = FunctionTable { entries: part(&sections.entries)?, sites: part(&sections.sites)? };
    let bodies = bodies_from(&part(&sections.bodies)?);
    if bodies.len() != table.len() || !table.fits(sections.code.len()) {
        return Err(malformed());
    }
    let info = module::decode(&module, features, bodies)?;
    let code = space(table).map_err(|e| Error::Limit(format!("no memory for code: {e}")))?;
    let kept = if artifact.has_source {
        Kept::Source(module)
    } else {
        Kept::Stripped { module, custom: part(&sections.custom)? }
    };
    Ok(Module::with(engine, info, kept, Tiers::with(memories, code)))
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
