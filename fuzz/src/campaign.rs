//! Many cases. They run in processes of their own, so that a crash ends one case and no more; what
//! a process reports, is counted here.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::case::Case;
use crate::engines::library::Library;
use crate::engines::tenon::Tenon;
use crate::generate;
use crate::options::{Against, Options};
use crate::outcome::{ALLOWED, CRASH, Verdict};
use crate::peers::Peers;

/// Seeds that one process works on.
const SEEDS_OF_A_PROCESS: u64 = 2000;

/// After this time without a report, a case hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Differences after which a campaign ends.
const MOST_FAILURES: u64 = 50;

fn with_peers<T>(
    options: &Options,
    body: impl FnOnce(&mut Peers) -> Result<T, String>,
) -> Result<T, String> {
    let tenon = Tenon::open(Library::open(&options.tenon)?)?;
    body(&mut Peers::new(&tenon, options)?)
}

/// The case of a seed, or why there is none.
fn case(peers: &Peers, seed: u64) -> Result<Case, String> {
    match generate::module(seed, peers.features(seed)) {
        Some(wasm) => Case::new(wasm).map_err(|why| format!("{why:?}")),
        None => Err("Generator".to_owned()),
    }
}

/// Works on the seeds, and reports each on a line before and after.
pub fn work(options: &Options) -> Result<bool, String> {
    with_peers(options, |peers| {
        let mut out = std::io::stdout().lock();
        let mut say = |text: String| {
            let line = text.replace('\n', "\u{1f}");
            writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| e.to_string())
        };
        for seed in options.seed..options.seed + options.count {
            say(format!("seed {seed}"))?;
            let verdict = match peers.mutant(seed) {
                Some(bytes) => peers.judge_bytes(&bytes, seed)?,
                None => match case(peers, seed) {
                    Ok(case) => peers.judge(&case, seed)?,
                    Err(why) => {
                        say(format!("none {why}"))?;
                        continue;
                    }
                },
            };
            say(match verdict {
                Verdict::Same(calls) => format!("same {calls}"),
                Verdict::Allowed(row) => format!("allowed {}", ALLOWED[row].0),
                Verdict::Different(text) => format!("different {text}"),
            })?;
        }
        say("end".to_owned())?;
        Ok(true)
    })
}

/// Runs the case of one seed and shows everything.
pub fn one(options: &Options, seed: u64) -> Result<bool, String> {
    with_peers(options, |peers| {
        if let Some(bytes) = peers.mutant(seed) {
            let verdict = peers.judge_bytes(&bytes, seed)?;
            return Ok(show(verdict));
        }
        let case = case(peers, seed)?;
        write(&module_path(options, seed), &case.wasm)?;
        println!("the module is {}", module_path(options, seed).display());
        examine(peers, &case, seed)
    })
}

/// Runs the case of a seed on Tenon and on nothing else.
pub fn alone(options: &Options, seed: u64) -> Result<bool, String> {
    with_peers(options, |peers| {
        let case = case(peers, seed)?;
        Ok(show(peers.judge_modes(&case)))
    })
}

/// Writes the module of a seed, and runs nothing.
pub fn write_module(options: &Options, seed: u64) -> Result<bool, String> {
    with_peers(options, |peers| {
        let bytes = match peers.mutant(seed) {
            Some(bytes) => bytes,
            None => case(peers, seed)?.wasm,
        };
        write(&module_path(options, seed), &bytes)?;
        Ok(true)
    })
}

fn module_path(options: &Options, seed: u64) -> PathBuf {
    options.out.join(format!("{seed}.wasm"))
}

/// Runs the module in a file and shows everything.
pub fn file(options: &Options, path: &Path) -> Result<bool, String> {
    let wasm = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    with_peers(options, |peers| {
        let case = Case::new(wasm).map_err(|why| format!("{why:?}"))?;
        examine(peers, &case, options.seed)
    })
}

fn examine(peers: &mut Peers, case: &Case, seed: u64) -> Result<bool, String> {
    peers.show(case);
    Ok(show(peers.judge(case, seed)?))
}

/// Prints a verdict; whether it is a good one.
fn show(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Same(calls) => {
            println!("the same, {calls} calls");
            true
        }
        Verdict::Allowed(row) => {
            println!("{}: {}", ALLOWED[row].0, ALLOWED[row].1);
            true
        }
        Verdict::Different(text) => {
            println!("{text}");
            false
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    }
    fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

/// What has been counted.
#[derive(Default)]
struct Tally {
    same: u64,
    calls: u64,
    failed: u64,
    allowed: BTreeMap<String, u64>,
    none: BTreeMap<String, u64>,
}

/// Runs the whole campaign. Whether nothing has failed.
pub fn run(options: &Options) -> Result<bool, String> {
    let begin = Instant::now();
    with_peers(options, |peers| {
        println!("fuzz: {:?}", peers.all_features());
        Ok(())
    })?;
    let tally = Mutex::new(Tally::default());
    let next = AtomicU64::new(options.seed);
    let end = options.seed.checked_add(options.count).ok_or("the seeds are too large")?;
    thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(SEEDS_OF_A_PROCESS, Ordering::Relaxed);
                    let count = SEEDS_OF_A_PROCESS.min(end.saturating_sub(seed));
                    if count == 0 || lock(&tally).failed >= MOST_FAILURES {
                        break;
                    }
                    batch(options, seed, count, &tally);
                    let tally = lock(&tally);
                    if (seed - options.seed).is_multiple_of(10 * SEEDS_OF_A_PROCESS) {
                        println!("fuzz: {} modules by now, {} failed", tally.same, tally.failed);
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let what = match (options.against, &options.wasmtime) {
        (Against::Others, Some(_)) => "compared with Wasmtime and Wasmi",
        (Against::Others, None) => "compared with Wasmi",
        (Against::Modes, _) => "compared in all modes of the engine",
        (Against::Bytes, _) => "with changed bytes",
    };
    let seconds = begin.elapsed().as_secs();
    println!("fuzz: {} modules {what}, {} calls, {seconds} s", tally.same, tally.calls);
    for (name, reason) in ALLOWED {
        let count = tally.allowed.get(name).copied().unwrap_or(0);
        println!("fuzz: {count} modules not compared to the end, {name}: {reason}");
    }
    for (why, count) in &tally.none {
        println!("fuzz: {count} seeds without a module: {why}");
    }
    println!("{} passed, {} failed", tally.same, tally.failed);
    Ok(tally.failed == 0 && tally.same > 0)
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Works on these seeds, in as many processes as it takes.
fn batch(options: &Options, seed: u64, count: u64, tally: &Mutex<Tally>) {
    let (mut seed, end) = (seed, seed + count);
    while seed < end && lock(tally).failed < MOST_FAILURES {
        let mut last = None;
        let failure = match Worker::start(options, seed, end - seed) {
            Ok(mut worker) => worker.follow(options, tally, &mut last),
            Err(message) => Some(message),
        };
        let Some(failure) = failure else { return };
        let failed = last.unwrap_or(seed);
        if options.against == Against::Others && again("alone", options, failed) {
            lock(tally).count("allowed", CRASH);
        } else {
            report(options, failed, &failure, tally);
        }
        seed = failed + 1;
    }
}

/// Whether a command on a seed succeeds in a process of its own.
fn again(command: &str, options: &Options, seed: u64) -> bool {
    let mut process = Command::new(std::env::current_exe().unwrap_or_default());
    process.args([command, &seed.to_string()]).args(options.for_same()).stdout(Stdio::null());
    process.status().is_ok_and(|status| status.success())
}

/// Counts a failure, and keeps its module.
fn report(options: &Options, seed: u64, what: &str, tally: &Mutex<Tally>) {
    // Another process makes the module: making it may be what fails.
    let mut writer = Command::new(std::env::current_exe().unwrap_or_default());
    writer.args(["write", &seed.to_string()]).args(options.for_same());
    let written = writer.status().is_ok_and(|status| status.success());
    let module =
        if written { module_path(options, seed).display().to_string() } else { "none".into() };
    let args: Vec<_> =
        options.for_same().iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let text = format!(
        "seed {seed}: {what}\nmodule: {module}\nrepeat: tenon-fuzz seed {seed} {}\n",
        args.join(" ")
    );
    let mut tally = lock(tally);
    tally.failed += 1;
    print!("FAIL {text}");
    if let Err(message) = write(&options.out.join(format!("{seed}.txt")), text.as_bytes()) {
        println!("{message}");
    }
}

/// A process that works on seeds.
struct Worker {
    child: Child,
    lines: Receiver<String>,
}

impl Worker {
    fn start(options: &Options, seed: u64, count: u64) -> Result<Worker, String> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut command = Command::new(program);
        command.args(options.for_worker(seed, count));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| e.to_string())?;
        let out = child.stdout.take().ok_or("the process has no output")?;
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Worker { child, lines })
    }

    /// Counts what the process reports, until it ends; why it has not finished, if so. `last` is
    /// the seed that it was at.
    fn follow(
        &mut self,
        options: &Options,
        tally: &Mutex<Tally>,
        last: &mut Option<u64>,
    ) -> Option<String> {
        loop {
            let line = match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => line.replace('\u{1f}', "\n"),
                Err(RecvTimeoutError::Timeout) => {
                    // It may have ended meanwhile: then there is nothing to kill.
                    _ = self.child.kill();
                    _ = self.child.wait();
                    return Some("hangs".to_owned());
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status =
                        self.child.wait().map_or_else(|e| e.to_string(), |s| s.to_string());
                    return Some(format!("the process has ended: {status}"));
                }
            };
            let (kind, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match kind {
                "seed" => *last = rest.parse().ok(),
                "end" => {
                    _ = self.child.wait();
                    return None;
                }
                "different" => report(options, last.unwrap_or(0), rest, tally),
                _ => lock(tally).count(kind, rest),
            }
        }
    }
}

impl Tally {
    fn count(&mut self, kind: &str, rest: &str) {
        match kind {
            "same" => {
                self.same += 1;
                self.calls += rest.parse().unwrap_or(0);
            }
            "allowed" => *self.allowed.entry(rest.to_owned()).or_default() += 1,
            _ => *self.none.entry(rest.to_owned()).or_default() += 1,
        }
    }
}
