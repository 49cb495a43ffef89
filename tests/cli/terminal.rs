//! What is shown on a terminal.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::{ARITHMETIC, command, folder, text, write};

/// What a terminal shows when it is a command's standard error.
fn on_terminal(args: &[&str], progress: &str) -> String {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
    grantpt(&controller).expect("it is ours");
    unlockpt(&controller).expect("it is ours");
    let name = ptsname(&controller, Vec::new()).expect("it has a name");
    let name = name.to_str().expect("the name is text");
    let terminal = OpenOptions::new().read(true).write(true).open(name).expect("it is ours");
    let mut command = command(args);
    command.env("TENON_PROGRESS", progress).env("TERM", "xterm").env_remove("NO_COLOR");
    let mut child = command.stdout(Stdio::null()).stderr(terminal).spawn().expect("it is built");
    // Now nobody but the child has the terminal open: reading ends with it.
    drop(command);
    let mut shown = Vec::new();
    // When the last who has the terminal open is gone, reading fails.
    let _ = File::from(controller).read_to_end(&mut shown);
    assert!(child.wait().expect("it ends").success());
    String::from_utf8_lossy(&shown).into_owned()
}

#[test]
fn compilation_shows_a_bar_on_a_terminal() {
    let dir = folder("bar");
    let file = write(&dir, "a.wat", ARITHMETIC);
    let args = ["run", "--no-cache", "--invoke", "div", text(&file), "6", "3"];
    let shown = on_terminal(&args, "always");
    assert!(shown.contains("compiling ["), "{shown:?}");
    assert!(shown.contains("of 3 functions"), "{shown:?}");
    // It is cleared in the end.
    assert!(shown.trim_end().ends_with("\u{1b}[2K"), "{shown:?}");
    assert_eq!(on_terminal(&args, "never"), "");
}

#[test]
fn compilation_shows_nothing_elsewhere() {
    let dir = folder("no_bar");
    let file = write(&dir, "a.wat", ARITHMETIC);
    let args = ["run", "--no-cache", "--invoke", "div", text(&file), "6", "3"];
    let output = command(args).env("TENON_PROGRESS", "always").output().expect("it is built");
    assert_eq!((output.stdout, output.stderr), (b"2\n".to_vec(), Vec::new()));
}
