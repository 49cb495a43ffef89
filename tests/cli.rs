//! The command line, as its users see it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

const SQUEEZE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests-c/guests/squeeze.wasm");

/// A folder for a test's files, empty.
fn folder(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(test);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("there is a place for files");
    dir
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).expect("there is room for files");
    path
}

fn tenon<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenon"));
    command.args(args).stdin(Stdio::null()).output().expect("the command line has been built")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn runs_a_command_on_a_directory() {
    let dir = folder("command");
    let text = "to be or not to be, ".repeat(1000);
    write(&dir, "text", &text);
    let mapped = format!("{}::/data", dir.display());
    let output = tenon(["run", "--dir", &mapped, SQUEEZE, "c", "/data/text"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("20000 -> "), "{}", stdout(&output));

    fs::remove_file(dir.join("text")).expect("it is there");
    let output = tenon(["run", "--dir", &mapped, SQUEEZE, "d", "/data/text.gz"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(dir.join("text")).expect("it is back"), text);
}

#[test]
fn gives_no_directory_unasked() {
    let dir = folder("unasked");
    let file = write(&dir, "text", "secret");
    let output = tenon(["run".as_ref(), SQUEEZE.as_ref(), "c".as_ref(), file.as_os_str()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!dir.join("text.gz").exists());
}

#[test]
fn a_trap_has_a_backtrace_and_exit_code_134() {
    let dir = folder("trap");
    write(&dir, "no.gz", "this has never been a gzip file");
    let mapped = format!("{}::/data", dir.display());
    let output = tenon(["run", "--dir", &mapped, SQUEEZE, "d", "/data/no.gz"]);
    assert_eq!(output.status.code(), Some(134));
    let text = stderr(&output);
    assert!(text.contains("trap: unreachable"), "{text}");
    assert!(text.contains("0: abort (0x"), "{text}");
    assert!(text.contains(": main (0x"), "{text}");
}

const ECHO: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $put (param $from i32) (param $len i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $len))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (drop (call $sizes (i32.const 16) (i32.const 20)))
    (drop (call $environ (i32.const 64) (i32.const 1024)))
    (call $put (i32.const 1024) (i32.load (i32.const 20)))
    (i32.store (i32.const 0) (i32.const 4096))
    (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $put (i32.const 4096) (i32.load (i32.const 8)))
    (call $exit (i32.const 300))))"#;

#[test]
fn passes_on_streams_environment_and_exit_code() {
    let dir = folder("echo");
    let file = write(&dir, "echo.wat", ECHO);
    let mut child = Command::new(env!("CARGO_BIN_EXE_tenon"))
        .args(["run", "--env", "A=1", "--env", "B=x=y"])
        .arg(file)
        .env("HIDDEN", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command line has been built");
    child.stdin.take().expect("it is piped").write_all(b"hello").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(stdout(&output), "A=1\0B=x=y\0hello");
    // As of any process, the system keeps the lowest eight bits.
    assert_eq!(output.status.code(), Some(300 % 256));
}

const ARITHMETIC: &str = r#"(module $arithmetic
  (func $div (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "swap") (param i64 f64) (result f64 i64) (local.get 1) (local.get 0))
  (func $deep (export "deep") (call $deep)))"#;

#[test]
fn invokes_functions_with_values() {
    let file = write(&folder("invoke"), "a.wat", ARITHMETIC);
    let invoke = |name: &str, args: &[&str]| {
        let fixed = ["run", "--invoke", name, file.to_str().expect("paths are text")];
        tenon(fixed.into_iter().chain(args.iter().copied()))
    };
    assert_eq!(stdout(&invoke("div", &["-7", "2"])), "-3\n");
    assert_eq!(stdout(&invoke("div", &["0xfffffffe", "2"])), "-1\n");
    assert_eq!(
        stdout(&invoke("swap", &["9223372036854775807", "0.5"])),
        "0.5\n9223372036854775807\n"
    );

    let output = invoke("div", &["1", "0"]);
    assert_eq!(output.status.code(), Some(134));
    assert!(stderr(&output).starts_with("trap: integer divide by zero\n    0: div (0x"));
    let output = invoke("deep", &[]);
    assert_eq!(output.status.code(), Some(134));
    assert!(stderr(&output).starts_with("trap: call stack exhausted\n    0: deep (0x"));

    for (name, args, message) in [
        ("div", &["1"][..], "is (i32, i32) -> (i32); got 1 arguments"),
        ("div", &["1", "x"], "`x` is no value of type i32"),
        ("none", &[], "no function named `none`"),
    ] {
        let output = invoke(name, args);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
    }
}

#[test]
fn compiles_ahead_of_time() {
    let dir = folder("compile");
    let target = dir.join("out.tenon");
    let args = ["compile".as_ref(), SQUEEZE.as_ref(), "-o".as_ref(), target.as_os_str()];
    assert!(tenon(args).status.success());
    write(&dir, "text", "some text");
    let mapped = format!("{}::/data", dir.display());
    let fixed = ["run".as_ref(), "--dir".as_ref(), mapped.as_ref(), target.as_os_str()];
    let output = tenon(fixed.into_iter().chain(["c".as_ref(), "/data/text".as_ref()]));
    assert!(output.status.success(), "{}", stderr(&output));

    let mut bytes = fs::read(&target).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&target, bytes).expect("there is room for files");
    let output = tenon(["run".as_ref(), target.as_os_str()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cut off or damaged"), "{}", stderr(&output));
}

#[test]
fn validates_and_inspects() {
    let dir = folder("inspect");
    let good = write(&dir, "good.wat", ARITHMETIC);
    let bad = write(&dir, "bad.wat", "(module (func (result i32) i64.const 0))");
    assert!(tenon(["validate".as_ref(), good.as_os_str()]).status.success());
    let output = tenon(["validate".as_ref(), good.as_os_str(), bad.as_os_str()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("bad.wat: type mismatch"), "{}", stderr(&output));

    let text = stdout(&tenon(["inspect", SQUEEZE]));
    for line in [
        "features needed: ",
        "imports: ",
        "  wasi_snapshot_preview1.fd_write: func (i32, i32, i32, i32) -> (i32)",
        "  compress: func (i32, i32, i32, i32) -> (i32)",
        "  memory: memory 2",
    ] {
        assert!(text.contains(line), "`{line}` in\n{text}");
    }
    let text = stdout(&tenon(["inspect".as_ref(), good.as_os_str()]));
    assert!(text.starts_with("module: arithmetic\n"), "{text}");
    assert!(text.contains("features needed: multi-value\n"), "{text}");
}

#[test]
fn says_what_is_missing() {
    let dir = folder("missing");
    let file = write(&dir, "m.wat", r#"(module (import "env" "f" (func (param i32))))"#);
    let output = tenon(["run".as_ref(), file.as_os_str()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("env.f: func (i32) -> ()"), "{}", stderr(&output));
    let file = write(&dir, "n.wat", "(module (func (export \"go\")))");
    let output = tenon(["run".as_ref(), file.as_os_str()]);
    assert!(stderr(&output).contains("`--invoke` can call is `go`"), "{}", stderr(&output));
    let output = tenon(["run", "no/such/file.wasm"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no/such/file.wasm: "), "{}", stderr(&output));
}
