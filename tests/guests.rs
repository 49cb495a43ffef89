//! Programs of others that are kept with the tests: `tests-c/guests/real`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::{env, fs};

const GUESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests-c/guests/real");

fn tenon(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tenon"))
        .arg("run")
        .args(args)
        .current_dir(GUESTS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command line has been built");
    let mut stdin = child.stdin.take().expect("it is piped");
    std::thread::scope(|scope| {
        // A program that ends early does not read it all.
        scope.spawn(move || stdin.write_all(input).is_ok());
        child.wait_with_output().expect("it ends")
    })
}

#[test]
fn lua_runs_scripts() {
    let output = tenon(&["--dir", ".::/", "lua.wasm", "/calls.lua"], b"");
    let expected = fs::read_to_string(Path::new(GUESTS).join("lua.txt")).expect("it is there");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert!(output.status.success());

    let output = tenon(&["lua.wasm", "-"], b"io.stderr:write('said\\n') os.exit(5)");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "said\n");
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn minigzip_packs_and_unpacks() {
    let text = "The quick brown fox\n".repeat(150_000);
    let packed = tenon(&["minigzip.wasm"], text.as_bytes()).stdout;
    assert_eq!(packed.len(), 7328);
    let unpacked = tenon(&["minigzip.wasm", "-d"], &packed).stdout;
    assert!(unpacked == text.as_bytes(), "{} bytes", unpacked.len());
}
