//! Modules that Emscripten has built, and what they import from it.
//!
//! The programs are in `tests-c/guests/emscripten`, each with what it prints.

use std::path::{Path, PathBuf};
use std::{env, fs};

use tenon::wasi::{Capture, Config, Exit, Wasi, emscripten};
use tenon::{Engine, Error, Instance, Linker, Module, Store, Trap};

const GUESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests-c/guests/emscripten");

/// How a run has ended.
struct Run {
    result: Result<(), Error>,
    stdout: String,
    stderr: String,
}

impl Run {
    fn trap(&self) -> &Trap {
        match &self.result {
            Err(Error::Trap(trap)) => trap,
            other => panic!("no trap: {other:?}\n{}", self.stdout),
        }
    }

    fn status(&self) -> u32 {
        match &self.result {
            Ok(()) => 0,
            Err(_) => Exit::of(self.trap()).unwrap_or_else(|| panic!("{}", self.trap())).0,
        }
    }
}

fn module(engine: &Engine, name: &str) -> Module {
    let path = Path::new(GUESTS).join(name).with_extension("wasm");
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Module::new(engine, &bytes).expect("guests are valid")
}

fn instantiate(wasi: &Wasi, module: &Module) -> Result<Instance, Error> {
    let store = Store::new(module.engine());
    let mut linker = Linker::new(&store);
    wasi.define(&mut linker)?;
    wasi.define_emscripten(&mut linker, module)?;
    linker.instantiate(module)
}

/// Runs a guest, named `/x/NAME` for itself.
fn run(name: &str, args: &[&str], configure: impl FnOnce(&mut Config)) -> Run {
    let engine = Engine::new(&tenon::Config::new()).expect("there is code for this machine");
    let module = module(&engine, name);
    let (stdout, stderr) = (Capture::new(None), Capture::new(None));
    let mut config = Config::new();
    config.capture_stdout(&stdout).capture_stderr(&stderr);
    config.arg("/x/program");
    for arg in args {
        config.arg(*arg);
    }
    configure(&mut config);
    let wasi = Wasi::new(config);
    let result = instantiate(&wasi, &module).and_then(|instance| {
        if emscripten::has_main(&module) {
            return emscripten::start(&wasi, &instance);
        }
        instance.func("_start").expect("programs have a start").call(&[]).map(drop)
    });
    let text = |capture: Capture| String::from_utf8_lossy(&capture.take(usize::MAX)).into_owned();
    Run { result, stdout: text(stdout), stderr: text(stderr) }
}

/// What a guest prints.
fn expected(name: &str) -> String {
    let path = Path::new(GUESTS).join(name).with_extension("txt");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A folder for a test's files, empty.
fn folder(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emscripten").join(test);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("there is a place for files");
    dir
}

#[test]
fn streams_arguments_environment_and_status() {
    for name in ["stdio", "stdio-standalone"] {
        let configure = |config: &mut Config| {
            config.env("COLOUR", "red").stdin_bytes(*b"one\ntwo");
        };
        let ended = run(name, &["a", "b c"], configure);
        assert_eq!(ended.stdout, expected("stdio"), "{name}");
        assert_eq!(ended.stderr, "to stderr\n", "{name}");
        assert_eq!(ended.status(), 3, "{name}");

        let ended = run(name, &["exit"], |_| ());
        assert_eq!(ended.status(), 7, "{name}");
        assert!(ended.stdout.ends_with("last words"), "{name}: {}", ended.stdout);
        let ended = run(name, &["_exit"], |_| ());
        assert_eq!(ended.status(), 8, "{name}");
        assert!(!ended.stdout.contains("last words"), "{name}: {}", ended.stdout);
    }
    let ended = run("stdio", &["abort"], |_| ());
    assert!(ended.trap().to_string().contains("called abort"), "{}", ended.trap());
}

#[test]
fn files_below_grants_and_nowhere_else() {
    let (data, fixed) = (folder("data"), folder("fixed"));
    fs::write(fixed.join("kept.txt"), "kept\n").expect("there is room for files");
    let ended = run("files", &[], |config| {
        config.dir(&data, "/data", true).expect("it is there");
        config.dir(&fixed, "/fixed", false).expect("it is there");
    });
    assert_eq!(ended.stdout, expected("files"));
    assert_eq!(ended.status(), 0);
    assert_eq!(fs::read_to_string(fixed.join("kept.txt")).expect("it is kept"), "kept\n");
    assert_eq!(fs::read_dir(&fixed).expect("it is there").count(), 1);
    assert_eq!(fs::read_dir(&data).expect("it is there").count(), 2, "a.txt and d.txt");
}

#[test]
fn longjmp_unwinds_what_it_has_to() {
    for name in ["jumps", "jumps-standalone"] {
        let ended = run(name, &[], |_| ());
        assert_eq!(ended.stdout, expected("jumps"), "{name}");
        assert_eq!(ended.status(), 0, "{name}");
    }
}

#[test]
fn exceptions_are_caught_and_destroyed() {
    let ended = run("catches", &[], |_| ());
    assert_eq!(ended.stdout, expected("catches"));
    assert_eq!(ended.status(), 0);
    let ended = run("catches", &["throw"], |_| ());
    assert!(ended.trap().to_string().contains("nothing catches"), "{}", ended.trap());
}

#[test]
fn dates_and_clocks() {
    let ended = run("times", &[], |_| ());
    assert_eq!(ended.stdout, expected("times"));
    assert_eq!(ended.status(), 0);
}

#[test]
fn memories_grow_up_to_their_limit() {
    let ended = run("growth", &[], |_| ());
    assert_eq!(ended.stdout, expected("growth"));
    let ended = run("growth-standalone", &[], |_| ());
    assert_eq!(ended.status(), 0, "{}", ended.stdout);
    assert!(ended.stdout.contains("some blocks 1, not all 1, intact 1"), "{}", ended.stdout);
}

#[test]
fn failed_assertions_say_what_and_where() {
    let ended = run("asserts", &["assert"], |_| ());
    assert_eq!(ended.stdout, "signal 10\nsystem 0 -1\n");
    let message = "assertion failed: argc < 2 || strcmp(argv[1], \"assert\") (asserts.c:17, main)";
    assert!(ended.trap().to_string().contains(message), "{}", ended.trap());
    assert_eq!(run("asserts", &[], |_| ()).status(), 0);
}

/// Types of parameters and results of a function: `i` and `j` are integers, `p` is the address of
/// something that the function writes or reads, `s` that of a path.
const POINTERS: &[(&str, &str)] = &[
    ("__syscall_open", "sii"),
    ("__syscall_openat", "isii"),
    ("__syscall_mkdir", "si"),
    ("__syscall_mkdirat", "isi"),
    ("__syscall_rmdir", "s"),
    ("__syscall_unlink", "s"),
    ("__syscall_unlinkat", "isi"),
    ("__syscall_rename", "ss"),
    ("__syscall_renameat", "isis"),
    ("__syscall_linkat", "isisi"),
    ("__syscall_symlink", "ss"),
    ("__syscall_symlinkat", "sis"),
    ("__syscall_readlink", "spl"),
    ("__syscall_readlinkat", "ispl"),
    ("__syscall_access", "si"),
    ("__syscall_faccessat", "isii"),
    ("__syscall_stat64", "sp"),
    ("__syscall_lstat64", "sp"),
    ("__syscall_newfstatat", "ispi"),
    ("__syscall_fstat64", "0p"),
    ("__syscall_truncate64", "sj"),
    ("__syscall_utimensat", "ispi"),
    ("__syscall_getcwd", "pl"),
    ("__syscall_chdir", "s"),
    ("__syscall_chmod", "si"),
    ("__syscall_pipe", "p"),
    ("__syscall_getdents64", "3pl"),
    ("__syscall_poll", "p1i"),
];

const CURRENT_DIRECTORY: i32 = -100;
const EFAULT: i32 = -21;

/// Every address of every function: beyond the memory, at its end, and around 2^32. The function
/// says so, and nothing traps.
#[test]
fn bad_addresses_are_errors() {
    let dir = folder("addresses");
    fs::write(dir.join("file"), "text").expect("there is room for files");
    let engine = Engine::new(&tenon::Config::new()).expect("there is code for this machine");
    let mut calls = 0;
    for (name, params) in POINTERS {
        let types: Vec<_> = params.chars().map(|p| if p == 'j' { "i64" } else { "i32" }).collect();
        let params_text = types.join(" ");
        for (bad, _) in params.chars().enumerate().filter(|(_, p)| matches!(p, 'p' | 's')) {
            for address in [0x10000_u32, 0xffff, 0xffff_fff8, 0xffff_ffff] {
                let args: Vec<String> = params
                    .chars()
                    .enumerate()
                    .map(|(i, param)| match param {
                        _ if i == bad => format!("(i32.const {})", address.cast_signed()),
                        's' => "(i32.const 16)".to_owned(),
                        'p' => "(i32.const 1024)".to_owned(),
                        'j' => "(i64.const 0)".to_owned(),
                        'l' => "(i32.const 4096)".to_owned(),
                        'i' if i + 1 < params.len() && params.as_bytes()[i + 1] == b's' => {
                            format!("(i32.const {CURRENT_DIRECTORY})")
                        }
                        'i' => "(i32.const 0)".to_owned(),
                        digit => format!("(i32.const {digit})"),
                    })
                    .collect();
                // What is at the end of the memory is no zero byte.
                let text = format!(
                    r#"(module (import "env" "{name}" (func $f (param {params_text}) (result i32)))
                    (memory (export "memory") 1) (data (i32.const 16) "file\00")
                    (data (i32.const 0xffc0) "{}")
                    (func (export "call") (result i32) (call $f {})))"#,
                    "x".repeat(64),
                    args.join(" ")
                );
                let module = Module::from_text(&engine, text.as_bytes()).expect("it is valid");
                let mut config = Config::new();
                config.dir(&dir, "/", true).expect("it is there");
                let wasi = Wasi::new(config);
                let instance = instantiate(&wasi, &module).expect("the functions are there");
                let result = instance.func("call").expect("it is exported").call(&[]);
                let result = result.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(
                    matches!(result[..], [tenon::Val::I32(EFAULT)]),
                    "{name} {params} {bad} {address:#x}: {result:?}"
                );
                calls += 1;
            }
        }
    }
    assert!(calls > 120, "{calls} calls");
}

/// What releases after 3.1.42 have for `struct stat`, and 64-bit integers as such.
#[test]
fn newer_modules_have_other_layouts() {
    let text = r#"(module
      (import "env" "__syscall_newfstatat" (func $stat (param i32 i32 i32 i32) (result i32)))
      (import "env" "__syscall_openat" (func $open (param i32 i32 i32 i32) (result i32)))
      (import "env" "__syscall_ftruncate64" (func $truncate (param i32 i64) (result i32)))
      (import "env" "__syscall_utimensat" (func $times (param i32 i32 i32 i32) (result i32)))
      (import "env" "_mktime_js" (func $moment (param i32) (result i64)))
      (import "env" "_gmtime_js" (func $date (param i64 i32)))
      (import "env" "_tzset_js" (func $zone (param i32 i32 i32 i32)))
      (memory (export "memory") 1)
      (data (i32.const 16) "file\00")
      (func (export "make") (result i32)
        (i64.store (i32.const 32) (i64.const 5000000000))
        (i32.store (i32.const 40) (i32.const 7))
        (i64.store (i32.const 48) (i64.const 6000000000))
        (i32.store (i32.const 56) (i32.const 8))
        (call $truncate (call $open (i32.const -100) (i32.const 16) (i32.const 0x42) (i32.const 0))
          (i64.const 0x123456789))
        (call $times (i32.const -100) (i32.const 16) (i32.const 32) (i32.const 0))
        (call $stat (i32.const -100) (i32.const 16) (i32.const 1024) (i32.const 0))
        (return (i32.or (i32.or))))
      (func (export "size") (result i64) (i64.load (i32.const 1048)))
      (func (export "mode") (result i32) (i32.load (i32.const 1028)))
      (func (export "atim") (result i64) (i64.load (i32.const 1064)))
      (func (export "mtim") (result i64) (i64.load (i32.const 1080)))
      (func (export "nsec") (result i32) (i32.load (i32.const 1088)))
      (func (export "ino") (result i64) (i64.load (i32.const 1112)))
      (func (export "back") (param i64) (result i64)
        (call $date (local.get 0) (i32.const 2048))
        (call $moment (i32.const 2048)))
      (func (export "zone") (result i32)
        (call $zone (i32.const 3000) (i32.const 3004) (i32.const 3008) (i32.const 3024))
        (i32.load (i32.const 3024))))"#;
    let dir = folder("layouts");
    let engine = Engine::new(&tenon::Config::new()).expect("there is code for this machine");
    let module = Module::from_text(&engine, text.as_bytes()).expect("it is valid");
    let mut config = Config::new();
    config.dir(&dir, "/", true).expect("it is there");
    let wasi = Wasi::new(config);
    let instance = instantiate(&wasi, &module).expect("the functions are there");
    let call = |name: &str, args: &[tenon::Val]| {
        let results = instance.func(name).expect("it is exported").call(args).expect("no trap");
        match results[..] {
            [tenon::Val::I32(value)] => i64::from(value),
            [tenon::Val::I64(value)] => value,
            _ => panic!("{results:?}"),
        }
    };
    assert_eq!(call("make", &[]), 0);
    assert_eq!(call("size", &[]), 0x1_2345_6789);
    assert_eq!(call("mode", &[]) & 0o170_000, 0o100_000);
    assert_eq!(call("atim", &[]), 5_000_000_000);
    assert_eq!(call("mtim", &[]), 6_000_000_000);
    assert_eq!(call("nsec", &[]), 8);
    assert_ne!(call("ino", &[]), 0);
    let far = 253_402_300_800;
    assert_eq!(call("back", &[tenon::Val::I64(far)]), far);
    assert_eq!(call("zone", &[]), i64::from(u32::from_le_bytes(*b"UTC\0")));
}

#[test]
fn what_is_not_there_is_named() {
    let engine = Engine::new(&tenon::Config::new()).expect("there is code for this machine");
    for (import, ty) in [
        ("emscripten_asm_const_int", "(param i32 i32 i32) (result i32)"),
        ("__syscall_open", "(param i32) (result i32)"),
        // Exceptions that the host does not allocate.
        ("__cxa_begin_catch", "(param i32) (result i32)"),
    ] {
        let text = format!(r#"(module (import "env" "{import}" (func {ty})) (memory 1))"#);
        let module = Module::from_text(&engine, text.as_bytes()).expect("it is valid");
        let error = instantiate(&Wasi::new(Config::new()), &module).expect_err("it is not there");
        assert!(error.to_string().contains(import), "{error}");
    }
}

/// What a hostile guest does with functions that call it back.
#[test]
fn callbacks_fail_as_calls_do() {
    let text = r#"(module
      (import "env" "invoke_v" (func $invoke (param i32)))
      (import "env" "_emscripten_throw_longjmp" (func $throw))
      (import "env" "__call_sighandler" (func $signal (param i32 i32)))
      (memory (export "memory") 1)
      (table (export "__indirect_function_table") 8 funcref)
      (elem (i32.const 1) $again $trap $throw $odd)
      (global $threw (mut i32) (i32.const 0))
      (func (export "stackSave") (result i32) (i32.const 5))
      (func (export "stackRestore") (param i32))
      (func (export "setThrew") (param i32 i32) (global.set $threw (local.get 0)))
      (func $again (call $invoke (i32.const 1)))
      (func $trap unreachable)
      (func $odd (param i64))
      (func (export "run") (param i32) (result i32)
        (call $invoke (local.get 0)) (global.get $threw))
      (func (export "signal") (call $signal (i32.const 2) (i32.const 1)))
      (func (export "throw") (call $throw)))"#;
    let engine = Engine::new(&tenon::Config::new()).expect("there is code for this machine");
    let module = Module::from_text(&engine, text.as_bytes()).expect("it is valid");
    let instance = instantiate(&Wasi::new(Config::new()), &module).expect("it is all there");
    let run = |index| instance.func("run").expect("it is exported").call(&[tenon::Val::I32(index)]);
    let message = |index| run(index).expect_err("it fails").to_string();
    assert!(message(1).contains("call stack exhausted"), "{}", message(1));
    assert!(message(2).contains("unreachable"), "{}", message(2));
    assert!(matches!(run(3).expect("it is caught")[..], [tenon::Val::I32(1)]));
    assert!(message(4).contains("argument is missing"), "{}", message(4));
    for index in [0, 7, 8, -1] {
        assert!(message(index).contains("no function at"), "{}", message(index));
    }
    let call = |name| instance.func(name).expect("it is exported").call(&[]);
    assert!(call("signal").expect_err("it takes none").to_string().contains("arguments are given"));
    assert!(call("throw").expect_err("nothing catches").to_string().contains("longjmp"));
}

#[test]
fn the_command_line_runs_and_refuses() {
    let dir = folder("command");
    let guest = Path::new(GUESTS).join("stdio.wasm");
    let tenon = |args: &[&std::ffi::OsStr]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tenon"));
        command.arg("run").args(args).stdin(std::process::Stdio::null());
        command.output().expect("the command line has been built")
    };
    let output = tenon(&[guest.as_os_str(), "exit".as_ref()]);
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8_lossy(&output.stdout).contains("argv[1]=exit\n"));

    let short = dir.join("short.wat");
    fs::write(&short, r#"(module (import "a" "b" (func)))"#).expect("there is room for files");
    let output = tenon(&[short.as_os_str()]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("-sSTANDALONE_WASM"), "{message}");
}

/// Waiting ends when the time that the program has is over.
#[test]
fn deadlines_end_waiting() {
    let dir = folder("waiting");
    let memory = r#"(memory (export "memory") 1)"#;
    let pipe = r#"(drop (call $pipe (i32.const 16)))
        (i32.store (i32.const 32) (i32.load (i32.const 16)))
        (i32.store (i32.const 36) (i32.const 1))
        (drop (call $poll (i32.const 32) (i32.const 1) (i32.const -1)))"#;
    let programs = [
        format!(
            r#"(module (import "env" "emscripten_thread_sleep" (func $sleep (param f64))) {memory}
            (func (export "_start") (call $sleep (f64.const 1e9))))"#
        ),
        format!(
            r#"(module (import "env" "__syscall_pipe" (func $pipe (param i32) (result i32)))
            (import "env" "__syscall_poll" (func $poll (param i32 i32 i32) (result i32))) {memory}
            (func (export "_start") {pipe}))"#
        ),
    ];
    for (i, program) in programs.iter().enumerate() {
        let path = dir.join(format!("{i}.wat"));
        fs::write(&path, program).expect("there is room for files");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tenon"));
        let output = command.args(["run", "--timeout", "0.2"]).arg(&path).output();
        let output = output.expect("the command line has been built");
        assert_eq!(output.status.code(), Some(134), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
