//! Scripts of our own, `regress/*.wast`, in every mode of the engine: for what has once gone wrong,
//! and for what the specification's suites leave out.

use std::path::Path;
use std::process::Command;
use std::thread;

use tenon::{Config, Engine, Error, Instance, Module, Store, TrapCode, Val};

const MODES: [&[&str]; 4] = [
    &["--compilation=ahead"],
    &["--explicit-checks", "--lazy", "--tier-up-after=1"],
    &["--memory-reservation", "0", "--lazy", "--tier-up-after=11"],
    &["--collect-always", "--lazy", "--tier-up-after=3"],
];

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

/// A function that calls nothing may still have a frame that does not fit: its values.
#[test]
fn large_frames_are_checked_without_calls() -> Result<(), Error> {
    const VALUES: usize = 40_000;
    let values: String = (0..VALUES)
        .map(|i| format!("(i32.rotl (local.get 0) (i32.const {i})) "))
        .chain((1..VALUES).map(|_| "i32.sub ".to_owned()))
        .collect();
    let text = format!(
        "(module
           (func $leaf (param i32) (result i32) {values})
           (func $down (export \"down\") (param i32) (result i32)
             (if (result i32) (i32.eqz (local.get 0))
               (then (call $leaf (local.get 0)))
               (else (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1))))))))"
    );
    let module = Module::from_text(&Engine::new(&Config::new())?, text.as_bytes())?;
    // The frame takes 320,000 bytes, more than what is kept free below the limit of this stack.
    let small = thread::Builder::new().stack_size(512 << 10);
    // Errors may hold something of a store, and stay in the thread.
    let thread = small.spawn(move || -> Result<_, String> {
        let text = |error: Error| error.to_string();
        let store = Store::new(module.engine());
        let instance = Instance::new(&store, &module, &[]).map_err(text)?;
        let down = instance.func("down").expect("it is exported");
        let mut outcomes = [0, 0];
        for depth in (0..20_000).step_by(200) {
            match down.call(&[Val::I32(depth)]) {
                Ok(_) => outcomes[0] += 1,
                Err(Error::Trap(trap)) if trap.code() == Some(TrapCode::StackOverflow) => {
                    outcomes[1] += 1;
                }
                Err(error) => return Err(text(error)),
            }
        }
        Ok(outcomes)
    });
    let outcomes = thread.expect("there is a thread").join().expect("nothing has panicked");
    let outcomes = outcomes.expect("the function can be called");
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "{outcomes:?}");
    Ok(())
}

/// Runs an exported function of no parameters or one in all kinds of engines; its result.
fn run(text: &str, args: &[Val]) -> Result<i64, Error> {
    let mut results = Vec::new();
    for explicit_checks in [false, true] {
        let mut config = Config::new();
        config.explicit_checks(explicit_checks);
        let module = Module::from_text(&Engine::new(&config)?, text.as_bytes())?;
        let store = Store::new(module.engine());
        let instance = Instance::new(&store, &module, &[])?;
        match instance.func("f").expect("it is exported").call(args)?.as_slice() {
            [Val::I64(result)] => results.push(*result),
            other => panic!("the function returns {other:?}"),
        }
    }
    assert_eq!(results[0], results[1]);
    Ok(results[0])
}

/// Functions too heavy to be optimized: their locals are in memory.
#[test]
fn heavy_functions_have_their_locals() -> Result<(), Error> {
    const LOCALS: usize = 700;
    const BLOCKS: usize = 3100;
    let (mut blocks, mut expected) = (String::new(), vec![0i64; LOCALS]);
    let flags = 0x5a5a_a5a5_u32;
    for k in 0..BLOCKS {
        let (to, from) = (k % LOCALS, (k * 7 + 3) % LOCALS);
        blocks += &format!(
            "(if (i32.and (local.get $flags) (i32.const {}))
               (then (local.set $l{to} (i64.add (local.get $l{from}) (i64.const {k})))))\n",
            1u32 << (k % 32)
        );
        if flags >> (k % 32) & 1 == 1 {
            expected[to] = expected[from] + k as i64;
        }
    }
    let declared: String = (0..LOCALS).map(|i| format!("(local $l{i} i64)")).collect();
    let gathered: String =
        (0..LOCALS).map(|i| format!("(i64.const 1) i64.rotl (local.get $l{i}) i64.xor ")).collect();
    let text = format!(
        "(module (func (export \"f\") (param $flags i32) (result i64)
           {declared} (local $v v128) (local $x f64) (local $y f32) (local $r externref)
           (local.set $v (i64x2.splat (i64.const 0x123456789)))
           (local.set $x (f64.const 1.5))
           (local.set $y (f32.const 2.5))
           {blocks}
           (i64x2.extract_lane 1 (local.get $v))
           (i64.xor (i64.reinterpret_f64 (local.get $x)))
           (i64.xor (i64.trunc_f32_s (local.get $y)))
           (i64.xor (i64.extend_i32_u (ref.is_null (local.get $r))))
           {gathered}))"
    );
    let mut wanted = 0x1_2345_6789 ^ 1.5f64.to_bits() as i64 ^ 2 ^ 1;
    for value in expected {
        wanted = wanted.rotate_left(1) ^ value;
    }
    assert_eq!(run(&text, &[Val::I32(flags as i32)])?, wanted);
    Ok(())
}

/// Loops in loops once took time with the square of their depth, and more.
#[test]
fn many_loops_in_loops_compile() -> Result<(), Error> {
    const DEPTH: usize = 3000;
    let turn = "local.get 0 i64.const 1 i64.add local.tee 0 i64.const 10000 i64.lt_u br_if 0 end ";
    let text = format!(
        "(module (func (export \"f\") (result i64) (local i64) {} {} local.get 0))",
        "loop ".repeat(DEPTH),
        turn.repeat(DEPTH)
    );
    assert_eq!(run(&text, &[])?, 10_000 + DEPTH as i64 - 1);
    Ok(())
}
