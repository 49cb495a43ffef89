//! Modules with a few bytes changed. Any bytes have to be a valid module or be refused, and what
//! is valid has to run; compiled modules that are changed have to be refused.

use std::fs;
use std::path::{Path, PathBuf};

use wast::parser::ParseBuffer;
use wast::{QuoteWat, Wast, WastDirective, Wat};

use crate::case::Case;
use crate::engines::tenon::InMode;
use crate::generate::{self, Features};
use crate::outcome::{End, Verdict, compare};
use crate::rng::Rng;

/// Modules larger than this are left out of the corpus: most of their bytes would be alike.
const LARGEST: u64 = 256 << 10;

/// Modules to start from.
pub struct Corpus(Vec<Vec<u8>>);

impl Corpus {
    /// The modules in these folders: binary ones, texts, and those in scripts.
    pub fn read(folders: &[PathBuf]) -> Result<Corpus, String> {
        let mut files = Vec::new();
        for folder in folders {
            list(folder, &mut files).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
        // The order that a folder lists its files in would decide what a seed means.
        files.sort();
        let mut corpus = Corpus(Vec::new());
        for file in &files {
            let bytes = fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
            if bytes.starts_with(b"\0asm") {
                corpus.0.push(bytes);
            } else {
                corpus.script(&String::from_utf8_lossy(&bytes));
            }
        }
        Ok(corpus)
    }

    /// The modules in a script; a text is a script of one module. What cannot be read is left out.
    fn script(&mut self, text: &str) {
        let Ok(buffer) = ParseBuffer::new(text) else { return };
        let Ok(script) = wast::parser::parse::<Wast>(&buffer) else { return };
        for directive in script.directives {
            let module = match directive {
                WastDirective::Module(module)
                | WastDirective::ModuleDefinition(module)
                | WastDirective::AssertInvalid { module, .. }
                | WastDirective::AssertMalformed { module, .. } => module,
                WastDirective::AssertUnlinkable { module, .. } => QuoteWat::Wat(module),
                WastDirective::AssertTrap { exec: wast::WastExecute::Wat(module), .. } => {
                    QuoteWat::Wat(module)
                }
                _ => continue,
            };
            if let QuoteWat::Wat(Wat::Module(mut module)) = module {
                self.0.extend(module.encode().ok());
            }
        }
    }

    fn pick<'a>(&'a self, rng: &mut Rng) -> &'a [u8] {
        match self.0.len() as u64 {
            0 => &[],
            count => &self.0[rng.below(count) as usize],
        }
    }

    /// The bytes of a seed.
    pub fn mutant(&self, seed: u64, features: Features) -> Vec<u8> {
        let mut rng = Rng::new(!seed);
        let mut bytes = match self.pick(&mut rng) {
            corpus if !corpus.is_empty() && rng.one_in(2) => corpus.to_vec(),
            _ => generate::module(seed, features).unwrap_or_default(),
        };
        for _ in 0..rng.within(1, 4) {
            mutate(&mut bytes, self.pick(&mut rng), &mut rng);
        }
        bytes
    }
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let is = |kind: &str| path.extension().is_some_and(|extension| extension == kind);
        if path.is_dir() {
            list(&path, files)?;
        } else if (is("wasm") || is("wat") || is("wast")) && entry.metadata()?.len() <= LARGEST {
            files.push(path);
        }
    }
    Ok(())
}

/// Changes some bytes.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    const TELLING: [u8; 12] = [0, 1, 0x0b, 0x3f, 0x40, 0x60, 0x70, 0x7f, 0x80, 0xfb, 0xfd, 0xff];
    // Beyond the header, which is checked first.
    let length = bytes.len() as u64;
    if length <= 8 {
        bytes.extend(rng.bytes(8));
        return;
    }
    let at = rng.within(8, length - 1) as usize;
    let few = (rng.within(1, 16) as usize).min(bytes.len() - at);
    match rng.below(9) {
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes[at] = rng.pick(&TELLING),
        2 => bytes[at] = rng.next() as u8,
        3 => drop(bytes.drain(at..at + few)),
        4 => {
            let copy = bytes[at..at + few].to_vec();
            bytes.splice(at..at, copy);
        }
        5 => drop(bytes.splice(at..at, rng.bytes(few))),
        // A number in as many bytes as it can have: sizes, counts and indices become large.
        6 => {
            let large = [0xff, 0xff, 0xff, 0xff, rng.pick(&[0x0f, 0x07, 0x7f])];
            bytes.splice(at..at + 1, large);
        }
        7 => bytes.truncate(at),
        _ => {
            let start = rng.below(other.len() as u64 + 1) as usize;
            let piece = &other[start..(start + 4 * few).min(other.len())];
            bytes.splice(at..at, piece.iter().copied());
        }
    }
}

/// What bytes come to, in two modes with little fuel and little room.
pub fn judge(bytes: &[u8], seed: u64, modes: &mut [&mut InMode]) -> Verdict {
    let [first, second] = modes else { return Verdict::Same(0) };
    let valid = match first.validate(bytes) {
        Ok(valid) => valid,
        Err(end) => return different(&format!("validation ends with {end:?}")),
    };
    let compiled = match first.compile(bytes) {
        Ok(compiled) if valid => compiled,
        Ok(_) => return different("the bytes are no valid module, and compiled"),
        Err(End::Resources(_)) if valid => return Verdict::Allowed(1),
        Err(End::Refused(text)) => {
            // What is valid may still be more than the compiler takes, function by function.
            let too_large = text.contains("cannot be compiled: implementation limit");
            return match valid && !too_large {
                true => different(&format!("a valid module is refused: {text}")),
                false => Verdict::Same(0),
            };
        }
        Err(end) => return different(&format!("making a module ends with {end:?}")),
    };
    if let Some(text) = accepts_changed(&compiled, seed, second) {
        return different(&text);
    }
    let Ok(case) = Case::new(bytes.to_vec()) else { return Verdict::Same(0) };
    let outcomes = (case.run(*first), case.run(*second));
    compare(&outcomes.0, &outcomes.1)
}

fn different(text: &str) -> Verdict {
    Verdict::Different(text.to_owned())
}

/// Changes a compiled module; says so if it is accepted then.
fn accepts_changed(compiled: &[u8], seed: u64, engine: &mut InMode) -> Option<String> {
    let mut rng = Rng::new(seed);
    for _ in 0..4 {
        let mut bytes = compiled.to_vec();
        mutate(&mut bytes, compiled, &mut rng);
        match engine.deserialize(&bytes) {
            Ok(()) if bytes != compiled => {
                return Some("a compiled module that was changed is accepted".to_owned());
            }
            Err(text) if text.contains("panic") => return Some(text),
            _ => {}
        }
    }
    None
}
