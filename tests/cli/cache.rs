//! The cache, and `tenon cache`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::{ARITHMETIC, Folder, command, folder, stderr, stdout, text, write};

/// A cache of a test's own, with a module.
struct Cached {
    folder: Folder,
    home: PathBuf,
    file: PathBuf,
}

impl Cached {
    fn new(test: &str) -> Cached {
        let dir = folder(test);
        let file = write(&dir, "a.wat", ARITHMETIC);
        Cached { home: dir.join("home"), folder: dir, file }
    }

    fn dir(&self) -> PathBuf {
        self.home.join("tenon")
    }

    fn tenon(&self, args: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = command(args);
        command.env("XDG_CACHE_HOME", &self.home).envs(variables.iter().copied());
        command.output().expect("the command line has been built")
    }

    /// Runs the module with these options. It has to work, whatever becomes of the cache; what is
    /// said on standard error.
    #[track_caller]
    fn run_with(&self, options: &[&str], variables: &[(&str, &str)]) -> String {
        let call = ["--invoke", "div", text(&self.file), "6", "3"];
        let args: Vec<_> = ["run"].iter().chain(options).chain(&call).copied().collect();
        let output = self.tenon(&args, variables);
        assert_eq!(stdout(&output), "2\n", "{}", stderr(&output));
        stderr(&output)
    }

    #[track_caller]
    fn run(&self) {
        assert_eq!(self.run_with(&["--cache"], &[]), "");
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir()).into_iter().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("it is there").path()).collect();
        paths.sort();
        paths
    }

    fn entry(&self) -> PathBuf {
        let entries = self.entries();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0].clone()
    }
}

fn set_age(path: &Path, seconds: u64) {
    let time = std::time::SystemTime::now() - std::time::Duration::from_secs(seconds);
    let file = fs::File::options().write(true).open(path).expect("it is there");
    file.set_modified(time).expect("it is ours");
}

fn modified(path: &Path) -> std::time::SystemTime {
    path.metadata().and_then(|data| data.modified()).expect("it is there")
}

#[test]
fn modules_are_kept_and_used_again() {
    let cached = Cached::new("cache");
    cached.run();
    let entry = cached.entry();
    let mode = cached.dir().metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    // What is used keeps its bytes, and counts as used now.
    set_age(&entry, 1000);
    let before = (fs::read(&entry).expect("it is there"), modified(&entry));
    cached.run();
    assert_eq!(fs::read(cached.entry()).expect("it is there"), before.0);
    assert!(modified(&cached.entry()) > before.1);
    // Code for other settings, and another module, are other entries.
    cached.run_with(&["--explicit-checks"], &[]);
    assert_eq!(cached.entries().len(), 2);
    fs::write(&cached.file, ARITHMETIC.replace("$deep", "$other")).expect("there is room");
    cached.run();
    assert_eq!(cached.entries().len(), 3);
}

#[test]
fn an_entry_is_what_is_run() {
    // Two modules of the same size, whose entries change places: an entry that holds another
    // module than its name says is not used.
    let cached = Cached::new("swapped");
    cached.run();
    let divides = cached.entry();
    fs::write(&cached.file, ARITHMETIC.replace("i32.div_s", "i32.sub")).expect("there is room");
    let output = cached.tenon(&["run", "--invoke", "div", text(&cached.file), "6", "3"], &[]);
    assert_eq!(stdout(&output), "3\n");
    let subtracts = cached.entries().into_iter().find(|path| *path != divides);
    fs::copy(subtracts.expect("it is kept"), &divides).expect("there is room");
    fs::write(&cached.file, ARITHMETIC).expect("there is room");
    cached.run();
}

#[test]
fn damaged_entries_are_made_again() {
    let cached = Cached::new("damaged_entry");
    cached.run();
    let entry = cached.entry();
    let whole = fs::read(&entry).expect("it is there");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], b""] {
        fs::write(&entry, damaged).expect("there is room");
        cached.run();
        assert_eq!(fs::read(&entry).expect("it is there"), whole);
    }
    // Something else of that name is left alone, and does no harm.
    fs::remove_file(&entry).expect("it is there");
    fs::create_dir(&entry).expect("there is room");
    assert!(cached.run_with(&["--cache"], &[]).contains("the cache is not used"));
    assert_eq!(cached.run_with(&[], &[]), "");
    assert_eq!(cached.entries(), [entry]);
}

#[test]
fn entries_that_are_not_used_make_room() {
    let cached = Cached::new("room");
    cached.run();
    let first = cached.entry();
    let size = first.metadata().expect("it is there").len();
    set_age(&first, 2000);
    cached.run_with(&["--explicit-checks"], &[]);
    let second = cached.entries().into_iter().find(|path| *path != first).expect("it is kept");
    set_age(&second, 1000);
    // The first is used again, so that the second is the oldest.
    cached.run();
    let abandoned = write(&cached.dir(), ".unfinished-1-1", "x");
    set_age(&abandoned, 100_000);
    let recent = write(&cached.dir(), ".unfinished-2-2", "x");
    let foreign = write(&cached.dir(), "notes", "somebody else's");
    let bound = (size * 5 / 2).to_string();
    cached.run_with(&["--feature", "simd=off"], &[("TENON_CACHE_SIZE", &bound)]);
    let left = cached.entries();
    assert!(left.contains(&first) && !left.contains(&second), "{left:?}");
    assert!(!left.contains(&abandoned) && left.contains(&recent), "{left:?}");
    assert!(left.contains(&foreign), "{left:?}");
    assert_eq!(left.len(), 4, "{left:?}");

    let cached = Cached::new("no_room");
    let warning = cached.run_with(&["--cache"], &[("TENON_CACHE_SIZE", "100")]);
    assert!(warning.contains("larger than the cache may be"), "{warning}");
    assert!(cached.entries().is_empty());
    let warning = cached.run_with(&["--cache"], &[("TENON_CACHE_SIZE", "much")]);
    assert!(warning.contains("TENON_CACHE_SIZE is no size: much"), "{warning}");
}

#[test]
fn options_switch_it_off() {
    let cached = Cached::new("off");
    cached.run_with(&["--no-cache"], &[]);
    cached.run_with(&["--cache", "--no-cache"], &[]);
    cached.run_with(&["--lazy"], &[]);
    assert!(cached.run_with(&["--lazy", "--cache"], &[]).contains("compiled whole"));
    assert!(!cached.home.exists());
    cached.run_with(&["--no-cache", "--cache"], &[]);
    cached.entry();
}

#[test]
fn a_directory_that_is_not_safe_is_not_used() {
    let cached = Cached::new("unsafe");
    fs::create_dir_all(cached.dir()).expect("there is room");
    let set_mode = |mode| {
        fs::set_permissions(cached.dir(), fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    for mode in [0o777, 0o770, 0o702] {
        set_mode(mode);
        let warning = cached.run_with(&["--cache"], &[]);
        assert!(warning.contains("others can write to the directory"), "{warning}");
        assert_eq!(cached.run_with(&[], &[]), "");
        assert!(cached.entries().is_empty());
    }
    let output = cached.tenon(&["cache", "info"], &[]);
    assert_eq!(output.status.code(), Some(1));
    set_mode(0o700);
    cached.run();
    // Nor one behind a link: who has made the link is not known.
    let moved = cached.home.join("moved");
    fs::rename(cached.dir(), &moved).expect("it is ours");
    symlink(&moved, cached.dir()).expect("there is room");
    assert!(cached.run_with(&["--cache"], &[]).contains("the cache is not used"));
}

#[test]
fn a_place_that_cannot_be_used_does_not_matter() {
    let cached = Cached::new("no_place");
    let file = write(&cached.folder, "file", "");
    for home in [text(&file), "relative", ""] {
        let variables = [("XDG_CACHE_HOME", home), ("HOME", "")];
        assert!(cached.run_with(&["--cache"], &variables).contains("the cache is not used"));
        assert_eq!(cached.run_with(&[], &variables), "");
    }
}

#[test]
fn processes_share_it() {
    let cached = Cached::new("shared");
    let call = ["run", "--cache", "--invoke", "div", text(&cached.file), "6", "3"];
    let start = || {
        let mut command = command(call);
        let piped = std::process::Stdio::piped;
        command.env("XDG_CACHE_HOME", &cached.home).stdout(piped()).stderr(piped());
        command.spawn().expect("the command line has been built")
    };
    let children: Vec<_> = (0..8).map(|_| start()).collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((stdout(&output), stderr(&output)), ("2\n".to_owned(), String::new()));
    }
    cached.entry();
}

#[test]
fn it_can_be_shown_and_cleared() {
    let cached = Cached::new("shown");
    let say = |action: &str| stdout(&cached.tenon(&["cache", action], &[]));
    assert_eq!(say("path"), format!("{}\n", cached.dir().display()));
    assert_eq!(say("clean"), "removed: 0 modules, 0 bytes\n");
    cached.run();
    let foreign = write(&cached.dir(), "notes", "somebody else's");
    let size = cached.entries().into_iter().find(|path| *path != foreign).expect("it is kept");
    let size = size.metadata().expect("it is there").len();
    let info = say("info");
    assert!(info.contains(&format!("modules: 1\nsize: {size} bytes of at most ")), "{info}");
    assert_eq!(say("clean"), format!("removed: 1 modules, {size} bytes\n"));
    assert_eq!(cached.entries(), [foreign]);
    assert!(say("info").contains("modules: 0\n"));
    let output = cached.tenon(&["cache", "info"], &[("TENON_CACHE_SIZE", "2M")]);
    assert!(stdout(&output).ends_with("of at most 2097152\n"), "{}", stdout(&output));
}
