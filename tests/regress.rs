//! Scripts of our own, `regress/*.wast`, in every mode of the engine: for what has once gone wrong,
//! and for what the specification's suites leave out.

use std::path::Path;
use std::process::Command;

const MODES: [&[&str]; 3] = [&[], &["--explicit-checks", "--lazy"], &["--memory-reservation", "0"]];

#[test]
fn scripts_pass() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regress");
    for mode in MODES {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenon"));
        let output = command.arg("wast").args(mode).arg(&scripts).output();
        let output = output.expect("the command line has been built");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && !text.contains("\n0 passed"), "{mode:?}: {text}");
    }
}
