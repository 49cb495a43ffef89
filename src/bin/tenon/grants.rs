//! What a program is given.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use tenon::wasi;

use crate::Failure;

/// What a program is given besides its arguments and the standard streams.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[command(next_help_heading = "What the program is given")]
pub struct Grants {
    /// Give the program a directory, under a name of its own after `::`. Without it the name is
    /// HOST. With `:ro` at the end it can read but not change what is in it.
    #[arg(long = "dir", value_name = "HOST[::GUEST][:ro]", value_parser = parse_dir)]
    pub dirs: Vec<Dir>,
    /// Set a variable of the program's environment.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = parse_variable)]
    pub env: Vec<(String, String)>,
    /// Give the program all variables of this environment; `--env` goes before them.
    #[arg(long)]
    pub env_inherit: bool,
    /// What the program finds as its own name, its argument 0.
    #[arg(long, value_name = "NAME")]
    pub argv0: Option<String>,
    /// The directory that the program's relative paths begin in: one of those it is given, or one
    /// below, by the program's name for it.
    #[arg(long, value_name = "GUEST")]
    pub cwd: Option<String>,
    /// Let the program accept connections on this address; its descriptor follows those of the
    /// directories. With port 0 the system chooses the port, and standard error names it.
    #[arg(long = "tcplisten", value_name = "ADDRESS:PORT")]
    pub listeners: Vec<String>,
    /// Let the program reach this over the network: connect and send to it, bind to it, look it
    /// up. HOST is an address, a block ADDRESS/BITS, a name, or *; PORT a number, a range
    /// FIRST-LAST, or *.
    #[arg(long = "allow-net", value_name = "HOST:PORT")]
    pub nets: Vec<String>,
}

/// A directory that a program is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dir {
    /// Its path here.
    pub host: PathBuf,
    /// Its name for the program.
    pub guest: String,
    /// Whether nothing in it can be changed.
    pub read_only: bool,
}

/// Reads `HOST[::GUEST][:ro]`. A name that ends in `:ro` itself can be followed by `:rw`.
fn parse_dir(arg: &str) -> Result<Dir, String> {
    let (names, read_only) = match (arg.strip_suffix(":ro"), arg.strip_suffix(":rw")) {
        (Some(names), _) => (names, true),
        (None, Some(names)) => (names, false),
        (None, None) => (arg, false),
    };
    let (host, guest) = names.split_once("::").unwrap_or((names, names));
    if host.is_empty() || guest.is_empty() {
        return Err("a directory without a name".to_owned());
    }
    Ok(Dir { host: host.into(), guest: guest.to_owned(), read_only })
}

/// Reads `NAME=VALUE`.
pub fn parse_variable(arg: &str) -> Result<(String, String), String> {
    match arg.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a variable is NAME=VALUE".to_owned()),
    }
}

impl Grants {
    /// These and others; where only one can be, `self` goes before.
    pub fn over(self, others: Grants) -> Grants {
        let mut dirs = self.dirs;
        let hidden = |dir: &Dir| dirs.iter().any(|own| same_place(&own.guest, &dir.guest));
        let seen: Vec<_> = others.dirs.into_iter().filter(|dir| !hidden(dir)).collect();
        dirs.extend(seen);
        Grants {
            dirs,
            env: [others.env, self.env].concat(),
            env_inherit: self.env_inherit || others.env_inherit,
            argv0: self.argv0.or(others.argv0),
            cwd: self.cwd.or(others.cwd),
            listeners: [self.listeners, others.listeners].concat(),
            nets: [self.nets, others.nets].concat(),
        }
    }

    /// The settings of WASI for a program with this name and these arguments.
    pub fn wasi_config(&self, name: &str, args: &[OsString]) -> Result<wasi::Config, Failure> {
        let mut config = wasi::Config::new();
        config.inherit_stdin().inherit_stdout().inherit_stderr();
        config.arg(self.argv0.as_deref().unwrap_or(name));
        for arg in args {
            config.arg(arg.as_bytes());
        }
        for (name, value) in self.environment() {
            config.env(name, value);
        }
        for dir in &self.dirs {
            give(&mut config, &dir.host, &dir.guest, dir.read_only)?;
        }
        if let Some(cwd) = &self.cwd {
            let (host, read_only) = self.locate(cwd)?;
            // Guests' C libraries resolve relative paths against what is called `.`.
            give(&mut config, &host, ".", read_only)?;
        }
        for address in &self.listeners {
            match config.tcp_listen(address) {
                Ok(local) if address.ends_with(":0") => eprintln!("listening on {local}"),
                Ok(_) => {}
                Err(error) => return Err(Failure::from(format!("{address}: {error}"))),
            }
        }
        for grant in &self.nets {
            config.allow_net(grant).map_err(|error| Failure::from(error.to_string()))?;
        }
        Ok(config)
    }

    /// The variables, each once, in the order in which they were first named.
    fn environment(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let inherited = self.env_inherit.then(std::env::vars_os).into_iter().flatten();
        let inherited = inherited.map(|(name, value)| (name.into_vec(), value.into_vec()));
        let pwd = self.cwd.iter().map(|cwd| (b"PWD".to_vec(), cwd.as_bytes().to_vec()));
        let own = self.env.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec()));
        let mut variables: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (name, value) in inherited.chain(pwd).chain(own) {
            match variables.iter_mut().find(|(known, _)| *known == name) {
                Some(variable) => variable.1 = value,
                None => variables.push((name, value)),
            }
        }
        variables
    }

    /// The directory here that the program knows by this name, and whether it can only read it.
    fn locate(&self, guest: &str) -> Result<(PathBuf, bool), Failure> {
        let matching = self.dirs.iter().filter_map(|dir| Some((dir, below(&dir.guest, guest)?)));
        let Some((dir, rest)) = matching.min_by_key(|(_, rest)| rest.len()) else {
            let message = format!("--cwd: `{guest}` is in no directory that the program is given");
            return Err(Failure::from(message));
        };
        let path = inside(&dir.host, rest)
            .map_err(|error| Failure::from(format!("--cwd: `{guest}`: {error}")))?;
        Ok((path, dir.read_only))
    }
}

fn give(
    config: &mut wasi::Config,
    host: &Path,
    guest: &str,
    read_only: bool,
) -> Result<(), Failure> {
    config.dir(host, guest, !read_only).map(drop).map_err(|error| Failure::at(host, error))
}

fn same_place(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

/// What is left of a path below a directory, if it is.
fn below<'a>(dir: &str, path: &'a str) -> Option<&'a str> {
    if dir == "." && !path.starts_with('/') {
        return Some(path);
    }
    let rest = path.strip_prefix(dir.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/'))
}

/// A path below a directory, with all links followed.
///
/// # Errors
///
/// When nothing is there, or when it is not inside of the directory.
pub fn inside(dir: &Path, relative: &str) -> Result<PathBuf, String> {
    if Path::new(relative).is_absolute() {
        return Err("the path is absolute".to_owned());
    }
    let resolve = |path: &Path| path.canonicalize().map_err(|error| error.to_string());
    let (dir, path) = (resolve(dir)?, resolve(&dir.join(relative))?);
    if path.starts_with(dir) { Ok(path) } else { Err("the path leads outside".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(host: &str, guest: &str, read_only: bool) -> Dir {
        Dir { host: host.into(), guest: guest.to_owned(), read_only }
    }

    #[test]
    fn directories_may_have_two_names() {
        assert_eq!(parse_dir("a"), Ok(dir("a", "a", false)));
        assert_eq!(parse_dir("a::/b"), Ok(dir("a", "/b", false)));
        assert_eq!(parse_dir("a:ro"), Ok(dir("a", "a", true)));
        assert_eq!(parse_dir("a::/b:ro"), Ok(dir("a", "/b", true)));
        assert_eq!(parse_dir("a:ro::/b:rw"), Ok(dir("a:ro", "/b", false)));
        assert!(parse_dir("::b").is_err());
        assert!(parse_dir(":ro").is_err());
    }

    #[test]
    fn the_last_value_of_a_variable_counts() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let env = vec![variable("A", "1"), variable("B", "2"), variable("A", "3")];
        let grants = Grants { env, ..Grants::default() };
        let expected = [(b"A".to_vec(), b"3".to_vec()), (b"B".to_vec(), b"2".to_vec())];
        assert_eq!(grants.environment(), expected);
        assert!(parse_variable("=x").is_err());
    }

    #[test]
    fn paths_are_below_whole_names() {
        assert_eq!(below("/data", "/data/x/y"), Some("x/y"));
        assert_eq!(below("/", "/data"), Some("data"));
        assert_eq!(below("/data/", "/data"), Some(""));
        assert_eq!(below("/data", "/database"), None);
        assert_eq!(below(".", "data"), Some("data"));
        assert_eq!(below(".", "/data"), None);
    }

    #[test]
    fn own_grants_go_before() {
        let own = Grants { dirs: vec![dir("x", "/a/", false)], ..Grants::default() };
        let others = vec![dir("y", "/a", true), dir("z", "/b", true)];
        let all =
            own.over(Grants { dirs: others, cwd: Some("/b".to_owned()), ..Grants::default() });
        assert_eq!(all.dirs, [dir("x", "/a/", false), dir("z", "/b", true)]);
        assert_eq!(all.cwd.as_deref(), Some("/b"));
    }
}
