//! Packages: programs with what they need beside them, in directories of this machine.
//!
//! Whatever a package names, names and paths alike, is checked: nothing that it says leads outside
//! of its own directory.

mod manifest;
mod oci;
mod resolve;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::Failure;
use crate::source::Source;

const MANIFEST: &str = "wasmer.toml";

/// Which program of a package is meant, and where other packages are.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Packages")]
pub struct PackageArgs {
    /// The command of a package, or the reference name of an image, if it has several.
    #[arg(long, value_name = "NAME")]
    pub entrypoint: Option<String>,
    /// Look for the packages that a package depends on below this directory, as
    /// NAMESPACE/NAME/VERSION. What is run may then also be named so: NAMESPACE/NAME@VERSION.
    #[arg(long = "package-dir", value_name = "DIR")]
    pub package_dirs: Vec<PathBuf>,
}

/// The program of the package at this path; none if there is no package.
pub fn open(path: &Path, args: &PackageArgs) -> Result<Option<Source>, Failure> {
    let manifest_itself = path.file_name().is_some_and(|name| name == MANIFEST);
    let root = if manifest_itself { path.parent().unwrap_or(path) } else { path };
    // The parent of a bare file name is empty.
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let found = if manifest_itself || path.join(MANIFEST).is_file() {
        resolve::open(root, args)
    } else if path.join(oci::MARKER).is_file() {
        oci::open(path, args)
    } else if path.is_dir() {
        let message = format!("the directory has neither {MANIFEST} nor {}", oci::MARKER);
        return Err(Failure::at(path, message));
    } else if !path.exists() && !args.package_dirs.is_empty() {
        match path.to_str() {
            Some(name) => resolve::find(name, args),
            None => return Ok(None),
        }
    } else {
        return Ok(None);
    };
    found.map(Some).map_err(|message| Failure::at(path, message))
}

/// The bytes of a regular file, of which there may be at most `max`.
fn read(path: &Path, max: u64) -> Result<Vec<u8>, String> {
    let failure = |error: std::io::Error| format!("{}: {error}", path.display());
    // Opening anything else could wait for ever.
    if !path.metadata().map_err(failure)?.is_file() {
        return Err(format!("{}: not a file", path.display()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failure)?;
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(failure)?;
    if bytes.len() as u64 > max {
        return Err(format!("{}: larger than {max} bytes", path.display()));
    }
    Ok(bytes)
}

/// Chooses by name among things that have names, or takes the only one there is.
fn choose<'a, T>(
    kind: &str,
    all: &'a [T],
    wanted: Option<&str>,
    name: impl Fn(&T) -> Option<&str>,
) -> Result<&'a T, String> {
    let names = || {
        let names = all.iter().map(|one| format!("`{}`", name(one).unwrap_or("(no name)")));
        names.collect::<Vec<_>>().join(", ")
    };
    match (wanted, all) {
        (Some(wanted), _) => all
            .iter()
            .find(|one| name(one) == Some(wanted))
            .ok_or_else(|| format!("there is no {kind} named `{wanted}`; there is {}", names())),
        (None, [only]) => Ok(only),
        (None, []) => Err(format!("there is no {kind}")),
        (None, _) => Err(format!("--entrypoint has to name the {kind}: {}", names())),
    }
}
