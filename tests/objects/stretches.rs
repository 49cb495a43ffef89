//! Long operations on arrays react to an interrupt, and leave the heap in order.

use tenon::{Config, Engine, Func, Linker, Module, Store, TrapCode, Val};

use super::{call, func, number};

/// More than is written between two looks at the interrupt, by far.
const LEN: u32 = 17 << 20;

/// `ask` asks for an interrupt. What comes after it in the same function has neither calls nor loops,
/// in which code would look by itself.
const GUEST: &str = r#"(module
  (import "" "ask" (func $ask))
  (type $bytes (array (mut i8)))
  (type $wide (array (mut v128)))
  (global $bytes (mut (ref null $bytes)) (ref.null $bytes))
  (global $wide (mut (ref null $wide)) (ref.null $wide))
  (data $data "DATA")
  (func (export "prepare") (param $len i32)
    (global.set $bytes (array.new $bytes (i32.const 1) (local.get $len)))
    (global.set $wide (array.new_default $wide (i32.shr_u (local.get $len) (i32.const 4)))))
  (func (export "byte") (param i32) (result i32)
    (array.get_u $bytes (global.get $bytes) (local.get 0)))
  (func (export "lane") (param i32) (result i32)
    (i32x4.extract_lane 3 (array.get $wide (global.get $wide) (local.get 0))))
  (func (export "fill") (param $len i32)
    (call $ask)
    (array.fill $bytes (global.get $bytes) (i32.const 0) (i32.const 2) (local.get $len)))
  (func (export "fill-wide") (param $len i32)
    (call $ask)
    (array.fill $wide (global.get $wide) (i32.const 0)
      (v128.const i32x4 1 2 3 4) (i32.shr_u (local.get $len) (i32.const 4))))
  (func (export "copy-up") (param $len i32)
    (array.set $bytes (global.get $bytes) (i32.const 0) (i32.const 9))
    (call $ask)
    (array.copy $bytes $bytes (global.get $bytes) (i32.const 1) (global.get $bytes) (i32.const 0)
      (i32.sub (local.get $len) (i32.const 1))))
  (func (export "copy-down") (param $len i32)
    (array.set $bytes (global.get $bytes) (i32.sub (local.get $len) (i32.const 1)) (i32.const 9))
    (call $ask)
    (array.copy $bytes $bytes (global.get $bytes) (i32.const 0) (global.get $bytes) (i32.const 1)
      (i32.sub (local.get $len) (i32.const 1))))
  (func (export "init") (param $len i32)
    (call $ask)
    (array.init_data $bytes $data (global.get $bytes) (i32.const 0) (i32.const 0) (local.get $len)))
  (func (export "new") (param $len i32)
    (call $ask)
    (global.set $bytes (array.new $bytes (i32.const 3) (local.get $len))))
  (func (export "new-zeroed") (param $len i32)
    (call $ask)
    (global.set $bytes (array.new_default $bytes (local.get $len))))
  (func (export "new-of-data") (param $len i32)
    (call $ask)
    (global.set $bytes (array.new_data $bytes $data (i32.const 0) (local.get $len)))))"#;

/// The export; how the element that it writes last is read, which one that is, and what it has then.
const ROWS: [(&str, &str, u32, i32); 8] = [
    ("fill", "byte", LEN - 1, 2),
    ("fill-wide", "lane", (LEN >> 4) - 1, 4),
    ("copy-up", "byte", 1, 9),
    ("copy-down", "byte", LEN - 2, 9),
    ("init", "byte", LEN - 1, b'x' as i32),
    ("new", "byte", LEN - 1, 3),
    ("new-zeroed", "byte", LEN - 1, 0),
    ("new-of-data", "byte", LEN - 1, b'x' as i32),
];

fn react(configure: fn(&mut Config)) {
    let mut config = Config::new();
    configure(config.interruptible(true));
    let engine = Engine::new(&config).expect("the settings make sense");
    let text = GUEST.replace("DATA", &"x".repeat(LEN as usize));
    let module = Module::from_text(&engine, text.as_bytes()).expect("it is valid");
    for asks in [true, false] {
        let store = Store::new(&engine);
        let handle = store.interrupt_handle().expect("the store can be interrupted");
        let ask = Func::wrap(&store, move |_: &tenon::Caller| {
            if asks {
                handle.interrupt();
            }
        });
        let mut linker = Linker::new(&store);
        linker.define("", "ask", ask.expect("it can be made"));
        let guest = linker.instantiate(&module).expect("its import is there");
        let len = Val::I32(LEN as i32);
        for (name, look, place, expected) in ROWS {
            func(&guest, "prepare").call(std::slice::from_ref(&len)).expect("it does not trap");
            let look = func(&guest, look);
            let seen = || number(&call(&look, &[Val::I32(place as i32)]));
            let before = seen();
            let outcome = func(&guest, name).call(std::slice::from_ref(&len));
            if !asks {
                outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(seen(), expected, "{name}");
                continue;
            }
            match outcome {
                Err(tenon::Error::Trap(trap)) if trap.code() == Some(TrapCode::Interrupt) => {}
                other => panic!("{name} is interrupted, not {other:?}"),
            }
            assert_eq!(seen(), before, "{name} has not come so far");
            store.collect();
            assert_eq!(seen(), before, "{name}");
        }
    }
}

#[test]
fn long_operations_react() {
    react(|_| {});
}

#[test]
fn long_operations_react_without_signals() {
    react(|config| _ = config.explicit_checks(true));
}
