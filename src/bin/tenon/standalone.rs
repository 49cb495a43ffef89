//! Executables that are this program with a compiled module behind it.
//!
//! Behind the last byte of the program, as its ELF headers tell it: [`MAGIC`], the lengths of
//! settings and module, a checksum of both, then the settings as JSON and the module as
//! `Module::serialize` has written it. Integers are little-endian. Nothing else may be there: an
//! executable that is damaged says so, and never becomes the command line that it was made of.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use tenon::Module;
use twox_hash::xxhash3_128::Hasher;

use crate::cache::{Cache, CacheArgs};
use crate::grants::Grants;
use crate::limits::Limits;
use crate::program::Program;
use crate::source::deserialize;
use crate::{EngineArgs, Failure};

const MAGIC: &[u8; 8] = b"\0tenon+\n";
const HEADER: usize = MAGIC.len() + 2 * size_of::<u64>() + size_of::<u128>();

/// What the program is run with, whoever runs it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Settings {
    pub engine: EngineArgs,
    pub grants: Grants,
    pub limits: Limits,
    /// Arguments that go before those of the user.
    pub args: Vec<String>,
}

/// A module behind this program, and how it is run.
pub struct Attached {
    settings: Settings,
    module: Vec<u8>,
}

/// This program's own file.
fn own_file() -> io::Result<File> {
    File::open("/proc/self/exe")
}

/// What is behind this program; nothing if it is the command line and no more.
pub fn attached() -> Result<Option<Attached>, Failure> {
    // A program that may be executed but not read could not run what is behind it.
    let Ok(mut file) = own_file() else { return Ok(None) };
    let failure = |error: io::Error| Failure::from(format!("this program: {error}"));
    let length = file.metadata().map_err(failure)?.len();
    let end = end_of_program(&file).map_err(failure)?;
    if length == end {
        return Ok(None);
    }
    io::Seek::seek(&mut file, io::SeekFrom::Start(end)).map_err(failure)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failure)?;
    let damaged = || Failure::from("this program is cut off or damaged".to_owned());
    Attached::from_bytes(&bytes).map(Some).ok_or_else(damaged)
}

/// Writes an executable: this program, and a module behind it.
pub fn write(out: &mut impl Write, settings: &Settings, module: &[u8]) -> io::Result<()> {
    let program = own_file()?;
    let end = end_of_program(&program)?;
    io::copy(&mut program.take(end), out)?;
    let settings = serde_json::to_vec(settings)?;
    out.write_all(MAGIC)?;
    out.write_all(&(settings.len() as u64).to_le_bytes())?;
    out.write_all(&(module.len() as u64).to_le_bytes())?;
    out.write_all(&checksum(&settings, module).to_le_bytes())?;
    out.write_all(&settings)?;
    out.write_all(module)
}

fn checksum(settings: &[u8], module: &[u8]) -> u128 {
    let mut hash = Hasher::new();
    hash.write(settings);
    hash.write(module);
    hash.finish_128()
}

impl Attached {
    /// Reads what [`write`] has put behind the program; none if it is anything else.
    fn from_bytes(bytes: &[u8]) -> Option<Attached> {
        let (header, content) = bytes.split_at_checked(HEADER)?;
        let (magic, header) = header.split_at(MAGIC.len());
        let (settings_len, header) = header.split_first_chunk()?;
        let (module_len, sum) = header.split_first_chunk()?;
        let settings_len = usize::try_from(u64::from_le_bytes(*settings_len)).ok()?;
        let (settings, module) = content.split_at_checked(settings_len)?;
        let sum = u128::from_le_bytes(sum.try_into().ok()?);
        let whole = magic == MAGIC
            && module.len() as u64 == u64::from_le_bytes(*module_len)
            && sum == checksum(settings, module);
        if !whole {
            return None;
        }
        let settings = serde_json::from_slice(settings).ok()?;
        Some(Attached { settings, module: module.to_vec() })
    }

    /// Runs it, with the arguments of this process behind its own.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let Attached { settings: Settings { engine, grants, limits, args }, module: bytes } = self;
        let (new_engine, progress) = engine.engine_with_progress()?;
        let module = deserialize(&new_engine, &bytes).or_else(|_| {
            // Another processor: what the code was made of is there too.
            let cache = Cache::new(&CacheArgs::default(), &engine);
            cache.module(&new_engine, &Module::serialized_source(&bytes)?)
        })?;
        drop((progress, bytes));
        let mut own = std::env::args_os();
        let name = own.next().unwrap_or_default().to_string_lossy().into_owned();
        let args = args.into_iter().map(OsString::from).chain(own).collect();
        Program { module, name, args, grants, limits }.run(&new_engine)
    }
}

/// Where a program ends, by its headers (ELF, 64 bits, little-endian): at the end of the last
/// segment, section or table of headers.
fn end_of_program(file: &File) -> io::Result<u64> {
    const NO_BITS: u32 = 8;
    let header: [u8; 64] = read_at(file, 0)?;
    if header[..6] != *b"\x7fELF\x02\x01" {
        return Err(io::Error::other("not an ELF program of 64 bits"));
    }
    let segments = (u64_at(&header, 32), u16_at(&header, 54), u16_at(&header, 56));
    let sections = (u64_at(&header, 40), u16_at(&header, 58), u16_at(&header, 60));
    let mut end = header.len() as u64;
    for entry in entries(segments) {
        let segment: [u8; 56] = read_at(file, entry)?;
        let size = u64_at(&segment, 32);
        end = end.max(u64_at(&segment, 8).saturating_add(size)).max(entry + 56);
    }
    for entry in entries(sections) {
        let section: [u8; 64] = read_at(file, entry)?;
        end = end.max(entry + 64);
        if u32_at(&section, 4) != NO_BITS {
            end = end.max(u64_at(&section, 24).saturating_add(u64_at(&section, 32)));
        }
    }
    Ok(end)
}

/// The offsets of a table's entries: where it begins, the size of an entry, and how many.
fn entries((start, size, count): (u64, u64, u64)) -> impl Iterator<Item = u64> {
    (0..count).map(move |index| start.saturating_add(index * size))
}

fn read_at<const N: usize>(file: &File, offset: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |field| u64::from_le_bytes(*field))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |field| u32::from_le_bytes(*field))
}

fn u16_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |field| u16::from_le_bytes(*field)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_noticed_wherever_it_is() {
        let mut bytes = Vec::new();
        let settings = Settings { args: vec!["x".to_owned()], ..Settings::default() };
        write(&mut bytes, &settings, b"module").expect("there is memory");
        let end = end_of_program(&own_file().expect("tests can read themselves"));
        let attached = &bytes[end.expect("tests are programs") as usize..];
        let read = Attached::from_bytes(attached).expect("nothing is damaged");
        assert_eq!((read.settings.args, &read.module[..]), (settings.args, &b"module"[..]));
        for at in 0..attached.len() {
            assert!(Attached::from_bytes(&attached[..at]).is_none(), "cut off at {at}");
            let mut flipped = attached.to_vec();
            flipped[at] ^= 1;
            assert!(Attached::from_bytes(&flipped).is_none(), "flipped at {at}");
        }
    }
}
