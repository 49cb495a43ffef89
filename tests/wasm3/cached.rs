//! What code may keep in a register, and must not over a call: bases and lengths of memories and
//! tables, globals, places in the heap, fuel. Each of these values is looked at before and after
//! everything that can call or is like a call, and that changes it meanwhile, in every mode.
//!
//! A module is made of a row of [`VALUES`] and a row of [`WAYS`]. The value is the module's own or
//! imported. Rows whose features are not on by default wait until they are.

use std::cell::RefCell;
use std::rc::Rc;

use tenon::{
    Compilation, Config, Engine, Error, Extern, Func, Global, Instance, Linker, Module, Store,
    Trap, Val,
};

use crate::are_on;

/// Something that code could keep.
struct Value {
    name: &'static str,
    needs: &'static [&'static str],
    /// What the value belongs to, exported.
    own: &'static str,
    /// The same, imported.
    imported: &'static str,
    /// Locals of a function that looks at it, and what they are set to at its beginning.
    locals: &'static str,
    prelude: &'static str,
    /// An expression that looks at it: an `i32`.
    look: &'static str,
    /// Instructions that change it. What it becomes depends on `$n`, which counts changes.
    change: &'static str,
    /// What `look` finds after a number of changes.
    seen: fn(i32) -> i32,
    /// Changes it from the host, without `$n`.
    from_host: fn(&Instance, i32),
}

const MEMORY: Value = Value {
    name: "",
    needs: &[],
    own: r#"(memory $m (export "m") 1 1000)"#,
    imported: r#"(import "env" "m" (memory $m 1 1000))"#,
    locals: "",
    prelude: "",
    look: "",
    change: "",
    seen: |_| 0,
    from_host: |_, _| {},
};

const TABLE: Value = Value {
    own: r#"(table $t (export "t") 1 100000 funcref) (elem (table $t) (i32.const 0) func $f0)"#,
    imported: r#"(import "env" "t" (table $t 1 100000 funcref))"#,
    ..MEMORY
};

const MEMORY_LENGTH: Value = Value {
    name: "memory length",
    look: "(i32.add (i32.mul (memory.size $m) (i32.const 1000))
        (i32.load8_u $m (i32.sub (i32.shl (memory.size $m) (i32.const 16)) (i32.const 1))))",
    change: "(drop (memory.grow $m (i32.const 1)))
        (i32.store8 $m (i32.sub (i32.shl (memory.size $m) (i32.const 16)) (i32.const 1))
          (global.get $n))",
    seen: |n| (n + 1) * 1000 + n,
    from_host: |instance, n| {
        let memory = instance.memory("m").expect("it is exported");
        memory.grow(1).expect("there is room");
        memory.write(memory.size() as u64 - 1, &[n as u8]).expect("the place is there");
    },
    ..MEMORY
};

const TABLE_LENGTH: Value = Value {
    name: "table length",
    look: "(i32.add (i32.mul (table.size $t) (i32.const 1000))
        (call_indirect $t (type $int) (i32.sub (table.size $t) (i32.const 1))))",
    change: "(drop (table.grow $t (ref.func $f1) (i32.const 10)))",
    seen: |n| (1 + 10 * n) * 1000 + 10 + (n > 0) as i32,
    from_host: |instance, _| {
        let func = Val::FuncRef(instance.func("f1"));
        table(instance).grow(10, &func).expect("there is room");
    },
    ..TABLE
};

const VALUES: &[Value] = &[
    Value {
        name: "memory base",
        look: "(i32.load $m (i32.const 8))",
        change: "(drop (memory.grow $m (i32.const 3)))
            (i32.store $m (i32.const 8) (i32.mul (global.get $n) (i32.const 7)))",
        seen: |n| n * 7,
        from_host: |instance, n| {
            let memory = instance.memory("m").expect("it is exported");
            memory.grow(3).expect("there is room");
            memory.write(8, &(n * 7).to_le_bytes()).expect("the place is there");
        },
        ..MEMORY
    },
    Value {
        // What is written has to be where other functions read it.
        name: "memory base, written to",
        look: "(i32.add (i32.load $m (i32.const 8))
            (block (result i32)
              (i32.store $m (i32.const 16) (i32.const 5))
              (v128.store $m (i32.const 65500) (v128.const i32x4 1 2 3 4))
              (call $peek)))",
        own: r#"(memory $m (export "m") 1 1000)
            (func $peek (result i32)
              (i32.add (i32.load $m (i32.const 16)) (i32.load $m (i32.const 65512))))"#,
        imported: r#"(import "env" "m" (memory $m 1 1000))
            (func $peek (result i32)
              (i32.add (i32.load $m (i32.const 16)) (i32.load $m (i32.const 65512))))"#,
        change: "(drop (memory.grow $m (i32.const 3)))
            (i32.store $m (i32.const 8) (global.get $n))
            (memory.fill $m (i32.const 16) (i32.const 0) (i32.const 4))",
        seen: |n| n + 9,
        from_host: |instance, n| {
            let memory = instance.memory("m").expect("it is exported");
            memory.grow(3).expect("there is room");
            memory.write(8, &n.to_le_bytes()).expect("the place is there");
            memory.write(16, &[0; 4]).expect("the place is there");
        },
        ..MEMORY
    },
    MEMORY_LENGTH,
    Value {
        name: "table base",
        look: "(call_indirect $t (type $int) (i32.const 0))",
        change: "(drop (table.grow $t (ref.null func) (i32.const 1000)))
            (table.set $t (i32.const 0)
              (table.get $fs (i32.and (global.get $n) (i32.const 3))))",
        seen: |n| 10 + n % 4,
        from_host: |instance, n| {
            let table = table(instance);
            table.grow(1000, &Val::FuncRef(None)).expect("there is room");
            let func = instance.func(&format!("f{}", n % 4));
            table.set(0, &Val::FuncRef(func)).expect("the place is there");
        },
        ..TABLE
    },
    Value {
        name: "table base, elements",
        look: "(ref.is_null (table.get $t (i32.const 0)))",
        change: "(drop (table.grow $t (ref.null func) (i32.const 1000)))
            (if (i32.and (global.get $n) (i32.const 1))
              (then (table.set $t (i32.const 0) (ref.null func)))
              (else (table.set $t (i32.const 0) (ref.func $f0))))",
        seen: |n| n % 2,
        from_host: |instance, n| {
            let table = table(instance);
            table.grow(1000, &Val::FuncRef(None)).expect("there is room");
            let func = if n % 2 == 1 { None } else { instance.func("f0") };
            table.set(0, &Val::FuncRef(func)).expect("the place is there");
        },
        ..TABLE
    },
    TABLE_LENGTH,
    Value {
        name: "base of a 64-bit memory",
        needs: &["memory64"],
        own: r#"(memory $m (export "m") i64 1 1000)"#,
        imported: r#"(import "env" "m" (memory $m i64 1 1000))"#,
        look: "(i32.load $m offset=65528 (i64.const 4))",
        change: "(drop (memory.grow $m (i64.const 3)))
            (i32.store $m (i64.const 65532) (i32.mul (global.get $n) (i32.const 7)))",
        seen: |n| n * 7,
        from_host: |instance, n| {
            let memory = instance.memory("m").expect("it is exported");
            memory.grow(3).expect("there is room");
            memory.write(65532, &(n * 7).to_le_bytes()).expect("the place is there");
        },
        ..MEMORY
    },
    Value {
        name: "length of a 64-bit memory",
        needs: &["memory64"],
        own: r#"(memory $m (export "m") i64 1 1000)"#,
        imported: r#"(import "env" "m" (memory $m i64 1 1000))"#,
        look: "(i32.add (i32.mul (i32.wrap_i64 (memory.size $m)) (i32.const 1000))
            (i32.load8_u $m (i64.sub (i64.shl (memory.size $m) (i64.const 16)) (i64.const 1))))",
        change: "(drop (memory.grow $m (i64.const 1)))
            (i32.store8 $m (i64.sub (i64.shl (memory.size $m) (i64.const 16)) (i64.const 1))
              (global.get $n))",
        ..MEMORY_LENGTH
    },
    Value {
        name: "length of a shared memory",
        needs: &["threads"],
        own: r#"(memory $m (export "m") 1 1000 shared)"#,
        imported: r#"(import "env" "m" (memory $m 1 1000 shared))"#,
        ..MEMORY_LENGTH
    },
    Value {
        name: "length of a memory of bytes",
        needs: &["custom-page-sizes"],
        own: r#"(memory $m (export "m") 1 1000000 (pagesize 1))"#,
        imported: r#"(import "env" "m" (memory $m 1 1000000 (pagesize 1)))"#,
        look: "(i32.add (i32.mul (memory.size $m) (i32.const 10))
            (i32.load8_u $m (i32.sub (memory.size $m) (i32.const 1))))",
        change: "(drop (memory.grow $m (i32.const 50003)))
            (i32.store8 $m (i32.sub (memory.size $m) (i32.const 1)) (global.get $n))",
        seen: |n| (1 + 50003 * n) * 10 + n,
        from_host: |instance, n| {
            let memory = instance.memory("m").expect("it is exported");
            memory.grow(50003).expect("there is room");
            memory.write(memory.size() as u64 - 1, &[n as u8]).expect("the place is there");
        },
        ..MEMORY
    },
    Value {
        name: "length of a 64-bit table",
        needs: &["memory64"],
        own: r#"(table $t (export "t") i64 1 100000 funcref)
            (elem (table $t) (i64.const 0) func $f0)"#,
        imported: r#"(import "env" "t" (table $t i64 1 100000 funcref))"#,
        look: "(i32.add (i32.mul (i32.wrap_i64 (table.size $t)) (i32.const 1000))
            (call_indirect $t (type $int) (i64.sub (table.size $t) (i64.const 1))))",
        change: "(drop (table.grow $t (ref.func $f1) (i64.const 10)))",
        ..TABLE_LENGTH
    },
    Value {
        name: "global",
        own: r#"(global $g (export "g") (mut i64) (i64.const 0))"#,
        imported: r#"(import "env" "g" (global $g (mut i64)))"#,
        look: "(i32.wrap_i64 (global.get $g))",
        change: "(global.set $g
            (i64.mul (i64.extend_i32_s (global.get $n)) (i64.const 3)))",
        seen: |n| n * 3,
        from_host: |instance, n| {
            let value = Val::I64(i64::from(n) * 3);
            global(instance, "g").set(&value).expect("it can be set");
        },
        ..MEMORY
    },
    Value {
        name: "global vector",
        own: r#"(global $g (export "g") (mut v128) (v128.const i64x2 0 0))"#,
        imported: r#"(import "env" "g" (global $g (mut v128)))"#,
        look: "(i32x4.extract_lane 3 (global.get $g))",
        change: "(global.set $g (i32x4.splat (global.get $n)))",
        seen: |n| n,
        from_host: |instance, n| {
            let value = Val::V128(u128::from(n as u32) << 96);
            global(instance, "g").set(&value).expect("it can be set");
        },
        ..MEMORY
    },
    Value {
        // The object that a local refers to stays while the heap around it is filled and collected.
        name: "heap base",
        needs: &["gc"],
        own: r#"(type $s (struct (field (mut i32))))
            (global $g (export "g") (ref $s) (struct.new $s (i32.const 0)))"#,
        imported: r#"(type $s (struct (field (mut i32))))
            (import "env" "g" (global $g (ref $s)))"#,
        locals: "(local $object (ref null $s)) (local $other (ref null $s))",
        prelude: "(local.set $object (global.get $g))
            (local.set $other (struct.new $s (i32.const 1000)))",
        look: "(i32.add (struct.get $s 0 (local.get $object)) (struct.get $s 0 (local.get $other)))",
        change: "(global.set $left (i32.const 20000))
            (loop $fill
              (drop (struct.new $s (global.get $left)))
              (global.set $left (i32.sub (global.get $left) (i32.const 1)))
              (br_if $fill (global.get $left)))
            (struct.set $s 0 (global.get $g) (global.get $n))",
        seen: |n| n + 1000,
        // No function of the host's reaches fields.
        from_host: |instance, _| change_back(instance),
    },
    Value {
        // Besides, see `fuel_is_counted_wherever_it_is_consumed`.
        name: "fuel",
        own: "",
        imported: "",
        look: "(global.get $n)",
        change: "(global.set $left (global.get $k))
            (loop $burn
              (global.set $left (i32.sub (global.get $left) (i32.const 1)))
              (br_if $burn (i32.gt_s (global.get $left) (i32.const 0))))",
        seen: |n| n,
        ..MEMORY
    },
];

/// How a value changes between two looks at it.
struct Way {
    name: &'static str,
    needs: &'static [&'static str],
    /// Whether only a module that imports has it.
    imports: bool,
    /// What it takes beside the function that looks. `LOOK` and `CHANGE` are the value's.
    fields: &'static str,
    code: &'static str,
}

const fn way(name: &'static str, code: &'static str) -> Way {
    Way { name, needs: &[], imports: false, fields: "", code }
}

const WAYS: &[Way] = &[
    way("at once", "CHANGE"),
    way("memory.grow", "CHANGE (drop (memory.grow $spare (i32.const 1)))"),
    way("table.grow", "(drop (table.grow $spare (ref.null func) (i32.const 1))) CHANGE"),
    way("call", "(call $change)"),
    Way { imports: true, ..way("call of another instance's", "(call $theirs)") },
    way("call_indirect", "(call_indirect $ops (type $void) (i32.const 0))"),
    Way {
        imports: true,
        ..way(
            "call_indirect of another instance's",
            "(call_indirect $ops (type $void) (i32.const 1))",
        )
    },
    Way {
        needs: &["function-references"],
        ..way("call_ref", "(call_ref $void (ref.func $change))")
    },
    Way {
        fields: "(func $tail TO_LOOK (return_call $change))",
        ..way("return_call", "(call $tail)")
    },
    Way {
        imports: true,
        fields: "(func $tail TO_LOOK (return_call $theirs))",
        ..way("return_call of another instance's", "(call $tail)")
    },
    Way {
        fields: "(func $tail TO_LOOK (return_call_indirect $ops (type $void) (i32.const 0)))",
        ..way("return_call_indirect", "(call $tail)")
    },
    Way {
        needs: &["function-references"],
        fields: "(func $tail TO_LOOK (return_call_ref $void (ref.func $change)))",
        ..way("return_call_ref", "(call $tail)")
    },
    Way {
        // What a tail call is for: the function that looks first is gone when the other looks.
        fields: "(func $first (param $sum i32) (result i32)
            LOCALS PRELUDE
            CHANGE
            (return_call $then (SUM (local.get $sum))))
          (func $then (param $sum i32) (result i32)
            LOCALS PRELUDE
            (SUM (local.get $sum)))",
        ..way("return_call to one that looks", "(drop (call $first (local.get $sum)))")
    },
    way("host function", "(call $host)"),
    way("host function that calls back", "(call $back)"),
    way("start of another instance", "(call $start)"),
    Way {
        needs: &["exceptions"],
        fields: "(tag $e) (func $throws CHANGE (throw $e))",
        ..way("throw in a callee", "(block $caught (try_table (catch $e $caught) (call $throws)))")
    },
    Way {
        needs: &["exceptions"],
        fields: "(tag $e)",
        ..way("throw", "(block $caught (try_table (catch $e $caught) CHANGE (throw $e)))")
    },
    Way {
        needs: &["exceptions"],
        fields: "(tag $e) (func $throws (throw $e))",
        ..way(
            "throw after the change",
            "(block $caught (try_table (catch_all $caught) CHANGE (call $throws) (unreachable)))",
        )
    },
    Way {
        needs: &["gc"],
        fields: "(type $box (struct (field i32)))
          (func $changed (result i32) (call $change) (i32.const 1))",
        ..way("allocation", "(drop (struct.new $box (call $changed)))")
    },
    Way {
        needs: &["gc"],
        fields: "(type $array (array (mut i8)))",
        ..way("allocation of much", "CHANGE (drop (array.new_default $array (i32.const 500000)))")
    },
];

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

/// The modes of the engine, a test each.
macro_rules! modes {
    ($($name:ident: $configure:expr;)*) => {$(
        #[test]
        fn $name() {
            look_after_every_change($configure);
        }
    )*};
}

modes! {
    with_guard_pages: |_| {};
    with_explicit_checks: |config| { config.explicit_checks(true); };
    with_memories_that_move: |config| { config.memory_reservation(100_000); };
    with_explicit_checks_and_memories_that_move: |config| {
        config.explicit_checks(true).memory_reservation(100_000);
    };
    compiled_on_the_first_call: |config| { config.compilation(Compilation::Lazy); };
    compiled_on_the_first_call_with_memories_that_move: |config| {
        config.compilation(Compilation::Lazy).memory_reservation(100_000);
    };
    metered: |config| { config.fuel(true).interruptible(true); };
    collecting_at_every_allocation: |config| { config.collect_always(true); };
    metered_with_explicit_checks_and_memories_that_move: |config| {
        config.fuel(true).interruptible(true).explicit_checks(true).memory_reservation(100_000);
    };
}

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
