//! Every operation on every shape of path, with and without the right to write, against a model of
//! the tree that knows nothing of the host: the outcome is the model's, and so is the tree after.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tenon::wasi::Config;

use crate::guest::*;

/// Any error will do: systems differ, or several are right.
const ANY: u32 = u32::MAX;

/// What the host would list: paths with what is there.
type Listing = BTreeMap<String, String>;

#[derive(Clone)]
enum Node {
    File(String),
    Link(String),
    Dir(BTreeMap<String, usize>),
}

/// A tree: the first node is its root.
#[derive(Clone)]
struct Model(Vec<Node>);

/// Where a path leads: a directory, a name in it unless the path ends with dots, what is there.
struct Spot {
    dir: usize,
    name: Option<String>,
    node: Option<usize>,
}

impl Model {
    fn scene() -> Model {
        let mut model = Model(vec![Node::Dir(BTreeMap::new())]);
        for (path, node) in [
            ("file", Node::File("text".to_owned())),
            ("dir", Node::Dir(BTreeMap::new())),
            ("dir/file", Node::File("other".to_owned())),
            ("dir/sub", Node::Dir(BTreeMap::new())),
            ("empty", Node::Dir(BTreeMap::new())),
            ("to_file", Node::Link("file".to_owned())),
            ("to_dir", Node::Link("dir".to_owned())),
            ("to_slash", Node::Link("dir/".to_owned())),
            ("file_slash", Node::Link("file/".to_owned())),
            ("to_dot", Node::Link("dir/.".to_owned())),
            ("to_self", Node::Link(".".to_owned())),
            ("dir/up", Node::Link("../file".to_owned())),
            ("dir/down", Node::Link("sub/../../to_file".to_owned())),
            ("to_link", Node::Link("dir/up".to_owned())),
            ("dangling", Node::Link("nothing".to_owned())),
            ("dir/far", Node::Link("../empty/new".to_owned())),
            ("loop", Node::Link("loop".to_owned())),
            ("out", Node::Link("..".to_owned())),
            ("out_file", Node::Link("../outside".to_owned())),
            ("out_new", Node::Link("../created".to_owned())),
            ("dir/out", Node::Link("../../outside".to_owned())),
            ("absolute", Node::Link("/etc/passwd".to_owned())),
            ("round", Node::Link("../root/file".to_owned())),
        ] {
            let spot = model.walk(path, false).expect("the scene is good");
            let name = spot.name.expect("its paths are plain");
            model.put(spot.dir, &name, node);
        }
        model
    }

    fn entries(&mut self, dir: usize) -> &mut BTreeMap<String, usize> {
        match &mut self.0[dir] {
            Node::Dir(entries) => entries,
            _ => panic!("not a directory of the model"),
        }
    }

    fn put(&mut self, dir: usize, name: &str, node: Node) {
        self.0.push(node);
        let number = self.0.len() - 1;
        self.entries(dir).insert(name.to_owned(), number);
    }

    /// Follows a path, and what is at its end if that is a link and `follow`.
    fn walk(&self, path: &str, follow: bool) -> Result<Spot, u32> {
        if path.is_empty() {
            return Err(errno::NOENT);
        }
        if path.starts_with('/') {
            return Err(errno::PERM);
        }
        let (mut passed, mut links) = (vec![0], 0);
        let mut pending: Vec<String> = Vec::new();
        let push = |pending: &mut Vec<String>, path: &str| {
            pending.extend(path.split('/').rev().filter(|c| !c.is_empty()).map(str::to_owned));
        };
        push(&mut pending, path);
        while let Some(name) = pending.pop() {
            let dir = *passed.last().expect("the root stays");
            match name.as_str() {
                "." => continue,
                ".." if passed.len() == 1 => return Err(errno::PERM),
                ".." => {
                    passed.pop();
                    continue;
                }
                _ => {}
            }
            let Node::Dir(entries) = &self.0[dir] else { panic!("only directories are passed") };
            let node = entries.get(&name).copied();
            let last = pending.is_empty();
            match node.map(|node| &self.0[node]) {
                Some(Node::Link(target)) if !last || follow => {
                    links += 1;
                    if links > 40 {
                        return Err(errno::LOOP);
                    }
                    if target.starts_with('/') {
                        return Err(errno::PERM);
                    }
                    if target.ends_with('/') {
                        pending.push(".".to_owned());
                    }
                    push(&mut pending, target);
                }
                _ if last => return Ok(Spot { dir, name: Some(name), node }),
                None => return Err(errno::NOENT),
                Some(Node::Dir(_)) => passed.push(node.expect("it is there")),
                Some(_) => return Err(errno::NOTDIR),
            }
        }
        let dir = *passed.last().expect("the root stays");
        Ok(Spot { dir, name: None, node: Some(dir) })
    }

    /// Whether one directory is the other, or in it.
    fn contains(&self, outer: usize, inner: usize) -> bool {
        outer == inner
            || match &self.0[outer] {
                Node::Dir(entries) => entries.values().any(|node| self.contains(*node, inner)),
                _ => false,
            }
    }

    /// What the tree looks like.
    fn listing(&self) -> Listing {
        fn list(model: &Model, dir: usize, prefix: &str, listing: &mut Listing) {
            let Node::Dir(entries) = &model.0[dir] else { return };
            for (name, node) in entries {
                let path = format!("{prefix}{name}");
                let what = match &model.0[*node] {
                    Node::File(text) => format!("file {text}"),
                    Node::Link(target) => format!("link {target}"),
                    Node::Dir(_) => "dir".to_owned(),
                };
                list(model, *node, &format!("{path}/"), listing);
                listing.insert(path, what);
            }
        }
        let mut listing = Listing::new();
        list(self, 0, "", &mut listing);
        listing
    }

    fn build(&self, root: &Path) {
        for (path, what) in self.listing() {
            let (kind, text) = what.split_once(' ').unwrap_or((&what, ""));
            let path = root.join(path);
            match kind {
                "file" => fs::write(path, text),
                "link" => symlink(text, path),
                _ => fs::create_dir(path),
            }
            .expect("the tree can be made");
        }
    }

    /// What an operation does to the tree; its error.
    fn apply(&mut self, operation: Operation, path: &str) -> Result<(), u32> {
        let slash = path.ends_with('/');
        match operation {
            Operation::Open { follow, flags, writes } => {
                if flags & CREAT != 0 && slash {
                    // Only a directory could be there, and none is made.
                    return Err(if path.starts_with('/') { errno::PERM } else { errno::ISDIR });
                }
                let new = flags & (CREAT | EXCL) == CREAT | EXCL;
                // When a link's target ends with a slash, that may be wrong first.
                let creates = flags & CREAT != 0;
                let spot = self.walk(path, follow && !new).map_err(|error| match error {
                    errno::NOENT | errno::NOTDIR if creates && path.ends_with("_slash") => ANY,
                    error => error,
                })?;
                let Some(node) = spot.node else {
                    if flags & CREAT == 0 {
                        return Err(errno::NOENT);
                    }
                    let name = spot.name.expect("only a name can be missing");
                    self.put(spot.dir, &name, Node::File(String::new()));
                    return Ok(());
                };
                let wants_directory = slash || flags & DIRECTORY != 0;
                match &mut self.0[node] {
                    _ if new && spot.name.is_some() => Err(errno::EXIST),
                    Node::Link(_) => Err(if wants_directory { ANY } else { errno::LOOP }),
                    Node::File(_) if wants_directory => Err(errno::NOTDIR),
                    Node::File(text) => {
                        if flags & TRUNC != 0 {
                            text.clear();
                        }
                        Ok(())
                    }
                    Node::Dir(_) if flags & (CREAT | TRUNC) != 0 => Err(ANY),
                    Node::Dir(_) if writes => Err(errno::ISDIR),
                    Node::Dir(_) => Ok(()),
                }
            }
            Operation::Stat { follow } | Operation::SetTimes { follow } => {
                let node = self.walk(path, follow)?.node.ok_or(errno::NOENT)?;
                match self.0[node] {
                    Node::Dir(_) => Ok(()),
                    Node::Link(_) if slash => Err(ANY),
                    _ if slash => Err(errno::NOTDIR),
                    _ => Ok(()),
                }
            }
            Operation::CreateDirectory => {
                let spot = self.walk(path, false)?;
                match spot.name {
                    None => Err(ANY),
                    Some(_) if spot.node.is_some() => Err(errno::EXIST),
                    Some(name) => {
                        self.put(spot.dir, &name, Node::Dir(BTreeMap::new()));
                        Ok(())
                    }
                }
            }
            Operation::RemoveDirectory => {
                let spot = self.walk(path, false)?;
                let name = spot.name.ok_or(ANY)?;
                match &self.0[spot.node.ok_or(errno::NOENT)?] {
                    Node::Dir(entries) if entries.is_empty() => {
                        self.entries(spot.dir).remove(&name);
                        Ok(())
                    }
                    Node::Dir(_) => Err(errno::NOTEMPTY),
                    _ => Err(errno::NOTDIR),
                }
            }
            Operation::Unlink => {
                let spot = self.walk(path, false)?;
                let name = spot.name.ok_or(ANY)?;
                match &self.0[spot.node.ok_or(errno::NOENT)?] {
                    Node::Dir(_) => Err(errno::ISDIR),
                    Node::Link(_) if slash => Err(ANY),
                    Node::File(_) if slash => Err(errno::NOTDIR),
                    _ => {
                        self.entries(spot.dir).remove(&name);
                        Ok(())
                    }
                }
            }
            Operation::ReadLink => {
                let spot = self.walk(path, slash)?;
                match &self.0[spot.node.ok_or(errno::NOENT)?] {
                    Node::Link(_) => Ok(()),
                    Node::File(_) if slash => Err(errno::NOTDIR),
                    _ => Err(errno::INVAL),
                }
            }
            Operation::Symlink => {
                let spot = self.walk(path, false)?;
                match spot.name {
                    None => Err(ANY),
                    Some(_) if spot.node.is_some() => Err(errno::EXIST),
                    Some(_) if slash => Err(errno::NOENT),
                    Some(name) => {
                        self.put(spot.dir, &name, Node::Link("file".to_owned()));
                        Ok(())
                    }
                }
            }
            Operation::LinkFrom => {
                let spot = self.walk(path, slash)?;
                let node = spot.node.ok_or(errno::NOENT)?;
                match &self.0[node] {
                    Node::Dir(_) if spot.name.is_none() => Err(ANY),
                    Node::Dir(_) => Err(errno::PERM),
                    _ if slash => Err(errno::NOTDIR),
                    _ => {
                        self.entries(0).insert("fresh".to_owned(), node);
                        Ok(())
                    }
                }
            }
            Operation::LinkTo => {
                if slash {
                    return Err(ANY);
                }
                let spot = self.walk(path, false)?;
                if spot.node.is_some() {
                    return Err(if spot.name.is_some() { errno::EXIST } else { ANY });
                }
                let file = self.entries(0)["file"];
                self.entries(spot.dir).insert(spot.name.expect("a name is missing"), file);
                Ok(())
            }
            Operation::RenameFrom => self.rename(path, "fresh"),
            Operation::RenameFileTo => self.rename("file", path),
            Operation::RenameDirTo => self.rename("dir", path),
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), u32> {
        let slash = from.ends_with('/') || to.ends_with('/');
        let (from, to) = (self.walk(from, false)?, self.walk(to, false)?);
        let (Some(from_name), Some(to_name)) = (from.name, to.name) else { return Err(ANY) };
        let node = from.node.ok_or(errno::NOENT)?;
        let moves_directory = matches!(self.0[node], Node::Dir(_));
        if slash && !moves_directory {
            return Err(errno::NOTDIR);
        }
        if moves_directory && self.contains(node, to.dir) {
            return Err(errno::INVAL);
        }
        if let Some(there) = to.node.filter(|there| *there != node) {
            match &self.0[there] {
                // What is moved is in it.
                _ if self.contains(there, from.dir) => return Err(ANY),
                Node::Dir(_) if !moves_directory => return Err(errno::ISDIR),
                Node::Dir(entries) if !entries.is_empty() => return Err(errno::NOTEMPTY),
                Node::Dir(_) => {}
                _ if moves_directory => return Err(errno::NOTDIR),
                _ => {}
            }
        }
        if to.node != Some(node) {
            self.entries(from.dir).remove(&from_name);
            self.entries(to.dir).insert(to_name, node);
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Open { follow: bool, flags: u32, writes: bool },
    Stat { follow: bool },
    SetTimes { follow: bool },
    CreateDirectory,
    RemoveDirectory,
    Unlink,
    ReadLink,
    Symlink,
    LinkFrom,
    LinkTo,
    RenameFrom,
    RenameFileTo,
    RenameDirTo,
}

impl Operation {
    fn all() -> Vec<Operation> {
        use Operation::*;
        let mut all = vec![
            CreateDirectory,
            RemoveDirectory,
            Unlink,
            ReadLink,
            Symlink,
            LinkFrom,
            LinkTo,
            RenameFrom,
            RenameFileTo,
            RenameDirTo,
        ];
        for follow in [false, true] {
            all.extend([Stat { follow }, SetTimes { follow }]);
            for (flags, writes) in [
                (0, false),
                (0, true),
                (DIRECTORY, false),
                (CREAT, true),
                (CREAT, false),
                (CREAT | EXCL, true),
                (TRUNC, true),
                (TRUNC, false),
                (CREAT | TRUNC, true),
            ] {
                all.push(Open { follow, flags, writes });
            }
        }
        all
    }

    /// Whether a directory that may only be read allows it.
    fn only_reads(self) -> bool {
        match self {
            Operation::Open { flags, writes, .. } => !writes && flags & (CREAT | TRUNC) == 0,
            Operation::Stat { .. } | Operation::ReadLink => true,
            _ => false,
        }
    }

    /// Has the guest do it.
    fn perform(self, guest: &Guest, path: &str) -> u32 {
        match self {
            Operation::Open { follow, flags, writes } => {
                let base = if writes { rights::WRITE } else { rights::READ };
                match guest.open_with((DIR, follow.into()), path, flags, base, 0) {
                    Ok(fd) => guest.close(fd),
                    Err(errno) => errno,
                }
            }
            Operation::Stat { follow } => {
                guest.stat(DIR, follow.into(), path).map_or_else(|errno| errno, |_| 0)
            }
            Operation::SetTimes { follow } => {
                let [at, len] = guest.path(path);
                guest.call("path_filestat_set_times", &[3, follow.into(), at, len, 1, 2, 5])
            }
            Operation::CreateDirectory => guest.on_path("path_create_directory", DIR, path),
            Operation::RemoveDirectory => guest.on_path("path_remove_directory", DIR, path),
            Operation::Unlink => guest.on_path("path_unlink_file", DIR, path),
            Operation::ReadLink => guest.readlink(DIR, path, 100).map_or_else(|errno| errno, |_| 0),
            Operation::Symlink => guest.symlink("file", DIR, path),
            Operation::LinkFrom => guest.link(0, (DIR, path), (DIR, "fresh")),
            Operation::LinkTo => guest.link(0, (DIR, "file"), (DIR, path)),
            Operation::RenameFrom => guest.rename((DIR, path), (DIR, "fresh")),
            Operation::RenameFileTo => guest.rename((DIR, "file"), (DIR, path)),
            Operation::RenameDirTo => guest.rename((DIR, "dir"), (DIR, path)),
        }
    }
}

/// Paths of many shapes: what is there, and what is not, behind and before dots and slashes.
fn paths() -> Vec<String> {
    let names = [
        "file",
        "dir",
        "dir/file",
        "dir/sub",
        "empty",
        "nothing",
        "to_file",
        "to_dir",
        "to_slash",
        "file_slash",
        "to_dot",
        "to_self",
        "dir/up",
        "dir/down",
        "to_link",
        "dangling",
        "dir/far",
        "loop",
        "out",
        "out_file",
        "out_new",
        "dir/out",
        "absolute",
        "round",
        "to_dir/sub",
        "to_dir/far",
        "to_slash/new",
        "to_self/to_self/file",
        "out/outside",
        "out/root/file",
        "loop/file",
        "nothing/new",
        "file/new",
        "dir/sub/../../file",
        "empty/../../outside",
        "absolute/x",
        "dir/new",
    ];
    let mut paths: Vec<String> =
        ["", ".", "..", "./", "../", "/", "../root", "dir/..", "dir/../.."]
            .map(str::to_owned)
            .to_vec();
    for name in names {
        paths.push(name.to_owned());
        paths.extend(["/", "//", "/.", "/.."].map(|end| format!("{name}{end}")));
        paths.extend(
            ["./", "dir/../", "to_dir/../", "out/", "/"].map(|start| format!("{start}{name}")),
        );
    }
    paths
}

fn list(root: &Path, prefix: &str, listing: &mut Listing) {
    for entry in fs::read_dir(root).expect("the tree can be listed") {
        let entry = entry.expect("the tree can be listed");
        let name = entry.file_name().into_string().expect("names are text");
        let (path, key) = (entry.path(), format!("{prefix}{name}"));
        let kind = entry.file_type().expect("its kind is known");
        let what = if kind.is_symlink() {
            format!("link {}", fs::read_link(&path).expect("it is a link").display())
        } else if kind.is_dir() {
            list(&path, &format!("{key}/"), listing);
            "dir".to_owned()
        } else {
            format!("file {}", fs::read_to_string(&path).expect("it is a file"))
        };
        listing.insert(key, what);
    }
}

fn check(writable: bool) {
    let scene = Model::scene();
    let before = scene.listing();
    let (mut cases, mut succeeded, mut wrong) = (0, 0, Vec::new());
    let make = || {
        let dir = TempDir::new();
        dir.mkdir("root");
        dir.write("outside", b"SECRET");
        scene.build(&dir.join("root"));
        let mut config = Config::new();
        config.dir(dir.join("root"), "/", writable).expect("it is there");
        (dir, Guest::new(config))
    };
    let (mut dir, mut guest) = make();
    for operation in Operation::all() {
        for path in paths() {
            cases += 1;
            let mut model = scene.clone();
            let expected = if writable || operation.only_reads() {
                model.apply(operation, &path)
            } else {
                Err(errno::NOTCAPABLE)
            };
            let errno = operation.perform(&guest, &path);
            let as_expected = match expected {
                Ok(()) => errno == 0,
                Err(ANY) => errno != 0,
                Err(error) => errno == error,
            };
            if !as_expected {
                wrong.push(format!("{operation:?} {path:?}: {errno}, not {expected:?}"));
            }
            succeeded += u32::from(errno == 0);
            let mut after = Listing::new();
            list(&dir.0, "", &mut after);
            assert_eq!(after.remove("outside").as_deref(), Some("file SECRET"), "{path:?}");
            assert_eq!(after.remove("root").as_deref(), Some("dir"), "{operation:?} {path:?}");
            let inside: Listing = after
                .into_iter()
                .map(|(path, what)| match path.strip_prefix("root/") {
                    Some(path) => (path.to_owned(), what),
                    None => panic!("{operation:?} {path:?} has made {path}"),
                })
                .collect();
            let wanted = if expected.is_ok() { model.listing() } else { before.clone() };
            if inside != wanted {
                wrong.push(format!("{operation:?} {path:?} leaves another tree"));
            }
            if inside != before {
                (dir, guest) = make();
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases >= 10_000 && succeeded >= 500, "{succeeded} of {cases}");
}

#[test]
fn paths_lead_where_the_model_says() {
    check(true);
}

#[test]
fn paths_to_read_lead_where_the_model_says() {
    check(false);
}
