//! Every feature can be switched off, and a module that needs it is refused by its name.

use tenon::{Config, Engine, Error, Feature, Features, Module};

/// A module that needs each feature, the features that it needs as well.
const NEEDS: [(&str, &str, &[&str]); 19] = [
    ("mutable-global", "(module (global (export \"g\") (mut i32) (i32.const 0)))", &[]),
    (
        "saturating-float-to-int",
        "(module (func (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0))))",
        &[],
    ),
    (
        "sign-extension",
        "(module (func (param i32) (result i32) (i32.extend8_s (local.get 0))))",
        &[],
    ),
    ("multi-value", "(module (func (result i32 i32) (i32.const 1) (i32.const 2)))", &[]),
    ("reference-types", "(module (func (param externref)))", &[]),
    (
        "bulk-memory",
        "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))",
        &[],
    ),
    ("simd", "(module (func (param v128)))", &[]),
    ("extended-const", "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))", &[]),
    ("multi-memory", "(module (memory 1) (memory 1))", &[]),
    ("tail-call", "(module (func $f (return_call $f)))", &[]),
    (
        "function-references",
        "(module (type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0))))",
        &["reference-types"],
    ),
    ("gc", "(module (type (struct)))", &["function-references", "reference-types"]),
    ("exceptions", "(module (tag))", &[]),
    ("legacy-exceptions", "(module (func try catch_all end))", &[]),
    ("memory64", "(module (memory i64 1))", &[]),
    (
        "relaxed-simd",
        "(module (func (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0))))",
        &["simd"],
    ),
    ("threads", "(module (memory 1 1 shared))", &[]),
    (
        "wide-arithmetic",
        "(module (func (param i64 i64) (result i64 i64)
            (i64.mul_wide_s (local.get 0) (local.get 1))))",
        &["multi-value"],
    ),
    ("custom-page-sizes", "(module (memory 1 (pagesize 1)))", &[]),
];

/// The one feature that no module needs: what it is about is a custom section.
const OPTIONAL: (&str, &str) = (
    "branch-hinting",
    "(module (func (param i32)
        (@metadata.code.branch_hint \"\\00\") (if (local.get 0) (then))))",
);

fn engine(switch: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::new();
    switch(&mut config);
    Engine::new(&config).expect("the settings make sense")
}

/// An engine with all features but one.
fn all_but(name: &str) -> Engine {
    engine(|config| {
        for &feature in Feature::ALL {
            config.feature(feature, feature.name() != name);
        }
    })
}

/// An engine with these features alone.
fn only(names: &[&str]) -> Engine {
    engine(|config| {
        for &feature in Feature::ALL {
            config.feature(feature, names.contains(&feature.name()));
        }
    })
}

fn binary(text: &str) -> Vec<u8> {
    Module::text_to_binary(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_feature_has_a_module() {
    for feature in Feature::ALL {
        let rows = NEEDS.iter().map(|row| row.0).chain([OPTIONAL.0]);
        assert_eq!(rows.filter(|name| *name == feature.name()).count(), 1, "{}", feature.name());
    }
}

#[test]
fn what_is_off_is_refused_by_its_name() {
    for (name, text, and) in NEEDS {
        let binary = binary(text);
        let mut off = vec![all_but(name), only(and)];
        if and.is_empty() {
            off.push(only(&[]));
        }
        for engine in off {
            let results =
                [Module::validate(&engine, &binary), Module::new(&engine, &binary).map(drop)];
            for result in results {
                let Err(Error::Invalid { .. }) = &result else {
                    panic!("{name} is off, but its module is valid: {result:?}")
                };
                let message = result.unwrap_err().to_string();
                assert!(message.contains(&format!("'{name}'")), "{name}: {message}");
            }
        }
    }
}

#[test]
fn what_is_on_is_all_that_its_module_needs() {
    for (name, text, and) in NEEDS {
        // What the engine does not have yet is off by default.
        if !crate::are_on(&[name]) {
            continue;
        }
        let binary = binary(text);
        for engine in [only(&[&[name], and].concat()), engine(|_| {})] {
            if let Err(error) = Module::new(&engine, &binary) {
                panic!("{name} is on, but its module is not valid: {error}");
            }
            let module = Module::new(&engine, &binary).expect("it is valid");
            let needed = module.needed_features().expect("it has its source");
            assert!(needed.iter().any(|needed| needed.name() == name), "{name}");
        }
    }
}

#[test]
fn hints_are_never_needed() {
    let (name, text) = OPTIONAL;
    for engine in [all_but(name), only(&[]), only(&[name])] {
        assert!(Module::new(&engine, &binary(text)).is_ok());
    }
}

#[test]
fn names_are_found_and_others_are_refused() {
    let mut config = Config::new();
    for feature in Feature::ALL {
        for (name, on) in
            [(feature.name().to_owned(), true), (feature.name().replace('-', "_"), false)]
        {
            assert!(config.feature_by_name(&name, on).is_ok());
            assert_eq!(config.features().has(*feature), on);
        }
    }
    assert_eq!(config.features(), Features::NONE);
    for name in ["", "teleportation", "SIMD", "simd ", "sim"] {
        let error = config.feature_by_name(name, true).map(drop).unwrap_err().to_string();
        assert!(error.contains(&format!("'{name}'")), "{error}");
    }
}
