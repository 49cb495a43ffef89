//! What a program may use.

use std::time::{Duration, Instant};

use crate::{folder, refused, shown, stderr, stdout, tenon, text, write};

const SPIN: &str = r#"(module (memory (export "memory") 1)
  (func (export "_start") (loop (br 0)))
  (func (export "count") (param i32) (result i32)
    (loop (if (local.get 0)
      (then (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br 1))))
    (i32.const 7))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;

/// Waits for a thousand seconds in `poll_oneoff`, then for input.
const WAIT: &str = r#"(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i64.store (i32.const 24) (i64.const 1000_000_000_000))
    (i32.store (i32.const 16) (i32.const 1))
    (drop (call $poll (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))))"#;

#[test]
fn time_ends_programs() {
    let dir = folder("time");
    for (name, source) in [("spin.wat", SPIN), ("wait.wat", WAIT)] {
        let program = write(&dir, name, source);
        let begin = Instant::now();
        let output = tenon(["run", "--timeout", "50ms", text(&program)]);
        assert_eq!(output.status.code(), Some(134), "{name}");
        let message = stderr(&output);
        assert!(message.starts_with("trap: deadline exceeded"), "{name}: {message}");
        // Far more than it takes on a machine that does much else, and far less than for ever.
        assert!(begin.elapsed() < Duration::from_secs(100), "{name}");
    }
    let spin = write(&dir, "spin.wat", SPIN);
    let args = ["run", "--timeout", "1h", "--invoke", "count", text(&spin), "1000"];
    assert_eq!(shown(args), "7\n");
    let wrong = tenon(["run", "--timeout", "soon", text(&spin)]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("a time is a number of seconds"), "{}", stderr(&wrong));
}

#[test]
fn fuel_ends_programs() {
    let dir = folder("fuel");
    let spin = write(&dir, "spin.wat", SPIN);
    let output = tenon(["run", "--fuel", "100000", text(&spin)]);
    assert_eq!(output.status.code(), Some(134));
    assert!(stderr(&output).starts_with("trap: out of fuel"), "{}", stderr(&output));
    let count = |fuel, turns| {
        let args = ["run", "--fuel", fuel, "--invoke", "count", text(&spin), turns];
        tenon(args).status.code()
    };
    // Each turn: get, if, get, const, sub, set, br.
    assert_eq!(count("8000", "1000"), Some(0));
    assert_eq!(count("6000", "1000"), Some(134));
}

#[test]
fn memory_ends_where_it_may() {
    let dir = folder("memory");
    let spin = write(&dir, "spin.wat", SPIN);
    let grow =
        |most, pages| shown(["run", "--max-memory", most, "--invoke", "grow", text(&spin), pages]);
    assert_eq!(grow("1M", "15"), "1\n");
    assert_eq!(grow("1M", "16"), "-1\n");
    let args = ["run", "--max-memory", "65535", text(&spin)];
    refused(args, "the store's limit of memory is reached");
}

#[test]
fn executables_keep_their_limits() {
    let dir = folder("limited");
    let spin = write(&dir, "spin.wat", SPIN);
    let app = dir.join("app");
    let args = ["compile", "--exe", "--timeout", "50ms", text(&spin), "-o", text(&app)];
    let made = tenon(args);
    assert!(made.status.success(), "{}{}", stdout(&made), stderr(&made));
    let output = std::process::Command::new(&app).output().expect("it can be run");
    assert_eq!(output.status.code(), Some(134));
    assert!(stderr(&output).starts_with("trap: deadline exceeded"), "{}", stderr(&output));
    refused(["compile", "--fuel", "1", text(&spin)], "need --exe");
}
