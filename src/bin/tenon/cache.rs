//! Compiled modules that are kept for the next run, and `tenon cache`.
//!
//! An entry's name is a hash of the module and of what compiled code depends on. The hash only
//! finds the entry: an entry has the module in it, and counts only if that is the very same, so
//! that nobody gains by making two modules with one hash. Whatever goes wrong with the cache, the
//! module is compiled as if there were none.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, futimens, openat,
    renameat, statat, unlinkat,
};
use tenon::{Compilation, Engine, Error, Module};
use twox_hash::xxhash3_128::Hasher;

use crate::limits::parse_size;
use crate::source::deserialize;
use crate::{EngineArgs, Failure, print, say};

/// Bytes that all entries may take together, unless the environment says otherwise.
const SIZE: u64 = 1 << 30;
/// The variable that says otherwise.
const SIZE_VARIABLE: &str = "TENON_CACHE_SIZE";
/// Entries that there may be: every one that is written counts them all.
const MAX_ENTRIES: usize = 2000;

const SUFFIX: &str = ".tenon";
/// What the names of files begin with that are being written.
const UNFINISHED: &str = ".unfinished-";
/// The age in seconds at which nobody is writing such a file any more.
const ABANDONED: i64 = 3600;

/// Whether the cache is used.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cache")]
pub struct CacheArgs {
    /// Use the cache of compiled modules, and say so if that is not possible; without this option
    /// the cache is used if it can be.
    #[arg(long, overrides_with = "no_cache")]
    cache: bool,
    /// Neither use a compiled module of the cache nor keep one there.
    #[arg(long, overrides_with = "cache")]
    no_cache: bool,
}

/// The cache, as far as it is used.
pub struct Cache {
    folder: Result<Folder, String>,
    verbose: bool,
}

impl Cache {
    /// The cache of this user. There is none unless modules are compiled whole, as what is kept.
    pub fn new(args: &CacheArgs, engine: &EngineArgs) -> Cache {
        let folder =
            match (args.no_cache, engine.compilation()) {
                (true, _) => return Cache::none(),
                (_, None | Some(Compilation::Eager)) => Folder::create(),
                _ => Err("it is for modules that are compiled whole, as --compilation=eager does"
                    .to_owned()),
            };
        Cache { folder, verbose: args.cache }
    }

    /// No cache.
    pub fn none() -> Cache {
        Cache { folder: Err(String::new()), verbose: false }
    }

    /// The module of bytes in the binary format: from the cache, or compiled and put there.
    pub fn module(&self, engine: &Engine, binary: &[u8]) -> Result<Module, Error> {
        let folder = match &self.folder {
            Ok(folder) => folder,
            Err(reason) => {
                self.warn(reason);
                return Module::new(engine, binary);
            }
        };
        let name = entry_name(engine, binary);
        if let Some(bytes) = folder.read(&name)
            && let Ok(module) = deserialize(engine, &bytes)
            && module.bytes() == Some(binary)
        {
            return Ok(module);
        }
        let module = Module::new(engine, binary)?;
        let bytes = module.serialize()?;
        if let Err(error) = folder.write(&name, &bytes) {
            self.warn(&error.to_string());
        }
        // All of it has been compiled now, so that nothing is left to be while it runs.
        Ok(deserialize(engine, &bytes).unwrap_or(module))
    }

    fn warn(&self, reason: &str) {
        if self.verbose {
            say(format_args!("warning: the cache is not used: {reason}"));
        }
    }
}

/// The name of a module's entry.
fn entry_name(engine: &Engine, binary: &[u8]) -> String {
    let mut hash = Hasher::new();
    hash.write(engine.compatibility().as_bytes());
    // Another build of the same version may make other code.
    if let Ok(program) = File::open("/proc/self/exe").and_then(|file| file.metadata()) {
        let build = [program.dev(), program.ino(), program.size()];
        let time = [program.mtime(), program.mtime_nsec()];
        hash.write(format!("{build:?}{time:?}").as_bytes());
    }
    hash.write(binary);
    format!("{:032x}{SUFFIX}", hash.finish_128())
}

/// The cache's directory, which belongs to the user and which nobody else can write to.
struct Folder {
    fd: OwnedFd,
    size: u64,
}

/// A file of the cache's.
struct Entry {
    name: String,
    size: u64,
    /// When it was used for the last time, in seconds and nanoseconds.
    used: (i64, u64),
}

impl Entry {
    fn is_unfinished(&self) -> bool {
        self.name.starts_with(UNFINISHED)
    }
}

/// Where the cache is, by the XDG base directory specification.
fn location() -> Result<PathBuf, String> {
    let absolute = |path: std::ffi::OsString| Some(PathBuf::from(path)).filter(|p| p.is_absolute());
    let base = std::env::var_os("XDG_CACHE_HOME").and_then(absolute);
    let home = || std::env::var_os("HOME").and_then(absolute).map(|home| home.join(".cache"));
    let base = base.or_else(home);
    base.map(|base| base.join("tenon"))
        .ok_or_else(|| "neither XDG_CACHE_HOME nor HOME names a directory".to_owned())
}

/// Bytes that all entries may take together.
fn bound() -> Result<u64, String> {
    match std::env::var(SIZE_VARIABLE) {
        Ok(text) => parse_size(&text)
            .map_err(|error| format!("{SIZE_VARIABLE} is no size: {text}: {error}")),
        Err(_) => Ok(SIZE),
    }
}

impl Folder {
    /// The directory; it is made if it is not there.
    fn create() -> Result<Folder, String> {
        let path = location()?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|error| format!("{}: {error}", path.display()))?;
        Folder::open()
    }

    fn open() -> Result<Folder, String> {
        let path = location()?;
        let failure = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(CWD, &path, flags, Mode::empty()).map_err(|error| failure(&error))?;
        let stat = rustix::fs::fstat(&fd).map_err(|error| failure(&error))?;
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(failure(&"the directory belongs to somebody else"));
        }
        if Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
            return Err(failure(&"others can write to the directory"));
        }
        Ok(Folder { fd, size: bound()? })
    }

    /// The bytes of an entry, if it is there. It counts as used now.
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.fd, name, flags, Mode::empty()).ok()?);
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        // If the time cannot be set, the entry is removed sooner than it might be.
        let _ = futimens(&file, &Timestamps { last_access: now, last_modification: now });
        Some(bytes)
    }

    /// Puts an entry there, whole or not at all, and removes what there is no more room for.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let len = bytes.len() as u64;
        if len > self.size {
            return Err(io::Error::other("the compiled module is larger than the cache may be"));
        }
        let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unfinished = format!("{UNFINISHED}{}-{}", std::process::id(), age.as_nanos());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.fd, &unfinished, flags, Mode::RUSR | Mode::WUSR)?);
        let written = file
            .write_all(bytes)
            .and_then(|()| Ok(renameat(&self.fd, &unfinished, &self.fd, name)?));
        if written.is_err() {
            let _ = self.remove(&unfinished);
        }
        written.and_then(|()| self.prune())
    }

    /// Removes what has not been used for the longest time until the rest is within the bounds.
    fn prune(&self) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (unfinished, mut entries): (Vec<_>, Vec<_>) =
            self.entries()?.into_iter().partition(Entry::is_unfinished);
        for entry in unfinished {
            if entry.used.0 + ABANDONED < now.cast_signed() {
                self.remove(&entry.name)?;
            }
        }
        entries.sort_by_key(|entry| entry.used);
        let mut size: u64 = entries.iter().map(|entry| entry.size).sum();
        let mut count = entries.len();
        for entry in entries {
            if size <= self.size && count <= MAX_ENTRIES {
                break;
            }
            self.remove(&entry.name)?;
            size -= entry.size;
            count -= 1;
        }
        Ok(())
    }

    /// The files of the cache's; other files are none of its business.
    fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for item in Dir::read_from(&self.fd)? {
            let item = item?;
            let Ok(name) = item.file_name().to_str() else { continue };
            if !(name.ends_with(SUFFIX) || name.starts_with(UNFINISHED)) {
                continue;
            }
            // Another process may have removed it.
            let Ok(stat) = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                let used = (stat.st_mtime, stat.st_mtime_nsec);
                let size = stat.st_size.cast_unsigned();
                entries.push(Entry { name: name.to_owned(), size, used });
            }
        }
        Ok(entries)
    }

    /// Removes a file, unless another process has done so.
    fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Err(rustix::io::Errno::NOENT) => Ok(()),
            removed => Ok(removed?),
        }
    }
}

/// Show or clear the cache of compiled modules.
#[derive(Args)]
pub struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print the cache's directory.
    Path,
    /// Print the directory, how many modules are in it and how much room they take.
    Info,
    /// Remove all modules.
    Clean,
}

impl Command {
    pub fn run(self) -> Result<(), Failure> {
        let path = location()?;
        if matches!(self.action, Action::Path) {
            return print([path.as_os_str().as_bytes(), b"\n"].concat());
        }
        let folder = if path.exists() { Some(Folder::open()?) } else { None };
        let read = |error: io::Error| Failure::at(&path, error);
        let entries = match &folder {
            Some(folder) => folder.entries().map_err(read)?,
            None => Vec::new(),
        };
        let size: u64 = entries.iter().map(|entry| entry.size).sum();
        let count = entries.len();
        if matches!(self.action, Action::Info) {
            let (path, bound) = (path.display(), bound()?);
            return print(format!(
                "directory: {path}\nmodules: {count}\nsize: {size} bytes of at most {bound}\n"
            ));
        }
        for entry in entries {
            folder.iter().try_for_each(|folder| folder.remove(&entry.name)).map_err(read)?;
        }
        print(format!("removed: {count} modules, {size} bytes\n"))
    }
}
