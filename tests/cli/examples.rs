//! The examples in `examples/wasm3/` print what they say they print.

use std::fs;
use std::path::Path;

use tenon::{Feature, Features};

use super::{command, stderr, stdout};

/// The commands in an example's header, each with the lines that it prints.
fn commands(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in text.lines().map_while(|line| line.strip_prefix(";;")) {
        let line = line.trim_start();
        if let Some(command) = line.strip_prefix("$ tenon ") {
            commands.push((command.to_owned(), String::new()));
        } else if let Some((_, output)) = commands.last_mut() {
            *output += line;
            *output += "\n";
        }
    }
    commands
}

#[test]
fn every_feature_since_version_2_has_an_example() {
    let old = Feature::from_name("simd").expect("there is such a feature");
    for feature in Feature::ALL.iter().filter(|feature| **feature as u8 > old as u8) {
        let path = format!("{}/examples/wasm3/{}.wat", env!("CARGO_MANIFEST_DIR"), feature.name());
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(!commands(&text).is_empty(), "{path} does not say how it is run");
    }
}

#[test]
fn examples_print_what_they_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut run = 0;
    for &feature in Feature::ALL {
        let path = root.join("examples/wasm3").join(feature.name()).with_extension("wat");
        let needed = match feature.name() {
            // Off by default, but there as soon as the others are.
            "legacy-exceptions" => "exceptions",
            name => name,
        };
        let needed = Feature::from_name(needed).expect("there is such a feature");
        if !path.exists() || !Features::default().has(needed) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("the example can be read");
        for (line, wanted) in commands(&text) {
            let output = command(line.split(' ')).current_dir(root).output();
            let output = output.expect("the command line has been built");
            assert_eq!(stdout(&output), wanted, "tenon {line}: {}", stderr(&output));
            run += 1;
        }
    }
    assert!(run > 10);
}
