//! The rows that modules are made of: values that code could keep, and ways in which they change.

use tenon::{Instance, Val};

use super::{change_back, global, table};

/// Something that code could keep.
pub(super) struct Value {
    pub(super) name: &'static str,
    pub(super) needs: &'static [&'static str],
    /// What the value belongs to, exported.
    pub(super) own: &'static str,
    /// The same, imported.
    pub(super) imported: &'static str,
    /// Locals of a function that looks at it, and what they are set to at its beginning.
    pub(super) locals: &'static str,
    pub(super) prelude: &'static str,
    /// An expression that looks at it: an `i32`.
    pub(super) look: &'static str,
    /// Instructions that change it. What it becomes depends on `$n`, which counts changes.
    pub(super) change: &'static str,
    /// What `look` finds after a number of changes.
    pub(super) seen: fn(i32) -> i32,
    /// Changes it from the host, without `$n`.
    pub(super) from_host: fn(&Instance, i32),
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

pub(super) const VALUES: &[Value] = &[
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
    Value {
        // Its base stays, but what is there does not.
        name: "elements of a table that cannot grow",
        own: r#"(table $t (export "t") 4 4 funcref) (elem (table $t) (i32.const 0) func $f0)"#,
        imported: r#"(import "env" "t" (table $t 4 4 funcref))"#,
        look: "(call_indirect $t (type $int) (i32.const 0))",
        change: "(table.set $t (i32.const 0)
            (table.get $fs (i32.and (global.get $n) (i32.const 3))))",
        seen: |n| 10 + n % 4,
        from_host: |instance, n| {
            let func = instance.func(&format!("f{}", n % 4));
            table(instance).set(0, &Val::FuncRef(func)).expect("the place is there");
        },
        ..MEMORY
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
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) needs: &'static [&'static str],
    /// Whether only a module that imports has it.
    pub(super) imports: bool,
    /// What it takes beside the function that looks. `LOOK` and `CHANGE` are the value's.
    pub(super) fields: &'static str,
    pub(super) code: &'static str,
}

const fn way(name: &'static str, code: &'static str) -> Way {
    Way { name, needs: &[], imports: false, fields: "", code }
}

pub(super) const WAYS: &[Way] = &[
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
