//! Memories take over what others have left: address space, permissions, pages. Nothing of that may
//! ever show. Every test makes many memories one after the other, or at once, and looks at all that
//! a guest could see of those before.

use tenon::{Config, Engine, Error, Instance, Module, Store, StoreLimits, TrapCode, Val};

const PAGE: usize = 1 << 16;

/// A module with a memory, and what its bytes are at first.
struct Kind {
    module: Module,
    pages: u64,
    /// Where its data is, and how many bytes, all of which are `fill`.
    data: Vec<(usize, usize)>,
    fill: u8,
}

fn kind(engine: &Engine, pages: u64, data: &[(usize, usize)], fill: u8) -> Kind {
    let segment = |(at, len): &(usize, usize)| {
        let bytes = format!("\\{fill:02x}").repeat(*len);
        format!("(data (i32.const {at}) \"{bytes}\")")
    };
    let data_text: String = data.iter().map(segment).collect();
    let text = format!(
        r#"(module (memory (export "m") {pages}) {data_text}
          (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
          (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
          (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#
    );
    let module = Module::from_text(engine, text.as_bytes()).unwrap();
    Kind { module, pages, data: data.to_vec(), fill }
}

/// A sequence of numbers that is always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % end
    }
}

fn call(instance: &Instance, name: &str, args: &[i32]) -> Result<Vec<Val>, Error> {
    let args: Vec<Val> = args.iter().map(|number| Val::I32(*number)).collect();
    instance.func(name).unwrap().call(&args)
}

fn is_out_of_bounds(result: Result<Vec<Val>, Error>) -> bool {
    matches!(result, Err(Error::Trap(trap)) if trap.code() == Some(TrapCode::MemoryOutOfBounds))
}

/// Compares a fresh memory with what its module says, looks beyond its end, and leaves traces:
/// bytes that are not zero, in it and in what it grows by.
fn look_and_leave_traces(instance: &Instance, kind: &Kind, numbers: &mut Numbers) {
    let memory = instance.memory("m").unwrap();
    let mut expected = vec![0; kind.pages as usize * PAGE];
    for (at, len) in &kind.data {
        expected[*at..at + len].fill(kind.fill);
    }
    let mut bytes = vec![1; expected.len()];
    memory.read(0, &mut bytes).unwrap();
    assert!(bytes == expected, "the memory shows what is not its own");
    assert_eq!(memory.pages(), kind.pages);

    let grown = numbers.below(3);
    if grown > 0 {
        assert!(is_out_of_bounds(call(instance, "load", &[expected.len() as i32])));
        let before = call(instance, "grow", &[grown as i32]).unwrap();
        assert!(matches!(before[0], Val::I32(pages) if pages as u64 == kind.pages));
        let mut added = vec![1; grown as usize * PAGE];
        memory.read(expected.len() as u64, &mut added).unwrap();
        assert!(added.iter().all(|byte| *byte == 0), "what is added shows what is not its own");
    }
    let size = memory.size();
    assert!(is_out_of_bounds(call(instance, "load", &[size as i32])));
    assert!(is_out_of_bounds(call(instance, "store", &[size as i32 + PAGE as i32, 1])));
    if size == 0 {
        return;
    }
    match numbers.below(4) {
        0 => memory.write(0, &vec![0xee; size]).unwrap(),
        1 => {}
        _ => {
            for _ in 0..numbers.below(20) {
                let at = numbers.below(size as u64) as i32;
                call(instance, "store", &[at, 0xdd]).unwrap();
            }
            call(instance, "store", &[size as i32 - 1, 0xcc]).unwrap();
        }
    }
}

/// Modules of many kinds: data at the start, in the middle, at the end, across pages, none; so much
/// that no memory is kept, and so much data that it is not kept at hand.
fn kinds(engine: &Engine) -> Vec<Kind> {
    vec![
        kind(engine, 1, &[], 0),
        kind(engine, 1, &[(0, 100)], 1),
        kind(engine, 1, &[(4090, 10), (PAGE - 1, 1)], 2),
        kind(engine, 2, &[(PAGE - 3, 6)], 3),
        kind(engine, 2, &[], 0),
        kind(engine, 0, &[(0, 0)], 0),
        kind(engine, 5, &[(20_000, 9000), (100_000, 1), (200_000, 70_000)], 4),
        kind(engine, 40, &[(5, 3)], 5),
        kind(engine, 6, &[(1, 5 * PAGE)], 6),
        kind(engine, 3, &[(5000, 8), (1000, 8), (5004, 8)], 7),
    ]
}

fn settings() -> [Config; 3] {
    let (mut small, mut explicit) = (Config::new(), Config::new());
    small.memory_reservation(0);
    explicit.explicit_checks(true);
    [Config::new(), small, explicit]
}

#[test]
fn nothing_shows_what_was_there_before() {
    for config in settings() {
        let engine = Engine::new(&config).unwrap();
        let kinds = kinds(&engine);
        let mut numbers = Numbers(7);
        let mut alive = Vec::new();
        for _ in 0..500 {
            let kind = &kinds[numbers.below(kinds.len() as u64) as usize];
            let store = Store::new(&engine);
            let instance = Instance::new(&store, &kind.module, &[]).unwrap();
            look_and_leave_traces(&instance, kind, &mut numbers);
            alive.push(instance);
            // Most go at once, some stay for a while: more than a thread keeps at hand.
            if numbers.below(3) > 0 {
                alive.swap_remove(numbers.below(alive.len() as u64) as usize);
            }
            if alive.len() > 60 {
                alive.clear();
            }
        }
    }
}

#[test]
fn threads_pass_on_nothing() {
    let engine = Engine::new(&Config::new()).unwrap();
    let kinds = kinds(&engine);
    // More threads than there are shelves, one after the other and at the same time.
    for round in 0..4 {
        std::thread::scope(|scope| {
            for thread in 0..10 {
                let (engine, kinds) = (&engine, &kinds);
                scope.spawn(move || {
                    let mut numbers = Numbers(round * 100 + thread);
                    let store = Store::new(engine);
                    for _ in 0..30 {
                        let kind = &kinds[numbers.below(kinds.len() as u64) as usize];
                        let instance = Instance::new(&store, &kind.module, &[]).unwrap();
                        look_and_leave_traces(&instance, kind, &mut numbers);
                    }
                });
            }
        });
    }
}

#[test]
fn a_hundred_thousand_memories_are_alive_at_once() {
    let engine = Engine::new(&Config::new()).unwrap();
    let store = Store::new(&engine);
    let kind = kind(&engine, 1, &[(8, 4)], 9);
    let limit = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap_or_default();
    if limit.trim() == "2" {
        eprintln!("skipped: this system does not promise memory that is not there");
        return;
    }
    let make = |_| Instance::new(&store, &kind.module, &[]).unwrap();
    let instances: Vec<Instance> = (0..100_000).map(make).collect();
    let some = || instances.iter().enumerate().step_by(499);
    for (i, instance) in some() {
        assert!(matches!(call(instance, "load", &[11]).unwrap()[0], Val::I32(9)));
        call(instance, "store", &[0, i as i32]).unwrap();
        call(instance, "store", &[PAGE as i32 - 1, i as i32 >> 8]).unwrap();
        assert!(is_out_of_bounds(call(instance, "store", &[PAGE as i32, 1])));
    }
    for (i, instance) in some() {
        let byte = |at: usize| match call(instance, "load", &[at as i32]).unwrap()[0] {
            Val::I32(byte) => byte,
            _ => -1,
        };
        assert_eq!((byte(0), byte(PAGE - 1)), (i as i32 & 255, i as i32 >> 8 & 255));
    }
    // Neighbours that grow do not get in each other's way.
    for (_, instance) in some() {
        call(instance, "grow", &[3]).unwrap();
        call(instance, "store", &[4 * PAGE as i32 - 1, 5]).unwrap();
        assert!(is_out_of_bounds(call(instance, "load", &[4 * PAGE as i32])));
        assert!(matches!(call(instance, "load", &[11]).unwrap()[0], Val::I32(9)));
    }
    drop(instances);
    let mut numbers = Numbers(3);
    let fresh = Instance::new(&store, &kind.module, &[]).unwrap();
    look_and_leave_traces(&fresh, &kind, &mut numbers);
}

/// Instances whose memories nobody has needed for a while, until somebody does: in one way or
/// another.
#[test]
fn memories_are_ready_when_somebody_needs_them() {
    for config in settings() {
        let engine = Engine::new(&config).unwrap();
        let kinds: Vec<Kind> = [0, 1, 2, 17].map(|pages| kind(&engine, pages, &[], 0)).into();
        let importing = r#"(module (import "" "m" (memory 0))
          (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))"#;
        let importing = Module::from_text(&engine, importing.as_bytes()).unwrap();
        let mut numbers = Numbers(19);
        for round in 0..12 {
            let store = Store::new(&engine);
            let make = |i: usize| (i, Instance::new(&store, &kinds[i % 4].module, &[]).unwrap());
            let mut waiting: Vec<_> = (0..40).map(make).collect();
            // Some go as they have come.
            waiting.retain(|_| numbers.below(4) > 0);
            for (i, instance) in &waiting {
                let kind = &kinds[i % 4];
                if kind.pages > 0 {
                    let last = kind.pages * PAGE as u64 - 1;
                    match (i + round) % 5 {
                        0 => drop(call(instance, "store", &[last as i32, 0]).unwrap()),
                        1 => instance.memory("m").unwrap().write(last, &[0]).unwrap(),
                        2 => drop(instance.exports().count()),
                        3 => {
                            let memory = instance.export("m").unwrap();
                            let other = Instance::new(&store, &importing, &[memory]).unwrap();
                            call(&other, "store", &[last as i32, 0]).unwrap();
                        }
                        _ => {}
                    }
                }
                look_and_leave_traces(instance, kind, &mut numbers);
            }
        }
    }
}

#[test]
fn segments_that_cannot_be_prepared_work_as_ever() {
    let engine = Engine::new(&Config::new()).unwrap();
    let store = Store::new(&engine);
    let instance = |text: &str| {
        let module = Module::from_text(&engine, text.as_bytes()).unwrap();
        Instance::new(&store, &module, &[])
    };
    // Tables start with functions, null, and what an initial value says where no segment does.
    let tables = instance(
        r#"(module (type $t (func (result i32)))
          (table 6 (ref null $t) (ref.func $f)) (table $u 3 funcref)
          (elem (table 0) (i32.const 1) (ref null $t) (ref.func $g) (ref.null $t))
          (elem (table $u) (i32.const 2) func $g) (elem declare func $f)
          (func $f (result i32) (i32.const 1)) (func $g (result i32) (i32.const 2))
          (func (export "call") (param i32) (result i32)
            (call_indirect (type $t) (local.get 0)))
          (func (export "other") (param i32) (result i32)
            (call_indirect $u (type $t) (local.get 0))))"#,
    );
    let tables = tables.unwrap();
    let value = |name, at| match call(&tables, name, &[at]) {
        Ok(values) => matches!(values[0], Val::I32(_)).then(|| values[0].clone()),
        Err(_) => None,
    };
    let number = |name, at| value(name, at).map(|value| matches!(value, Val::I32(2)));
    let called: Vec<_> = (0..6).map(|at| number("call", at)).collect();
    assert_eq!(called, [Some(false), Some(true), None, Some(false), Some(false), Some(false)]);
    assert_eq!((number("other", 1), number("other", 2)), (None, Some(true)));
    // Offsets of imported globals, segments out of bounds, passive and dropped ones.
    for (segments, fits) in [
        ("(data (i32.const 65535) \"ab\")", false),
        ("(data (i32.const -1) \"\")", false),
        ("(data (i32.const 65536) \"\")", true),
        ("(data (offset (i32.add (i32.const 65535) (i32.const 1))) \"a\")", false),
        ("(data (i32.const 0) \"a\") (data \"bc\")", true),
    ] {
        let text = format!("(module (memory 1) {segments})");
        assert_eq!(instance(&text).is_ok(), fits, "{segments}");
    }
    // An active segment is dropped, a passive one is there.
    let dropped = instance(
        r#"(module (memory 1) (data $a (i32.const 0) "x") (data $p "yz")
          (func (export "active") (memory.init $a (i32.const 4) (i32.const 0) (i32.const 1)))
          (func (export "passive") (memory.init $p (i32.const 4) (i32.const 0) (i32.const 2))))"#,
    );
    let dropped = dropped.unwrap();
    assert!(is_out_of_bounds(call(&dropped, "active", &[])));
    assert!(call(&dropped, "passive", &[]).is_ok());
}

/// A module whose instances leave memory, table and references behind for the next one.
fn module_with_everything(engine: &Engine) -> Module {
    let many = 100;
    let funcs: String =
        (0..many).map(|i| format!("(func $f{i} (result i32) (i32.const {i}))")).collect();
    let names: String = (0..many).map(|i| format!(" $f{i}")).collect();
    let text = format!(
        r#"(module (memory (export "m") 2) (data (i32.const 100) "abc") (data (i32.const 70000) "d")
          (type $t (func (result i32))) {funcs}
          (table $t (export "t") 110 200 funcref) (elem (table $t) (i32.const 5) func {names})
          (global $g (export "g") (mut i32) (i32.const 5))
          (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
          (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
          (func (export "set") (param i32) (table.set $t (local.get 0) (ref.func $f7)))
          (func (export "fill") (param i32)
            (drop (table.grow $t (ref.null func) (i32.const 9)))
            (table.fill $t (local.get 0) (ref.func $f8) (i32.const 20)))
          (func (export "global") (param i32) (global.set $g (local.get 0)))
          (func (export "call") (param i32) (result i32)
            (call_indirect $t (type $t) (local.get 0))))"#
    );
    Module::from_text(engine, text.as_bytes()).unwrap()
}

/// Looks whether the instance is as its module says.
fn is_as_made(instance: &Instance) -> bool {
    let memory = instance.memory("m").unwrap();
    let mut bytes = vec![1; 2 * PAGE];
    memory.read(0, &mut bytes).unwrap();
    let mut expected = vec![0; 2 * PAGE];
    expected[100..103].copy_from_slice(b"abc");
    expected[70000] = b'd';
    let table = match instance.export("t") {
        Some(tenon::Extern::Table(table)) => table,
        _ => return false,
    };
    let called = |at: i32| match call(instance, "call", &[at]) {
        Ok(values) => {
            matches!(values[0], Val::I32(number) if (5..105).contains(&at) && number == at - 5)
        }
        Err(_) => !(5..105).contains(&at),
    };
    let global = match instance.export("g") {
        Some(tenon::Extern::Global(global)) => global.get(),
        _ => return false,
    };
    bytes == expected
        && memory.pages() == 2
        && table.size() == 110
        && (0..112).all(called)
        && matches!(global, Val::I32(5))
}

#[test]
fn instances_that_nobody_has_touched_leave_what_the_next_one_wants() {
    for config in settings() {
        let engine = Engine::new(&config).unwrap();
        let module = module_with_everything(&engine);
        let others = [
            kind(&engine, 2, &[(90, 50)], 1),
            kind(&engine, 2, &[], 0),
            // Data that lie far apart.
            kind(&engine, 40, &[(5, 3), (39 * PAGE, 10)], 2),
            kind(&engine, 40, &[], 0),
        ];
        let mut numbers = Numbers(11);
        let mut alive = Vec::new();
        let mut shared_store = Store::new(&engine);
        for _ in 0..400 {
            if numbers.below(3) == 0 {
                shared_store = Store::new(&engine);
            }
            if numbers.below(3) == 0 {
                let other = &others[numbers.below(others.len() as u64) as usize];
                let instance = Instance::new(&shared_store, &other.module, &[]).unwrap();
                if numbers.below(2) == 0 {
                    look_and_leave_traces(&instance, other, &mut numbers);
                }
            }
            let instance = Instance::new(&shared_store, &module, &[]).unwrap();
            if numbers.below(2) == 0 {
                assert!(is_as_made(&instance));
            }
            let any = numbers.below(90) as i32;
            match numbers.below(10) {
                0 => call(&instance, "store", &[any, 1]).map(drop).unwrap(),
                1 => instance.memory("m").unwrap().write(any as u64, b"xyz").unwrap(),
                2 => call(&instance, "grow", &[3]).map(drop).unwrap(),
                3 => call(&instance, "set", &[any]).map(drop).unwrap(),
                4 => call(&instance, "fill", &[any]).map(drop).unwrap(),
                5 => call(&instance, "global", &[any]).map(drop).unwrap(),
                6 => drop(instance.exports().count()),
                _ => {}
            }
            if numbers.below(4) == 0 {
                alive.push(instance);
                alive.truncate(3);
            }
        }
    }
}

#[test]
fn who_writes_without_ever_being_reached_by_the_host_is_cleaned_up_after() {
    let engine = Engine::new(&Config::new()).unwrap();
    let module = |text: &str| Module::from_text(&engine, text.as_bytes()).unwrap();
    let count = "(func $count (result i32)
      (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
      (i32.load (i32.const 8)))";
    // A start function.
    let started = module(&format!(
        r#"(module (import "" "see" (func $see (param i32))) (memory 1) (data (i32.const 0) "a") {count}
          (func $start (call $see (call $count))) (start $start))"#
    ));
    // A function that others call through their table.
    let calling = module(
        r#"(module (type $t (func (result i32))) (table (export "t") 1 funcref)
          (func (export "call") (result i32) (call_indirect (type $t) (i32.const 0))))"#,
    );
    let called = module(&format!(
        r#"(module (import "" "t" (table 1 funcref)) (memory 1) {count}
          (elem (i32.const 0) $count))"#
    ));
    // A segment that is written before another does not fit.
    let failing = module(
        r#"(module (import "" "at" (global i32)) (memory 1)
          (data (i32.const 8) "left") (data (global.get 0) "does not fit"))"#,
    );
    for _ in 0..20 {
        let store = Store::new(&engine);
        let seen = std::rc::Rc::new(std::cell::Cell::new(0));
        let cell = seen.clone();
        let see = tenon::Func::wrap(&store, move |_: &tenon::Caller, number: i32| {
            cell.set(number);
            Ok(())
        })
        .unwrap();
        Instance::new(&store, &started, &[see.into()]).unwrap();
        assert_eq!(seen.get(), 1);

        let first = Instance::new(&store, &calling, &[]).unwrap();
        Instance::new(&store, &called, &[first.export("t").unwrap()]).unwrap();
        for expected in 1..4 {
            let result = call(&first, "call", &[]).unwrap();
            assert!(matches!(result[0], Val::I32(number) if number == expected));
        }

        let ty = tenon::GlobalType { content: tenon::ValType::I32, mutable: false };
        let at = tenon::Global::new(&store, ty, &Val::I32(PAGE as i32)).unwrap();
        assert!(is_out_of_bounds(
            Instance::new(&store, &failing, &[at.into()]).map(|_| Vec::new())
        ));
        drop((first, store));
        let empty = kind(&engine, 1, &[], 0);
        let fresh = Instance::new(&Store::new(&engine), &empty.module, &[]).unwrap();
        look_and_leave_traces(&fresh, &empty, &mut Numbers(1));
    }
}

#[test]
fn an_instance_that_could_not_be_made_leaves_no_empty_tables() {
    let engine = Engine::new(&Config::new()).unwrap();
    let entries = "$f ".repeat(300);
    let text = format!(
        "(module (type $s (struct (field i32))) (type $r (func (result i32)))
          (global (ref $s) (struct.new $s (i32.const 1)))
          (table 300 funcref) (elem (i32.const 0) {entries})
          (func $f (type $r) (i32.const 5))
          (func (export \"call\") (param i32) (result i32)
            (call_indirect (type $r) (local.get 0))))"
    );
    let module = Module::from_text(&engine, text.as_bytes()).unwrap();
    for round in 0..8 {
        let store = Store::new(&engine);
        if round % 2 == 0 {
            // There is no room for what the global starts with, which comes before tables.
            store.set_limits(StoreLimits { heap: 0, ..StoreLimits::default() });
            assert!(Instance::new(&store, &module, &[]).is_err());
        } else {
            let instance = Instance::new(&store, &module, &[]).unwrap();
            for index in [0, 299] {
                let results = call(&instance, "call", &[index]).unwrap();
                assert!(matches!(results[0], Val::I32(5)));
            }
        }
    }
}
