//! `tenon inspect` and `tenon validate`.

use ::tenon as tenon_crate;

use crate::{ARITHMETIC, PROBE, SQUEEZE, folder, refused, shown, stderr, tenon, text, write};

#[test]
fn validates_and_inspects() {
    let dir = folder("inspect");
    let good = write(&dir, "good.wat", ARITHMETIC);
    let bad = write(&dir, "bad.wat", "(module (func (result i32) i64.const 0))");
    assert_eq!(shown(["validate", text(&good)]), "");
    refused(["validate", text(&good), text(&bad)], "bad.wat: type mismatch");
    // Every file is told about.
    let output = tenon(["validate", "none.wasm", text(&bad)]);
    assert_eq!(stderr(&output).matches("error: ").count(), 2, "{}", stderr(&output));
    let simd = write(&dir, "simd.wat", "(module (func (result v128) v128.const i64x2 0 0))");
    assert_eq!(shown(["validate", text(&simd)]), "");
    refused(["validate", "--feature", "simd=off", text(&simd)], "the feature 'simd' is off");
    refused(["validate", "--feature", "flight", text(&simd)], "flight");

    let compiled = dir.join("good.tenon");
    shown(["compile", text(&good)]);
    assert_eq!(shown(["validate", text(&compiled)]), "");

    let shown = shown(["inspect", text(&good)]);
    assert!(shown.starts_with("module: arithmetic\nsize: "), "{shown}");
    assert!(shown.contains("\nfunctions: 3, 2 with names\n"), "{shown}");
    assert!(shown.contains("\nfeatures needed: multi-value\n"), "{shown}");
    assert!(shown.contains("\nimports: 0\n"), "{shown}");
}

/// Programs that use the library write compiled modules without their source.
#[test]
fn compiled_files_may_be_without_source() {
    let dir = folder("no_source");
    let engine = tenon_crate::Engine::new(&tenon_crate::Config::new()).expect("it is this machine");
    let module = tenon_crate::Module::from_text(&engine, ARITHMETIC.as_bytes());
    let bytes = module.and_then(|module| module.serialize()).expect("it is valid");
    let file = write(&dir, "lean.tenon", bytes);
    let told = shown(["inspect", text(&file)]);
    assert!(told.starts_with("module: arithmetic\nsize: unknown"), "{told}");
    assert!(told.contains("\nfunctions: 3, 2 with names\n"), "{told}");
    assert!(!told.contains("sections"), "{told}");
    let told = shown(["inspect", "--json", text(&file)]);
    assert!(told.contains("\"size\": null"), "{told}");
    refused(["validate", text(&file)], "serialized without its source");
}

#[test]
fn inspects_a_program() {
    let shown = shown(["inspect", SQUEEZE]);
    for line in [
        "made with: C99, ",
        "functions: ",
        "features needed: none\n",
        "  code: ",
        "  custom \"name\": ",
        "  from wasi_snapshot_preview1:\n",
        "    fd_write: func (i32, i32, i32, i32) -> (i32)\n",
        "  compress: func (i32, i32, i32, i32) -> (i32)\n",
        "  memory: memory 2\n",
    ] {
        assert!(shown.contains(line), "`{line}` in\n{shown}");
    }
    assert!(!shown.contains("not provided"), "{shown}");
}

#[test]
fn says_what_is_not_provided() {
    let dir = folder("not_provided");
    let module = r#"(module
      (import "env" "f" (func (param i32)))
      (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
      (import "env" "m" (memory 1 2)))"#;
    let file = write(&dir, "m.wat", module);
    let lines = "imports: 3\n  from env:\n    f: func (i32) -> () (not provided by `tenon run`)\n    \
                 m: memory 1 2 (not provided by `tenon run`)\n  from wasi_snapshot_preview1:\n    \
                 fd_close: func (i32) -> (i32)\n";
    let shown = shown(["inspect", text(&file)]);
    assert!(shown.contains(lines), "{shown}");
}

#[test]
fn json_is_for_programs() {
    let text = shown(["inspect", "--json", PROBE]);
    let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(value["name"], serde_json::Value::Null);
    let size = std::fs::metadata(PROBE).expect("it is there").len();
    assert_eq!(value["size"], size);
    let imports = value["imports"].as_array().expect("it is a list");
    let write = imports.iter().find(|import| import["name"] == "fd_write");
    let write = write.expect("the program writes");
    assert_eq!(write["module"], "wasi_snapshot_preview1");
    assert_eq!(write["type"], "func (i32, i32, i32, i32) -> (i32)");
    assert_eq!(write["provided"], true);
    let exports = value["exports"].as_array().expect("it is a list");
    assert!(exports.iter().any(|export| export["name"] == "_start"));
    let sections = value["sections"].as_array().expect("it is a list");
    let sizes: u64 = sections.iter().filter_map(|section| section["size"].as_u64()).sum();
    assert!(sizes < size && sizes + 100 > size, "{sizes} of {size}");
}

#[test]
fn common_mistakes_have_messages() {
    let dir = folder("mistakes");
    for (name, content, message) in [
        ("component.wasm", &b"\0asm\x0d\0\x01\0"[..], "this is a component, not a module"),
        ("component.wat", b"(component)", "the text of a component"),
        ("version.wasm", b"\0asm\x02\0\0\0", "a version of the binary format that is not 1"),
        ("cut.wasm", b"\0asm\x01\0\0\0\x01\x20", "unexpected end"),
        ("program", b"\x7fELF\x02\x01", "a program or library for this kind of system"),
        ("script", b"#!/bin/sh\n", "this is a script"),
        ("library.a", b"!<arch>\n", "link them"),
        ("packed.gz", b"\x1f\x8b\x08", "decompress it first"),
        ("package.webc", b"\0webc002", "WebC"),
        ("empty.wasm", b"", "the file is empty"),
        ("main.c", b"int main(void) {}\n", "this is a text file"),
        ("noise", b"\xff\xfe\xfd", "neither a WebAssembly module nor its text format"),
        ("open.wat", b"(module", "open.wat: expected `)`"),
    ] {
        let file = write(&dir, name, content);
        for command in ["run", "validate", "inspect", "compile"] {
            refused([command, text(&file)], message);
        }
    }
    refused(["run", text(&dir)], "neither wasmer.toml nor oci-layout");
    refused(["run", "no/such/file.wasm"], "no/such/file.wasm: ");
}
