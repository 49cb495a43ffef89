//! From a package to the program in it: its module, which may be that of a dependency, and the
//! directories of all packages that take part.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use semver::{Version, VersionReq};

use super::manifest::{Command, Manifest, Module, check_name};
use super::{PackageArgs, choose, read};
use crate::grants::{Dir, Grants, inside};
use crate::source::Source;

/// Packages that may depend on each other in a row.
const MAX_DEPTH: usize = 32;

/// A package with what it depends on.
struct Package {
    /// Its directory.
    root: PathBuf,
    manifest: Manifest,
    dependencies: BTreeMap<String, Rc<Package>>,
}

/// The program of the package in a directory.
pub fn open(root: &Path, args: &PackageArgs) -> Result<Source, String> {
    let mut resolver = Resolver { dirs: &args.package_dirs, loaded: BTreeMap::new() };
    let package = resolver.load(root, &mut Vec::new())?;
    package.program(args.entrypoint.as_deref())
}

/// The program of a package that is named as `NAME` or `NAME@VERSION`.
pub fn find(text: &str, args: &PackageArgs) -> Result<Source, String> {
    let (name, wanted) = text.split_once('@').unwrap_or((text, "*"));
    check_name(name).map_err(|message| format!("there is no such file, and {message}"))?;
    let wanted = wanted.parse().map_err(|error| format!("{wanted}: {error}"))?;
    open(&newest(&args.package_dirs, name, &wanted)?, args)
}

/// Where the newest version of a package is that matches what is wanted.
fn newest(dirs: &[PathBuf], name: &str, wanted: &VersionReq) -> Result<PathBuf, String> {
    let versions = dirs.iter().filter_map(|dir| std::fs::read_dir(dir.join(name)).ok());
    let found = versions.flatten().flatten().filter_map(|entry| {
        let version: Version = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path()))
    });
    let (matching, others): (Vec<_>, Vec<_>) =
        found.partition(|(version, _)| wanted.matches(version));
    // Of two directories with the same version the first counts.
    let best = matching.into_iter().rev().max_by(|(a, _), (b, _)| a.cmp(b));
    best.map(|(_, path)| path).ok_or_else(|| {
        let mut others: Vec<_> = others.into_iter().map(|(version, _)| version).collect();
        others.sort();
        let others: Vec<_> = others.iter().map(Version::to_string).collect();
        match others.is_empty() {
            true => format!("the package `{name}` is in no --package-dir"),
            false => format!("no `{name}` is {wanted}; there is {}", others.join(", ")),
        }
    })
}

struct Resolver<'a> {
    dirs: &'a [PathBuf],
    loaded: BTreeMap<PathBuf, Rc<Package>>,
}

impl Resolver<'_> {
    /// The package in a directory. `path` has those that depend on it.
    fn load(&mut self, root: &Path, path: &mut Vec<PathBuf>) -> Result<Rc<Package>, String> {
        let root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
        if let Some(package) = self.loaded.get(&root) {
            return Ok(package.clone());
        }
        if path.contains(&root) {
            return Err("packages depend on each other in a circle".to_owned());
        }
        if path.len() == MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} packages depend on each other in a row"));
        }
        let manifest = Manifest::load(&root)?;
        path.push(root.clone());
        let mut dependencies = BTreeMap::new();
        for (name, wanted) in &manifest.dependencies {
            let within = |message: String| format!("the dependency `{name}`: {message}");
            let place = newest(self.dirs, name, wanted).map_err(within)?;
            let package = self.load(&place, path).map_err(within)?;
            package.check_identity(name, &place).map_err(within)?;
            dependencies.insert(name.clone(), package);
        }
        path.pop();
        let package = Rc::new(Package { root: root.clone(), manifest, dependencies });
        self.loaded.insert(root, package.clone());
        Ok(package)
    }
}

impl Package {
    /// Checks that a package is what its place says.
    fn check_identity(&self, name: &str, place: &Path) -> Result<(), String> {
        let says = &self.manifest.package;
        let version = says.version.as_ref().map(Version::to_string);
        let expected = place.file_name().and_then(|version| version.to_str());
        if says.name.as_deref() == Some(name) && version.as_deref() == expected {
            return Ok(());
        }
        let unknown = || "(nothing)".to_owned();
        let (name, version) = (says.name.clone(), version.unwrap_or_else(unknown));
        let name = name.unwrap_or_else(unknown);
        Err(format!("{} says that it is {name} {version}", place.display()))
    }

    /// The program that a command stands for, or the only module if there are no commands.
    fn program(&self, entrypoint: Option<&str>) -> Result<Source, String> {
        let manifest = &self.manifest;
        let own = manifest.package.entrypoint.as_deref();
        let wanted = entrypoint.or(own);
        if manifest.commands.is_empty() {
            let module = choose("module", &manifest.modules, wanted, |m| Some(&m.name))?;
            return self.source(self, module, None);
        }
        let command = choose("command", &manifest.commands, wanted, |c| Some(&c.name))?;
        command.check_runner()?;
        let (owner, name) = match command.module.rsplit_once(':') {
            Some((package, name)) => {
                let owner = self.dependencies.get(package).ok_or_else(|| {
                    format!("the command `{}`: no dependency `{package}`", command.name)
                })?;
                (&**owner, name)
            }
            None => (self, &*command.module),
        };
        let modules = &owner.manifest.modules;
        let module = modules.iter().find(|module| module.name == name).ok_or_else(|| {
            format!("the command `{}`: there is no module `{}`", command.name, command.module)
        })?;
        self.source(owner, module, Some(command))
    }

    fn source(
        &self,
        owner: &Package,
        module: &Module,
        command: Option<&Command>,
    ) -> Result<Source, String> {
        let path = inside(&owner.root, &module.source)
            .map_err(|error| format!("the module `{}`: {}: {error}", module.name, module.source))?;
        let bytes = read(&path, u64::MAX)?;
        let mut grants = Grants { dirs: self.dirs()?, ..Grants::default() };
        let (mut name, mut args) = (module.name.clone(), Vec::new());
        if let Some(command) = command {
            name.clone_from(&command.name);
            args.extend(command.args().into_iter().map(Into::into));
            grants.env = command.env()?;
            grants.cwd.clone_from(&command.annotations.wasi.cwd);
            grants.argv0.clone_from(&command.annotations.wasi.exec_name);
        }
        Ok(Source { path, bytes, name, args, grants })
    }

    /// The directories of this package and of all that it depends on, nearest first.
    fn dirs(&self) -> Result<Vec<Dir>, String> {
        let (mut grants, mut seen) = (Grants::default(), BTreeSet::new());
        let mut packages = vec![self];
        while !packages.is_empty() {
            let mut further = Vec::new();
            for package in packages {
                if seen.insert(&package.root) {
                    let dirs = package.own_dirs()?;
                    grants = grants.over(Grants { dirs, ..Grants::default() });
                    further.extend(package.dependencies.values().map(|package| &**package));
                }
            }
            packages = further;
        }
        Ok(grants.dirs)
    }

    /// The directories of this package. Programs can read them: they belong to the package.
    fn own_dirs(&self) -> Result<Vec<Dir>, String> {
        let dirs = self.manifest.fs.iter().map(|(guest, host)| {
            let host = inside(&self.root, host)
                .map_err(|error| format!("[fs]: `{guest}` = `{host}`: {error}"))?;
            let parts: Vec<_> = guest.split('/').filter(|p| !matches!(*p, "" | ".")).collect();
            let guest = format!("/{}", parts.join("/"));
            Ok(Dir { host, guest, read_only: true })
        });
        dirs.collect()
    }
}
