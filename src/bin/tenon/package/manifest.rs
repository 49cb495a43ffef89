//! `wasmer.toml`: what a package says about itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use semver::{Version, VersionReq};
use serde::Deserialize;

use super::{MANIFEST, read};
use crate::grants::parse_variable;

/// Bytes of a manifest, at most.
const MAX_SIZE: u64 = 1 << 20;
/// Bytes of a package's name, at most.
const MAX_NAME: usize = 100;

/// What a package says about itself. Its names and versions are well-formed.
#[derive(Debug, Deserialize)]
pub struct Manifest {
    #[serde(default)]
    pub package: Description,
    #[serde(default)]
    pub dependencies: BTreeMap<String, VersionReq>,
    #[serde(default, rename = "module")]
    pub modules: Vec<Module>,
    #[serde(default, rename = "command")]
    pub commands: Vec<Command>,
    /// Directories of the package, by their names for the program.
    #[serde(default)]
    pub fs: BTreeMap<String, String>,
}

/// `[package]`
#[derive(Debug, Default, Deserialize)]
pub struct Description {
    pub name: Option<String>,
    pub version: Option<Version>,
    pub entrypoint: Option<String>,
}

/// `[[module]]`
#[derive(Debug, Deserialize)]
pub struct Module {
    pub name: String,
    /// The path of its file.
    pub source: String,
}

/// `[[command]]`
#[derive(Debug, Deserialize)]
pub struct Command {
    pub name: String,
    /// The name of a module of this package, or `PACKAGE:MODULE`.
    pub module: String,
    pub runner: Option<String>,
    /// Arguments with spaces between them.
    #[serde(alias = "main-args")]
    pub main_args: Option<String>,
    #[serde(default)]
    pub annotations: Annotations,
}

/// `[command.annotations]`
#[derive(Debug, Default, Deserialize)]
pub struct Annotations {
    #[serde(default)]
    pub wasi: Wasi,
}

/// `[command.annotations.wasi]`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Wasi {
    #[serde(default, alias = "main_args")]
    pub main_args: Vec<String>,
    #[serde(default)]
    pub env: Vec<String>,
    pub cwd: Option<String>,
    #[serde(alias = "exec_name")]
    pub exec_name: Option<String>,
}

/// What manifests call the runner of programs that use WASI.
const RUNNERS: [&str; 3] =
    ["wasi", "https://webc.org/runner/wasi", "https://webc.org/runner/wasi/command@unstable_"];

impl Manifest {
    /// The manifest in a directory.
    pub fn load(dir: &Path) -> Result<Manifest, String> {
        let text = read(&dir.join(MANIFEST), MAX_SIZE)?;
        let text = String::from_utf8(text).map_err(|_| format!("{MANIFEST} is not UTF-8"))?;
        Manifest::parse(&text).map_err(|message| format!("{MANIFEST}: {message}"))
    }

    fn parse(text: &str) -> Result<Manifest, String> {
        let manifest: Manifest =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        self.package.name.iter().chain(self.dependencies.keys()).try_for_each(|n| check_name(n))?;
        unique("module", self.modules.iter().map(|module| &*module.name))?;
        unique("command", self.commands.iter().map(|command| &*command.name))?;
        self.fs.keys().try_for_each(|guest| check_guest(guest))
    }
}

impl Command {
    /// Refuses a command that is for another runner.
    pub fn check_runner(&self) -> Result<(), String> {
        match &self.runner {
            Some(runner) if !RUNNERS.contains(&&**runner) => Err(format!(
                "the command `{}` is for the runner `{runner}`; only `wasi` is supported",
                self.name
            )),
            _ => Ok(()),
        }
    }

    /// The arguments that go before those of the user.
    pub fn args(&self) -> Vec<String> {
        let own = self.main_args.iter().flat_map(|args| args.split_whitespace());
        own.map(str::to_owned).chain(self.annotations.wasi.main_args.clone()).collect()
    }

    /// The variables of its environment.
    pub fn env(&self) -> Result<Vec<(String, String)>, String> {
        let variables = self.annotations.wasi.env.iter();
        let parsed = variables.map(|text| {
            parse_variable(text).map_err(|e| format!("the command `{}`: {e}: {text}", self.name))
        });
        parsed.collect()
    }
}

/// Checks the name of a package: `NAME` or `NAMESPACE/NAME`.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_part = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(allowed)
    };
    let parts = name.split('/').count();
    if parts <= 2 && name.len() <= MAX_NAME && name.split('/').all(is_part) {
        return Ok(());
    }
    Err(format!("`{}` is no name of a package", name.escape_debug()))
}

/// Checks a program's name for a directory.
fn check_guest(guest: &str) -> Result<(), String> {
    let up = guest.split('/').any(|part| part == "..");
    if guest.is_empty() || up || guest.contains('\0') {
        return Err(format!("[fs]: `{}` is no path", guest.escape_debug()));
    }
    Ok(())
}

fn unique<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(format!("`{}` is no name of a {kind}", name.escape_debug()));
        }
        if !seen.insert(name) {
            return Err(format!("there are two {kind}s named `{name}`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["a", "wasmer/python", "x-1.y_z/0"] {
            assert_eq!(check_name(name), Ok(()));
        }
        for name in ["", "..", "a/..", "a/b/c", "/a", "a\0", "a b", "-a", &"a".repeat(101)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn manifests_are_checked() {
        let refused = |text: &str, reason: &str| {
            let message = Manifest::parse(text).expect_err(text);
            assert!(message.contains(reason), "{message}");
        };
        refused("[package]\nname = '../x'", "no name of a package");
        refused("[package]\nversion = '1.x'", "unexpected character");
        refused("[dependencies]\n'a/b' = 'newest'", "unexpected character");
        refused("[dependencies]\n'a/../b' = '1'", "no name of a package");
        refused("[fs]\n'/../x' = 'x'", "is no path");
        refused("[[module]]\nname = 'm'\n", "missing field `source`");
        let module = "[[module]]\nname = 'm'\nsource = 's'\n";
        refused(&format!("{module}{module}"), "two modules named `m`");
        refused("[package", "");
        // Whatever is cut off, nothing breaks.
        let all = "[package]\nname = 'a/b'\nversion = '1.0.0'\n[fs]\n'/x' = 'y'\n".to_owned()
            + "[[command]]\nname = 'c'\nmodule = 'm'\n[command.annotations.wasi]\nenv = ['X']\n";
        assert!(Manifest::parse(&all).is_ok());
        let parsed = (0..all.len()).filter(|at| Manifest::parse(&all[..*at]).is_ok()).count();
        assert!(parsed < all.len());
    }

    #[test]
    fn arguments_are_written_in_two_ways() {
        let manifest = Manifest::parse(
            "[[command]]\nname = 'c'\nmodule = 'm'\nmain_args = 'a b'\n\
             [command.annotations.wasi]\nmain-args = ['c d']\nenv = ['X=1']",
        );
        let manifest = manifest.expect("it is well-formed");
        assert_eq!(manifest.commands[0].args(), ["a", "b", "c d"]);
        assert_eq!(manifest.commands[0].env(), Ok(vec![("X".to_owned(), "1".to_owned())]));
    }
}
