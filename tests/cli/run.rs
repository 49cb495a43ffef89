//! `tenon run`.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use crate::{
    ARITHMETIC, PROBE, SQUEEZE, command, folder, refused, shown, stderr, stdout, tenon, text, write,
};

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
    let mut child = command(["run", "--env", "A=1", "--env", "B=x=y"])
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

#[test]
fn invokes_functions_with_values() {
    let dir = folder("invoke");
    let file = write(&dir, "a.wat", ARITHMETIC);
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
fn says_what_is_missing() {
    let dir = folder("missing");
    let file = write(&dir, "m.wat", r#"(module (import "env" "f" (func (param i32))))"#);
    refused(["run", text(&file)], "env.f: func (i32) -> ()");
    let file = write(&dir, "n.wat", "(module (func (export \"go\")))");
    refused(["run", text(&file)], "`--invoke` can call is `go`");
    let file = write(&dir, "l.wat", "(module (func (export \"_initialize\")))");
    refused(["run", text(&file)], "it is a library (a WASI reactor)");
    for (import, hint) in [
        ("\"__wbindgen_placeholder__\" \"f\"", "wasm-bindgen"),
        ("\"a\" \"a\"", "Emscripten"),
        ("\"gojs\" \"f\"", "GOOS=wasip1"),
        ("\"wasi:cli/run@0.2.0\" \"f\"", "part of a component"),
    ] {
        let file = write(&dir, "h.wat", format!("(module (import {import} (func)))"));
        refused(["run", text(&file)], hint);
    }
    let object = r#"(module (import "env" "g" (func)) (@custom "linking" "\02"))"#;
    let file = write(&dir, "o.wat", object);
    refused(["run", text(&file)], "link it with wasm-ld");
}

#[test]
fn arguments_are_passed_on() {
    let args = ["run", PROBE, "args", "--dir", "-x", "--", ""];
    assert_eq!(shown(args), format!("{PROBE}\n--dir\n-x\n--\n\n"));
    assert_eq!(shown(["run", "--argv0", "name", PROBE, "args"]), "name\n");
    let odd = OsStr::from_bytes(b"\xff\xfe");
    let output = tenon([OsStr::new("run"), PROBE.as_ref(), "args".as_ref(), odd]);
    assert!(output.stdout.ends_with(b"\n\xff\xfe\n"), "{output:?}");
    let dir = folder("odd");
    let file = write(&dir, "a.wat", ARITHMETIC);
    let fixed = ["run".as_ref(), "--invoke".as_ref(), "div".as_ref(), file.as_os_str()];
    let output = tenon(fixed.into_iter().chain([odd, odd]));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn the_environment_is_given_or_not() {
    let env = |options: &[&str]| {
        let args = ["run"].iter().chain(options).chain(&[PROBE, "env"]);
        let output = command(args).env("TOLD", "1").env("B", "outer").output();
        stdout(&output.expect("the command line has been built"))
    };
    assert_eq!(env(&[]), "");
    assert_eq!(env(&["--env", "A=1", "--env", "B=", "--env", "A=2"]), "A=2\nB=\n");
    let all = env(&["--env-inherit", "--env", "B=inner"]);
    let lines: Vec<_> = all.lines().collect();
    assert!(lines.contains(&"TOLD=1") && lines.contains(&"B=inner"), "{all}");
    assert!(!lines.contains(&"B=outer"), "{all}");
    for variable in ["A", "=1", ""] {
        let output = tenon(["run", "--env", variable, PROBE, "env"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("a variable is NAME=VALUE"), "{}", stderr(&output));
    }
}

#[test]
fn settings_of_the_engine_change_nothing_for_a_program() {
    let settings: [&[&str]; 5] = [
        &["--explicit-checks"],
        &["--memory-reservation", "65536"],
        &["--lazy"],
        &["--lazy", "--explicit-checks", "--no-cache"],
        &["--feature", "simd=off", "--feature", "tail-call"],
    ];
    for options in settings {
        let args = ["run", "--argv0", "x"].iter().chain(options).chain(&[PROBE, "args", "y"]);
        assert_eq!(shown(args), "x\ny\n", "{options:?}");
    }
    refused(["run", "--feature", "flight", PROBE], "flight");
    assert_eq!(tenon(["run", "--memory-reservation", "x", PROBE]).status.code(), Some(2));
}

#[test]
fn a_reader_that_leaves_is_no_disaster() {
    let dir = folder("pipe");
    let file = write(&dir, "a.wat", ARITHMETIC);
    let calls: [&[&str]; 4] = [
        &["run", "--invoke", "div", text(&file), "6", "3"],
        &["inspect", text(&file)],
        &["completions", "bash"],
        &["cache", "path"],
    ];
    for args in calls {
        let (reader, writer) = std::io::pipe().expect("there are pipes");
        drop(reader);
        let output = command(args).stdout(writer).output().expect("it has been built");
        assert_eq!((output.status.code(), stderr(&output)), (Some(1), String::new()), "{args:?}");
    }
}

#[test]
fn standard_input_may_be_a_file() {
    let dir = folder("stdin");
    let file = write(&dir, "input", "from a file");
    assert_eq!(shown(["run", "--stdin", text(&file), PROBE, "stdin"]), "from a file");
    assert_eq!(shown(["run", PROBE, "stdin"]), "");
    refused(["run", "--stdin", text(&dir.join("none")), PROBE, "stdin"], "none: ");
}

#[test]
fn directories_are_to_write_or_to_read() {
    let dir = folder("rights");
    let file = write(&dir, "text", "kept");
    let run = |rights: &str, args: &[&str]| {
        let mapped = format!("{}::/data{rights}", dir.display());
        tenon(["run", "--dir", &mapped, PROBE].iter().chain(args))
    };
    let output = run(":ro", &["cat", "/data/text", "write", "/data/text"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with("kept/data/text: "), "{}", stdout(&output));
    assert_eq!(run(":ro", &["write", "/data/new"]).status.code(), Some(1));
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "kept");
    for rights in ["", ":rw"] {
        assert!(run(rights, &["write", "/data/text"]).status.success());
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "written");
    }
    refused(["run", "--dir", "no/such/directory", PROBE], "no/such/directory: ");
    assert_eq!(tenon(["run", "--dir", "::x", PROBE]).status.code(), Some(2));
}

#[test]
fn relative_paths_begin_in_the_working_directory() {
    let dir = folder("cwd");
    write(&dir, "sub/text", "below");
    symlink("/", dir.join("out")).expect("there is room");
    let mapped = format!("{}::/data:ro", dir.display());
    let run = |cwd: &str, args: &[&str]| {
        let fixed = ["run", "--dir", &mapped, "--cwd", cwd, PROBE];
        let fixed: Vec<_> = fixed.iter().chain(args).copied().map(str::to_owned).collect();
        fixed
    };
    assert_eq!(shown(run("/data/sub", &["env", "cat", "text"])), "PWD=/data/sub\nbelow");
    assert_eq!(shown(run("/data", &["cat", "sub/text"])), "below");
    let output = tenon(run("/data/sub", &["write", "text"]));
    assert_eq!(output.status.code(), Some(1), "it is to read only, as the directory is");
    refused(run("/elsewhere", &[]), "`/elsewhere` is in no directory");
    refused(run("/database", &[]), "`/database` is in no directory");
    refused(run("/data/none", &[]), "`/data/none`: ");
    refused(run("/data/sub/text", &[]), "text: ");
    for outside in ["/data/..", "/data/sub/../..", "/data/out"] {
        refused(run(outside, &[]), "leads outside");
    }
}
