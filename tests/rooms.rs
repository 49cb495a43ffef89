//! The walls of the house: which room may use which, and where unsafe code may be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// A room of `src/`: its name, the rooms it may use, and whether it may have unsafe code.
const ROOMS: [(&str, &[&str], bool); 8] = [
    ("wasm", &[], false),
    ("module", &["wasm"], false),
    ("abi", &["wasm"], false),
    ("compile", &["wasm", "module", "abi"], false),
    ("vm", &["wasm", "abi"], true),
    ("engine", &["wasm", "module", "abi", "compile", "vm"], true),
    ("wasi", &["engine"], false),
    ("capi", &["engine", "wasi"], true),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files with this extension below a folder.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rooms that source text uses by a path that begins with `crate::`.
fn used(source: &str) -> BTreeSet<&str> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let paths = code.flat_map(|line| line.split("crate::").skip(1));
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    paths.map(|path| path.split(|c| !is_name(c)).next().unwrap_or_default()).collect()
}

#[test]
fn rooms_use_what_they_may() {
    let mut wrong = Vec::new();
    for (room, may_use, _) in ROOMS {
        let mut sources = files(&root().join("src").join(room), "rs");
        assert!(!sources.is_empty(), "{room} is empty");
        sources.sort();
        for path in sources {
            for other in used(&read(&path)) {
                let is_room = ROOMS.iter().any(|(name, ..)| *name == other);
                if !is_room || (other != room && !may_use.contains(&other)) {
                    wrong.push(format!("{} uses `{other}`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_folder_is_a_room() {
    let known: BTreeSet<_> = ROOMS.iter().map(|(room, ..)| *room).chain(["bin"]).collect();
    for entry in fs::read_dir(root().join("src")).expect("there are sources").flatten() {
        if entry.path().is_dir() {
            let name = entry.file_name().into_string().expect("names are text");
            assert!(known.contains(name.as_str()), "src/{name} is no room");
        }
    }
}

#[test]
fn rooms_say_what_they_may_use() {
    for (room, may_use, _) in ROOMS {
        let source = read(&root().join("src").join(room).join("mod.rs"));
        let header: String = source
            .lines()
            .map_while(|line| line.strip_prefix("//!"))
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" ");
        let list = if may_use.is_empty() { "nothing".to_owned() } else { may_use.join(", ") };
        assert!(header.contains(&format!("May use: {list}.")), "the header of {room}");
    }
}

#[test]
fn safe_rooms_forbid_unsafe_code() {
    for (room, _, may_be_unsafe) in ROOMS {
        let source = read(&root().join("src").join(room).join("mod.rs"));
        let forbids = source.contains("#![forbid(unsafe_code)]");
        assert_eq!(forbids, !may_be_unsafe, "{room}");
    }
    let main = read(&root().join("src/bin/tenon/main.rs"));
    assert!(main.contains("#![deny(unsafe_code)]"));
}

#[test]
fn every_unsafe_block_says_why() {
    let mut silent = Vec::new();
    for path in files(&root().join("src"), "rs") {
        let source = read(&path);
        let lines: Vec<_> = source.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//")
                || !(code.contains("unsafe {") || code.contains("unsafe impl"))
            {
                continue;
            }
            // The reason stands at the head of the statement, or of the arm, that the block is in.
            let before = lines[..i].iter().rev().take(6);
            if !before.chain([line]).any(|line| line.contains("SAFETY:")) {
                silent.push(format!("{}:{}", path.display(), i + 1));
            }
        }
    }
    assert!(silent.is_empty(), "no SAFETY line:\n{}", silent.join("\n"));
}

#[test]
fn systems_and_processors_have_their_rooms() {
    let mut wrong = Vec::new();
    for path in files(&root().join("src"), "rs") {
        let name = path.strip_prefix(root()).expect("it is below").display().to_string();
        let source = read(&path);
        let about = |what: &str| source.contains(&format!("cfg({what}"));
        let system = ["src/vm/sys/", "src/vm/trap/", "src/wasi/fs/"];
        if (about("target_os") || about("unix") || about("windows"))
            && !system.iter().any(|room| name.starts_with(room))
        {
            wrong.push(format!("{name} depends on the system"));
        }
        let processor = ["src/vm/arch/", "src/compile/isa.rs"];
        if about("target_arch") && !processor.iter().any(|room| name.starts_with(room)) {
            wrong.push(format!("{name} depends on the processor"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn documents_name_what_is_there() {
    let mut documents = files(&root().join("docs"), "md");
    documents.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut missing = Vec::new();
    for document in documents {
        let text = read(&document);
        // What is between backquotes and looks like a path of this project.
        for name in text.split('`').skip(1).step_by(2) {
            let folders = ["src/", "include/", "tests/", "tests-c/", "examples/", "scripts/"];
            let is_path = folders.iter().any(|folder| name.starts_with(folder))
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            if is_path && !root().join(name).exists() {
                missing.push(format!("{}: {name}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// A target that documents name is one of the Makefile's.
#[test]
fn documents_name_targets_that_exist() {
    let makefile = read(&root().join("Makefile"));
    let mut documents = files(&root().join("docs"), "md");
    documents.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    for document in documents {
        let text = read(&document);
        for code in text.split('`').skip(1).step_by(2) {
            let mut words = code.split_whitespace();
            let (Some("make"), Some(target)) = (words.next(), words.next()) else { continue };
            if !target.contains('=') {
                let rule = format!("\n{target}:");
                assert!(makefile.contains(&rule), "{}: make {target}", document.display());
            }
        }
    }
}
