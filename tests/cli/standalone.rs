//! `tenon compile`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::{
    ARITHMETIC, PROBE, SQUEEZE, folder, refused, shown, stderr, stdout, tenon, text, write,
};

#[test]
fn compiles_ahead_of_time() {
    let dir = folder("compile");
    let target = dir.join("out.tenon");
    shown(["compile", SQUEEZE, "-o", text(&target)]);
    write(&dir, "text", "some text");
    let mapped = format!("{}::/data", dir.display());
    shown(["run", "--dir", &mapped, text(&target), "c", "/data/text"]);

    let mut bytes = fs::read(&target).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&target, bytes).expect("there is room for files");
    refused(["run", text(&target)], "cut off or damaged");
}

#[test]
fn compiled_files_are_beside_their_modules() {
    let dir = folder("beside");
    let file = write(&dir, "a.wat", ARITHMETIC);
    shown(["compile", text(&file)]);
    let compiled = dir.join("a.tenon");
    assert_eq!(shown(["run", "--invoke", "div", text(&compiled), "6", "3"]), "2\n");
    // Settings of another engine.
    refused(["run", "--explicit-checks", text(&compiled)], "other settings");
    refused(["compile", text(&compiled)], "would replace");
    refused(["compile", text(&file), "-o", text(&dir)], "would replace");
    refused(["compile", text(&file), "-o", "/no/such/place"], "/no/such/place: ");
    refused(["compile", "--env", "A=1", text(&file)], "need --exe");
    refused(["compile", text(&file), "--", "x"], "need --exe");
    let names = fs::read_dir(&*dir).expect("it is there").count();
    assert_eq!(names, 2, "nothing unfinished is left");
}

/// Makes an executable of these bytes. Another process writes it: while this one had it open, a
/// process that another thread starts would have it open too, and nobody could execute it.
fn install(dir: &Path, bytes: &[u8], executable: &Path) {
    let content = write(dir, "content", bytes);
    let mut command = Command::new("cp");
    let copied = command.args([content.as_path(), executable]).status().expect("there is cp");
    assert!(copied.success());
}

/// Runs an executable as on a machine that has nothing else.
fn execute(path: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(path);
    command.args(args).env_clear().stdin(Stdio::null()).output().expect("it can be executed")
}

#[test]
fn an_executable_passes_on_arguments_and_exit_code() {
    let dir = folder("executable");
    let app = dir.join("app");
    shown(["compile", "--exe", PROBE, "-o", text(&app)]);
    let output = execute(&app, &["args", "--help", "run"]);
    assert_eq!(stdout(&output), format!("{}\n--help\nrun\n", app.display()));
    assert_eq!(execute(&app, &["exit", "7"]).status.code(), Some(7));
    assert_eq!(stdout(&execute(&app, &["env"])), "");

    let trap = write(&dir, "trap.wat", "(module (func (export \"_start\") unreachable))");
    shown(["compile", "--exe", text(&trap)]);
    let output = execute(&dir.join("trap"), &[]);
    assert_eq!(output.status.code(), Some(134));
    assert!(stderr(&output).starts_with("trap: unreachable\n"), "{}", stderr(&output));
}

#[test]
fn an_executable_has_its_arguments_and_grants_with_it() {
    let dir = folder("grants");
    write(&dir, "data/text", "from a file");
    let app = dir.join("app");
    let mapped = format!("{}::/data:ro", dir.join("data").display());
    let given = ["--dir", &mapped, "--env", "A=1", "--argv0", "name", "--cwd", "/data"];
    let baked = ["--", "env", "cat", "/data/text"];
    let fixed = ["compile", "--exe", PROBE, "-o", text(&app)];
    shown(fixed.into_iter().chain(given).chain(baked));
    // Where it is started, and by which name, makes no difference.
    let moved = dir.join("moved");
    fs::rename(&app, &moved).expect("both are in the folder");
    let output = execute(&moved, &["cat", "text", "args", "x"]);
    assert_eq!(stdout(&output), "PWD=/data\nA=1\nfrom a filefrom a filename\nx\n");
    let output = execute(&moved, &["write", "/data/text"]);
    assert_eq!(output.status.code(), Some(1), "the directory is to read only");

    fs::remove_dir_all(dir.join("data")).expect("it is there");
    let output = execute(&moved, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
}

#[test]
fn a_damaged_executable_is_refused() {
    let dir = folder("damaged");
    let app = dir.join("app");
    shown(["compile", "--exe", PROBE, "-o", text(&app)]);
    let whole = fs::read(&app).expect("it is there");
    let program = fs::metadata(env!("CARGO_BIN_EXE_tenon")).expect("it has been built").len();
    let program = usize::try_from(program).expect("it fits into memory");
    let mut flipped = whole.clone();
    flipped[program + 100] ^= 1;
    let mut unmarked = whole.clone();
    unmarked[program] ^= 1;
    let longer = [&whole[..], b"x"].concat();
    for (bytes, how) in [
        (&flipped[..], "a bit of the content"),
        (&unmarked[..], "a bit of the mark"),
        (&longer[..], "a byte more"),
        (&whole[..whole.len() - 1], "a byte less"),
        (&whole[..program + 1], "almost all cut off"),
    ] {
        install(&dir, bytes, &app);
        let output = execute(&app, &["args"]);
        assert_eq!(output.status.code(), Some(1), "{how}");
        assert_eq!(stderr(&output), "error: this program is cut off or damaged\n", "{how}");
    }
}

#[test]
fn an_executable_compiles_where_its_code_does_not_fit() {
    // Other settings than those that the code was made with, in place of another processor.
    let dir = folder("elsewhere");
    let app = dir.join("app");
    shown(["compile", "--exe", PROBE, "-o", text(&app)]);
    let mut bytes = fs::read(&app).expect("it is there");
    let program = fs::metadata(env!("CARGO_BIN_EXE_tenon")).expect("it has been built").len();
    let attached = &mut bytes[usize::try_from(program).expect("it fits into memory")..];
    let (header, content) = attached.split_at_mut(40);
    let (from, to) = (br#""explicit_checks":false"#, br#""explicit_checks":true "#);
    let at = content.windows(from.len()).position(|window| window == from);
    let at = at.expect("it is one of the settings");
    content[at..at + to.len()].copy_from_slice(to);
    let sum = twox_hash::xxhash3_128::Hasher::oneshot(content);
    header[24..].copy_from_slice(&sum.to_le_bytes());
    install(&dir, &bytes, &app);
    let run = || {
        let mut command = Command::new(&app);
        command.args(["args", "x"]).env_clear().env("XDG_CACHE_HOME", dir.join("cache"));
        stdout(&command.output().expect("it can be executed"))
    };
    let expected = format!("{}\nx\n", app.display());
    assert_eq!(run(), expected);
    let kept = fs::read_dir(dir.join("cache/tenon")).expect("it has been compiled").count();
    assert_eq!((run(), kept), (expected, 1));
}

#[test]
fn an_executable_is_made_of_a_package() {
    let dir = folder("packed");
    let package = dir.join("package");
    write(&package, "m.wasm", fs::read(PROBE).expect("it is there"));
    let manifest = "[[module]]\nname = 'm'\nsource = 'm.wasm'\n\
                    [[command]]\nname = 'c'\nmodule = 'm'\n[command.annotations.wasi]\n\
                    main-args = ['env', 'args']\nenv = ['A=1', 'B=2']\nexec-name = 'packed'\n";
    write(&package, "wasmer.toml", manifest);
    let app = dir.join("app");
    let given = ["--env", "B=3", "--", "baked"];
    let args = ["compile", "--exe", text(&package), "-o", text(&app)].into_iter().chain(given);
    shown(args);
    fs::remove_dir_all(&package).expect("it is there");
    assert_eq!(stdout(&execute(&app, &["user"])), "A=1\nB=3\npacked\nbaked\nuser\n");
}

#[test]
fn what_is_no_program_becomes_no_executable() {
    let dir = folder("no_executable");
    let file = write(&dir, "a.wat", ARITHMETIC);
    refused(["compile", "--exe", text(&file)], "no function named `_start`");
    let file = write(&dir, "b.wat", r#"(module (import "x" "f" (func)) (func (export "_start")))"#);
    refused(["compile", "--exe", text(&file)], "x.f: func () -> ()");
    let package = dir.join("package");
    write(&package, "data/x", "");
    write(&package, "m.wasm", fs::read(PROBE).expect("it is there"));
    let manifest = "[[module]]\nname = 'm'\nsource = 'm.wasm'\n[fs]\n'/x' = 'data'\n";
    write(&package, "wasmer.toml", manifest);
    let app = dir.join("app");
    refused(["compile", "--exe", text(&package), "-o", text(&app)], "has directories");
    assert!(!app.exists());
    assert_eq!(tenon(["compile"]).status.code(), Some(2));
}
