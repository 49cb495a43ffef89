//! The command line, as its users see it.

mod cache;
mod examples;
mod inspect;
mod limits;
mod manual;
mod packages;
mod run;
mod standalone;
mod terminal;

use std::ffi::OsStr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

/// A compressor.
const SQUEEZE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests-c/guests/squeeze.wasm");
/// A program that shows its surroundings.
const PROBE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests-c/guests/probe.wasm");

const ARITHMETIC: &str = r#"(module $arithmetic
  (func $div (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "swap") (param i64 f64) (result f64 i64) (local.get 1) (local.get 0))
  (func $deep (export "deep") (call $deep)))"#;

/// A folder for a test's files. It goes when the test has passed.
struct Folder(PathBuf);

/// A folder for a test's files, empty.
fn folder(test: &str) -> Folder {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(test);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("there is a place for files");
    Folder(dir)
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Writes a file, with the folders that it is in.
fn write(dir: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("there is room");
    fs::write(&path, content).expect("there is room for files");
    path
}

/// The command line, with no terminal, and no cache but that of the tests.
fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenon"));
    command.args(args).stdin(Stdio::null());
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    command.env("TENON_CACHE_SIZE", "16M");
    command
}

fn tenon<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    command(args).output().expect("the command line has been built")
}

/// The output of a run that succeeds.
#[track_caller]
fn shown<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let output = tenon(args);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

/// Has a run fail with exit code 1 and this in its message.
#[track_caller]
fn refused<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, reason: &str) {
    let output = tenon(args);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: ") && message.contains(reason), "{message}");
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}
