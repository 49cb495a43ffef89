//! Where modules come from: files, and what is in them.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use tenon::{Engine, Error, Module};

use crate::Failure;
use crate::cache::Cache;
use crate::grants::Grants;
use crate::package::{self, PackageArgs};

/// A module that has been read, and what comes with it if it is one of a package.
pub struct Source {
    /// The file that it is from.
    pub path: PathBuf,
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// The program's own name.
    pub name: String,
    /// Arguments that go before those of the user.
    pub args: Vec<OsString>,
    /// What the package gives to it.
    pub grants: Grants,
}

impl Source {
    /// Reads a file, or finds the program of a package.
    pub fn open(path: &Path, packages: &PackageArgs) -> Result<Source, Failure> {
        if let Some(source) = package::open(path, packages)? {
            return Ok(source);
        }
        if packages.entrypoint.is_some() {
            return Err(Failure::at(path, "--entrypoint is for packages; this is a file"));
        }
        Source::file(path)
    }

    /// Reads a file.
    pub fn file(path: &Path) -> Result<Source, Failure> {
        let bytes = std::fs::read(path).map_err(|error| Failure::at(path, error))?;
        let name = path.to_string_lossy().into_owned();
        let (args, grants) = (Vec::new(), Grants::default());
        Ok(Source { path: path.to_owned(), bytes, name, args, grants })
    }

    /// The module, compiled.
    pub fn module(&self, engine: &Engine, cache: &Cache) -> Result<Module, Failure> {
        let module = match Format::of(&self.bytes).map_err(|message| self.failure(message))? {
            Format::Compiled => deserialize(engine, &self.bytes),
            Format::Module => {
                Module::text_to_binary(&self.bytes).and_then(|binary| cache.module(engine, &binary))
            }
        };
        module.map_err(|error| self.failure(error))
    }

    /// Checks that the module is valid.
    pub fn validate(&self, engine: &Engine) -> Result<(), Failure> {
        let binary = match Format::of(&self.bytes).map_err(|message| self.failure(message))? {
            Format::Compiled => Module::serialized_source(&self.bytes),
            Format::Module => Module::text_to_binary(&self.bytes),
        };
        let validated = binary.and_then(|binary| Module::validate(engine, &binary));
        validated.map_err(|error| self.failure(error))
    }

    fn failure(&self, error: impl Display) -> Failure {
        Failure::at(&self.path, error)
    }
}

/// Makes a module of what [`Module::serialize`] has written.
pub fn deserialize(engine: &Engine, bytes: &[u8]) -> Result<Module, Error> {
    #[allow(unsafe_code, reason = "whoever names a compiled file here wants its code to run")]
    // SAFETY: the user vouches for the file, as for any program that is started by its name; an
    // entry of the cache is in a directory that nobody else can write to.
    unsafe {
        Module::deserialize(engine, bytes)
    }
}

/// What a file holds.
#[derive(Debug, PartialEq)]
enum Format {
    /// A module in the binary or the text format.
    Module,
    /// What `tenon compile` has written.
    Compiled,
}

/// The header of a module in the binary format, version 1 (core spec, section 5.5.16).
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// What files that are often taken for modules begin with, and what to say about them.
const OTHERS: [(&[u8], &str); 11] = [
    (b"\0asm\r\0\x01\0", "a component, not a module; build for the target wasm32-wasip1 instead"),
    (b"\0asm", "in a version of the binary format that is not 1"),
    (b"\0webc", "a package in the format WebC; unpack it to run what is in it"),
    (b"\x7fELF", "a program or library for this kind of system, not WebAssembly"),
    (b"MZ", "a program for Windows, not WebAssembly"),
    (b"#!", "a script, not WebAssembly"),
    (b"!<arch>", "an archive of object files; link them to a module first"),
    (b"BC\xc0\xde", "LLVM bitcode; compile and link it to a module first"),
    (b"\x1f\x8b", "compressed with gzip; decompress it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; decompress it first"),
    (b"PK\x03\x04", "a zip archive; unpack it first"),
];

impl Format {
    /// What these bytes are; what is wrong if they cannot be a module.
    fn of(bytes: &[u8]) -> Result<Format, String> {
        if Module::is_serialized(bytes) {
            return Ok(Format::Compiled);
        }
        if bytes.starts_with(MODULE) {
            return Ok(Format::Module);
        }
        if let Some((_, what)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
            return Err(format!("this is {what}"));
        }
        if bytes.is_empty() {
            return Err("the file is empty".to_owned());
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| "this is neither a WebAssembly module nor its text format".to_owned())?;
        // Comments and white space may come first, and module fields without `(module`.
        let code = text.trim_start_matches('\u{feff}').trim_start();
        match code.chars().next() {
            Some('(') if code[1..].trim_start().starts_with("component") => {
                Err("this is the text of a component, not of a module".to_owned())
            }
            Some('(' | ';') => Ok(Format::Module),
            _ => Err("this is a text file, but not WebAssembly's text format".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_recognized() {
        assert_eq!(Format::of(b"\0asm\x01\0\0\0"), Ok(Format::Module));
        assert_eq!(Format::of(b"\n ;; text\n(module)"), Ok(Format::Module));
        let refused = |bytes: &[u8]| Format::of(bytes).unwrap_err();
        assert!(refused(b"\0asm\x0d\0\x01\0").contains("component"));
        assert!(refused(b"\0asm\x02\0\0\0").contains("version"));
        assert!(refused(b"( component)").contains("component"));
        assert!(refused(b"").contains("empty"));
        assert!(refused(b"int main(void) {}").contains("text file"));
        assert!(refused(b"\xff\xfe").contains("neither"));
    }
}
