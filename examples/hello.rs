//! A module that calls a function of the host, and whose own function the host calls:
//! `cargo run --example hello`.

use tenon::{Caller, Config, Engine, Error, Linker, Memory, Module, Store, Trap, Val};

/// Greets through the host: passes on where in its memory the greeting is, and returns how often it
/// has greeted.
const GUEST: &str = r#"(module
  (import "host" "greet" (func $greet (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "hello from the guest")
  (func (export "greet twice") (result i32)
    (drop (call $greet (i32.const 16) (i32.const 20)))
    (call $greet (i32.const 16) (i32.const 20))))"#;

/// The text at a place in a guest's memory.
fn text(memory: &Memory, start: u32, len: u32) -> Result<String, Error> {
    memory.with(start.into(), len as usize, |bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn main() -> Result<(), Error> {
    let engine = Engine::new(&Config::new())?;
    let store = Store::new(&engine);
    let module = Module::from_text(&engine, GUEST.as_bytes())?;

    let greetings = std::cell::Cell::new(0);
    let mut linker = Linker::new(&store);
    linker.func("host", "greet", move |caller: &Caller, start: u32, len: u32| {
        let memory = caller.memory().expect("the guest has a memory");
        // What the guest passes may be wrong: then it gets a trap.
        let text = text(&memory, start, len).map_err(|error| Trap::new(error.to_string()))?;
        println!("{text}");
        greetings.set(greetings.get() + 1);
        Ok::<u32, Trap>(greetings.get())
    })?;
    let instance = linker.instantiate(&module)?;

    let greet = instance.func("greet twice").expect("the guest exports it");
    let results = greet.call(&[])?;
    assert!(matches!(results[..], [Val::I32(2)]), "{results:?}");
    Ok(())
}

#[test]
fn greets_twice() -> Result<(), Error> {
    main()
}
