//! `tenon --help`, `tenon man` and `tenon completions`.

use std::fs;

use crate::{folder, refused, shown, tenon, text, write};

#[test]
fn help_has_groups_and_examples() {
    let help = shown(["--help"]);
    assert!(help.contains("Examples:\n  tenon run program.wasm"), "{help}");
    let help = shown(["run", "--help"]);
    for heading in ["What the program is given:", "Packages:", "Cache:", "Engine:", "Examples:"] {
        assert!(help.contains(&format!("\n{heading}\n")), "{heading} in\n{help}");
    }
    let arguments = help.find("Arguments:").expect("they are told");
    assert!(help[arguments..].starts_with("Arguments:\n  <FILE>"), "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    assert_eq!(tenon(["rnu"]).status.code(), Some(2));
}

#[test]
fn manual_pages_are_written() {
    let dir = folder("man");
    shown(["man", text(&dir.join("man1"))]);
    for (page, content) in [("tenon.1", "tenon\\-run(1)"), ("tenon-run.1", "\\-\\-invoke")] {
        let page = fs::read_to_string(dir.join("man1").join(page)).expect("it has been written");
        assert!(page.contains(content), "{page}");
    }
    let file = write(&dir, "file", "");
    refused(["man", text(&file)], "file: ");
}

#[test]
fn shells_can_complete() {
    for (shell, content) in
        [("bash", "complete -F _tenon"), ("zsh", "#compdef tenon"), ("fish", "complete -c tenon")]
    {
        let script = shown(["completions", shell]);
        assert!(script.contains(content) && script.contains("invoke"), "{script}");
    }
    assert_eq!(tenon(["completions", "no-shell"]).status.code(), Some(2));
}
