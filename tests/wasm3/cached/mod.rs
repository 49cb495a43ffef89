//! What code may keep in a register, and must not over a call: bases and lengths of memories and
//! tables, globals, places in the heap, fuel. Each of these values is looked at before and after
//! everything that can call or is like a call, and that changes it meanwhile, in every mode.
//!
//! A module is made of a row of [`VALUES`] and a row of [`WAYS`]. The value is the module's own or
//! imported. Rows whose features are not on by default wait until they are.

mod rows;

use std::cell::RefCell;
use std::rc::Rc;

use tenon::{
    Config, Engine, Error, Extern, Func, Global, Instance, Linker, Module, Store, Trap, Val,
};

use self::rows::{VALUES, Value, WAYS, Way};
use crate::are_on;

fn table(instance: &Instance) -> tenon::Table {
    match instance.export("t") {
        Some(Extern::Table(table)) => table,
        other => panic!("the table is exported, not {other:?}"),
    }
}

fn global(instance: &Instance, name: &str) -> Global {
    match instance.export(name) {
        Some(Extern::Global(global)) => global,
        other => panic!("the global {name} is exported, not {other:?}"),
    }
}

fn change_back(instance: &Instance) {
    let change = instance.func("change").expect("it is exported");
    // It counts the change, which has been counted already.
    let n = global(instance, "n");
    let Val::I32(count) = n.get() else { panic!("the count is an i32") };
    n.set(&Val::I32(count - 1)).expect("it can be set");
    change.call(&[]).expect("it does not trap");
}

/// What all modules have: the count of changes, functions, and the value.
const OWN: &str = r#"
  (global $n (export "n") (mut i32) (i32.const 0))
  (global $k (export "k") (mut i32) (i32.const 10))
  (global $left (export "left") (mut i32) (i32.const 0))
  (func $f0 (export "f0") (result i32) (i32.const 10))
  (func $f1 (export "f1") (result i32) (i32.const 11))
  (func $f2 (export "f2") (result i32) (i32.const 12))
  (func $f3 (export "f3") (result i32) (i32.const 13))
  (table $fs (export "fs") 4 funcref)
  (elem (table $fs) (i32.const 0) func $f0 $f1 $f2 $f3)"#;

/// The same, imported.
const IMPORTED: &str = r#"
  (import "env" "n" (global $n (mut i32)))
  (import "env" "k" (global $k (mut i32)))
  (import "env" "left" (global $left (mut i32)))
  (import "env" "f0" (func $f0 (result i32)))
  (import "env" "f1" (func $f1 (result i32)))
  (import "env" "f2" (func $f2 (result i32)))
  (import "env" "f3" (func $f3 (result i32)))
  (import "env" "fs" (table $fs 4 funcref))"#;

/// What modules export again that import it.
const AGAIN: &str = r#"
  (export "n" (global $n)) (export "k" (global $k)) (export "left" (global $left))
  (export "f0" (func $f0)) (export "f1" (func $f1)) (export "f2" (func $f2))
  (export "f3" (func $f3)) (export "fs" (table $fs))"#;

/// How the host can be called.
const HOST: &str = r#"
  (import "host" "change" (func $host))
  (import "host" "back" (func $back))
  (import "host" "start" (func $start))"#;

/// What only the module under test has.
const TEST: &str = r#"
  (memory $spare 1 1000)
  (table $spare 1 1000 funcref)
  (elem declare func $change)
  FIELDS
  (func $test (export "test") (param $rounds i32) (result i32) (local $sum i32)
    LOCALS
    PRELUDE
    (loop $round
      (local.set $sum (SUM (local.get $sum)))
      CODE
      (local.set $sum (SUM (local.get $sum)))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum))
  (global $result (export "result") (mut i32) (i32.const 0))
  (func $begin (global.set $result (call $test (i32.const 3))))"#;

impl Value {
    /// What has the value, as a module that others import from.
    fn base(&self) -> String {
        let change = self.change_function();
        format!(
            "(module (type $void (func)) (type $int (func (result i32)))
            {OWN} {} {change})",
            self.own
        )
    }

    fn change_function(&self) -> String {
        format!(
            r#"(func $change (export "change")
                (global.set $n (i32.add (global.get $n) (i32.const 1))) {})"#,
            self.change
        )
    }

    /// A module that changes the value while it starts.
    fn starter(&self) -> String {
        // What is imported comes first.
        let (imports, rest) = split_imports(self.imported);
        format!(
            "(module (type $void (func)) (type $int (func (result i32)))
            {imports} {IMPORTED} (elem declare func $f0 $f1) {rest} {} (start $change))",
            self.change_function()
        )
    }

    /// The module under test.
    fn module(&self, way: &Way, imported: bool, starts: bool) -> String {
        let change =
            format!("(global.set $n (i32.add (global.get $n) (i32.const 1))) {}", self.change);
        let (imports, rest) = split_imports(if imported { self.imported } else { self.own });
        let (common, again) = if imported { (IMPORTED, AGAIN) } else { (OWN, "") };
        let theirs = if imported { r#"(import "env" "change" (func $theirs))"# } else { "" };
        let ops = if imported { "$change $theirs" } else { "$change" };
        let test = TEST
            .replace("FIELDS", way.fields)
            .replace("CODE", way.code)
            .replace("TO_LOOK", "LOCALS PRELUDE (drop LOOK)")
            .replace("LOCALS", self.locals)
            .replace("PRELUDE", self.prelude)
            .replace(
                "(SUM (local.get $sum))",
                "(i32.add (i32.mul (local.get $sum) (i32.const 31)) LOOK)",
            )
            .replace("LOOK", self.look)
            .replace("CHANGE", &change);
        let exports = if imports.is_empty() { "" } else { self.export_again() };
        let start = if starts { "(start $begin)" } else { "" };
        let declared = if imported { "(elem declare func $f0 $f1)" } else { "" };
        format!(
            "(module (type $void (func)) (type $int (func (result i32)))
            {HOST} {theirs} {imports} {} {rest} {again} {exports} {declared}
            (table $ops funcref (elem {ops}))
            {} {test} {start})",
            common,
            self.change_function()
        )
    }

    fn export_again(&self) -> &'static str {
        if self.imported.contains("memory") {
            r#"(export "m" (memory $m))"#
        } else if self.imported.contains("table") {
            r#"(export "t" (table $t))"#
        } else {
            r#"(export "g" (global $g))"#
        }
    }

    /// What the test returns after some rounds, the first of them after `before` changes.
    fn expected(&self, before: i32, rounds: i32) -> i32 {
        let looks = (before..before + rounds).flat_map(|n| [n, n + 1]);
        looks.fold(0, |sum: i32, n| sum.wrapping_mul(31).wrapping_add((self.seen)(n)))
    }
}

/// The lines of fields up to the last import, and the rest.
fn split_imports(fields: &str) -> (&str, &str) {
    match fields.rfind("(import") {
        Some(import) => {
            let end = fields[import..].find('\n').map_or(fields.len(), |end| import + end);
            fields.split_at(end)
        }
        None => ("", fields),
    }
}

/// A store with what the modules import.
struct Host {
    linker: Linker,
    /// Where the memory was before each change by the host.
    bases: Rc<RefCell<Vec<usize>>>,
}

impl Host {
    fn new(engine: &Engine, value: &'static Value, imported: bool) -> Host {
        let store = Store::new(engine);
        if store.has_fuel() {
            store.set_fuel(1 << 40).expect("so much is possible");
        }
        let mut linker = Linker::new(&store);
        if imported {
            let base = instance(&linker, &value.base());
            linker.define_instance("env", &base);
        }
        let bases = Rc::new(RefCell::new(Vec::new()));
        let seen = bases.clone();
        let host = move |caller: &tenon::Caller| {
            let instance = caller.instance().expect("wasm calls");
            let n = global(&instance, "n");
            let Val::I32(count) = n.get() else { panic!("the count is an i32") };
            n.set(&Val::I32(count + 1)).expect("it can be set");
            if let Some(memory) = instance.memory("m") {
                seen.borrow_mut().push(memory.data() as usize);
            }
            (value.from_host)(&instance, count + 1);
            if let Some(memory) = instance.memory("m") {
                seen.borrow_mut().push(memory.data() as usize);
            }
        };
        let back = |caller: &tenon::Caller| -> Result<(), Trap> {
            let change = caller.instance().and_then(|instance| instance.func("change"));
            change.expect("it is exported").call(&[]).map_err(trap)?;
            Ok(())
        };
        let starter = Module::from_text(engine, value.starter().as_bytes());
        let starter = starter.unwrap_or_else(|error| panic!("{}: {error}", value.starter()));
        let start = move |caller: &tenon::Caller| -> Result<(), Trap> {
            let mut linker = Linker::new(&caller.store());
            linker.define_instance("env", &caller.instance().expect("wasm calls"));
            linker.instantiate(&starter).map_err(trap)?;
            Ok(())
        };
        let functions = [
            ("change", Func::wrap(&store, host)),
            ("back", Func::wrap(&store, back)),
            ("start", Func::wrap(&store, start)),
        ];
        for (name, func) in functions {
            linker.define("host", name, func.expect("a function can be made"));
        }
        Host { linker, bases }
    }
}

fn trap(error: Error) -> Trap {
    match error {
        Error::Trap(trap) => trap,
        other => panic!("only traps are possible: {other}"),
    }
}

fn instance(linker: &Linker, text: &str) -> Instance {
    let module = Module::from_text(linker.store().engine(), text.as_bytes());
    let module = module.unwrap_or_else(|error| panic!("{text}: {error}"));
    linker.instantiate(&module).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// All rows that the engine has the features for.
fn cells() -> impl Iterator<Item = (&'static Value, &'static Way, bool)> {
    let values = VALUES.iter().filter(|value| are_on(value.needs));
    let all = values.flat_map(|value| {
        let ways = WAYS.iter().filter(|way| are_on(way.needs));
        ways.flat_map(move |way| [(value, way, false), (value, way, true)])
    });
    all.filter(|(_, way, imported)| *imported || !way.imports)
}

fn engine(configure: fn(&mut Config)) -> Engine {
    let mut config = Config::new();
    configure(&mut config);
    Engine::new(&config).expect("the settings make sense")
}

fn look_after_every_change(configure: fn(&mut Config)) {
    let engine = engine(configure);
    let mut wrong = Vec::new();
    let mut count = 0;
    for (value, way, imported) in cells() {
        let title = || format!("{} over {} (imported: {imported})", value.name, way.name);
        let host = Host::new(&engine, value, imported);
        let tested = instance(&host.linker, &value.module(way, imported, false));
        let test = tested.func("test").expect("it is exported");
        // Twice, so that what the first call leaves behind is looked at as well.
        for before in [0, 4] {
            let got = test.call(&[Val::I32(4)]);
            match got.as_deref() {
                Ok([Val::I32(sum)]) if *sum == value.expected(before, 4) => count += 1,
                other => wrong.push(format!("{}: {other:?}", title())),
            }
        }
        // And while an instance starts.
        let host = Host::new(&engine, value, imported);
        let started = instance(&host.linker, &value.module(way, imported, true));
        let result = global(&started, "result").get();
        match result {
            Val::I32(sum) if sum == value.expected(0, 3) => count += 1,
            other => wrong.push(format!("{}, starting: {other:?}", title())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 3 * 100, "only {count} looks");
}

crate::in_all_modes!(look_after_every_change);

#[test]
fn memories_do_move() {
    let engine = engine(|config| {
        config.memory_reservation(100_000);
    });
    for imported in [false, true] {
        let (value, way) = (&VALUES[0], WAYS.iter().find(|way| way.name == "host function"));
        let host = Host::new(&engine, value, imported);
        let module = value.module(way.expect("there is such a way"), imported, false);
        let test = instance(&host.linker, &module).func("test").expect("it is exported");
        test.call(&[Val::I32(20)]).expect("it does not trap");
        let mut bases = host.bases.borrow().clone();
        bases.dedup();
        assert!(bases.len() > 1, "the memory has stayed where it was");
    }
}

/// What `test` consumes in four rounds when each change takes `k` turns of a loop.
fn consumed(engine: &Engine, value: &'static Value, way: &Way, imported: bool, k: i32) -> u64 {
    let host = Host::new(engine, value, imported);
    let tested = instance(&host.linker, &value.module(way, imported, false));
    global(&tested, "k").set(&Val::I32(k)).expect("it can be set");
    let store = host.linker.store();
    let before = store.fuel().expect("the store has fuel");
    tested.func("test").expect("it is exported").call(&[Val::I32(4)]).expect("it does not trap");
    before - store.fuel().expect("the store has fuel")
}

#[test]
fn fuel_is_counted_wherever_it_is_consumed() {
    let value = VALUES.iter().find(|value| value.name == "fuel").expect("there is such a value");
    let plain = engine(|config| {
        config.fuel(true);
    });
    let checked = engine(|config| {
        config.fuel(true).explicit_checks(true);
    });
    let engines = [plain, checked];
    for (_, way, imported) in cells().filter(|(other, ..)| other.name == value.name) {
        // The host's own change takes no turns.
        if way.name == "host function" {
            continue;
        }
        let [one, other] = engines.each_ref().map(|engine| {
            let few = consumed(engine, value, way, imported, 10);
            let many = consumed(engine, value, way, imported, 110);
            // Eight instructions a turn.
            assert_eq!(many - few, 4 * 100 * 8, "{} (imported: {imported})", way.name);
            few
        });
        assert_eq!(one, other, "{} (imported: {imported})", way.name);
    }
}

#[test]
fn what_the_host_sets_is_what_is_left() {
    for explicit_checks in [false, true] {
        let mut config = Config::new();
        let engine = Engine::new(config.fuel(true).explicit_checks(explicit_checks));
        let store = Store::new(&engine.expect("the settings make sense"));
        store.set_fuel(1000).expect("the store has fuel");
        let mut linker = Linker::new(&store);
        let refuel = |caller: &tenon::Caller| {
            caller.store().set_fuel(500).expect("the store has fuel");
        };
        linker.func("host", "refuel", refuel).expect("a function can be made");
        let text = r#"(module (import "host" "refuel" (func $refuel))
            (func (export "f") (param $n i32)
              (loop $again
                (call $refuel)
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;
        let f = instance(&linker, text).func("f").expect("it is exported");
        // Far more than there would be without refuelling.
        f.call(&[Val::I32(10_000)]).expect("it does not run out of fuel");
        let left = store.fuel().expect("the store has fuel");
        assert!((480..500).contains(&left), "{left} is left");
    }
}
