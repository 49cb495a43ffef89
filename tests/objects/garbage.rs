//! What nothing refers to any more is freed, also while code of the store runs, and nothing else is.

use std::cell::Cell;
use std::rc::Rc;

use tenon::{
    Extern, ExternRef, Func, FuncType, Global, Instance, Linker, Object, Store, Val, ValType,
};

use super::{MODES, Mode, bytes_type, call, func, instance, is_exhausted, module, number};

/// An object of the host that counts those that there are, and has a number.
struct Counted {
    number: i32,
    live: Rc<Cell<i32>>,
}

impl Counted {
    fn new(number: i32, live: &Rc<Cell<i32>>) -> Counted {
        live.set(live.get() + 1);
        Counted { number, live: live.clone() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.live.set(self.live.get() - 1);
    }
}

/// The number of the host object that a value refers to.
fn number_of(value: &Val) -> i32 {
    let handle = value.referent().expect("it is not null");
    let object = ExternRef::of(handle).expect("it is a host object");
    object.data::<Counted>().expect("it is one of ours").number
}

/// An instance of a guest that gets objects by `new`, whose numbers count up, and shows them by
/// `check` with the number that they should have.
fn with_objects(store: &Store, text: &str, live: &Rc<Cell<i32>>, most: &Rc<Cell<i32>>) -> Instance {
    let (next, counts) = (Cell::new(0), live.clone());
    let highest = most.clone();
    let new = FuncType::new([], [ValType::EXTERNREF]);
    let new = Func::new(store, new, move |caller, _, results| {
        let number = next.replace(next.get() + 1);
        results[0] = ExternRef::new(&caller.store(), Counted::new(number, &counts)).into();
        highest.set(highest.get().max(counts.get()));
        Ok(())
    });
    let check = FuncType::new([ValType::EXTERNREF, ValType::I32], []);
    let check = Func::new(store, check, |_, args, _| {
        assert_eq!(number_of(&args[0]), number(&args[1]));
        Ok(())
    });
    let mut linker = Linker::new(store);
    linker.define("", "new", new.expect("it can be made"));
    linker.define("", "check", check.expect("it can be made"));
    linker.instantiate(&module(store, text)).expect("it can be instantiated")
}

/// A guest that gets a new object in every turn of a loop, and keeps some of them, each in another
/// way: in a local, in a table, in a global, in a struct, in an array, on the operand stack, in the
/// frame of a caller.
const KEEPER: &str = r#"(module
  (import "" "new" (func $new (result externref)))
  (import "" "check" (func $check (param externref i32)))
  (type $keep (struct (field (mut externref)) (field (mut anyref))))
  (type $all (array (mut externref)))
  (table $t 4 externref)
  (global $g (mut externref) (ref.null extern))
  (func $churn (param i32)
    (loop (drop (call $new))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "run") (param $turns i32)
    (local $l externref) (local $s (ref $keep)) (local $a (ref $all))
    (local.set $l (call $new))                                         ;; 0
    (table.set $t (i32.const 2) (call $new))                           ;; 1
    (global.set $g (call $new))                                        ;; 2
    (local.set $s (struct.new $keep (call $new)                        ;; 3
      (any.convert_extern (call $new))))                               ;; 4
    (local.set $a (array.new $all (call $new) (i32.const 3)))          ;; 5
    (call $new)                                                        ;; 6
    (call $deeper (local.get $turns) (call $new))                      ;; 7
    (call $check (i32.const 6))
    (call $check (local.get $l) (i32.const 0))
    (call $check (table.get $t (i32.const 2)) (i32.const 1))
    (call $check (global.get $g) (i32.const 2))
    (call $check (struct.get $keep 0 (local.get $s)) (i32.const 3))
    (call $check (extern.convert_any (struct.get $keep 1 (local.get $s))) (i32.const 4))
    (call $check (array.get $all (local.get $a) (i32.const 2)) (i32.const 5)))
  (func $deeper (param $turns i32) (param $kept externref)
    (call $churn (local.get $turns))
    (call $check (local.get $kept) (i32.const 7))))"#;

#[test]
fn host_objects_are_freed_while_code_runs() {
    for mode in MODES {
        let store = mode.store();
        let [live, most] = [(); 2].map(|()| Rc::new(Cell::new(0)));
        let guest = with_objects(&store, KEEPER, &live, &most);
        let turns = if mode.always { 500 } else { 20_000 };
        func(&guest, "run").call(&[Val::I32(turns)]).expect("all are what they were");
        assert!(most.get() < if mode.always { 20 } else { 4000 }, "{mode:?}: {}", most.get());
        drop(guest);
        store.collect();
        assert_eq!((live.get(), store.len(), store.heap_used()), (0, 0, 0));
    }
}

/// The same where no module has a heap.
#[test]
fn host_objects_are_freed_without_a_heap() {
    const GUEST: &str = r#"(module
      (import "" "new" (func $new (result externref)))
      (import "" "check" (func $check (param externref i32)))
      (func (export "run") (param i32) (local externref)
        (local.set 1 (call $new))
        (loop (drop (call $new))
          (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (call $check (local.get 1) (i32.const 0))))"#;
    let mut config = tenon::Config::new();
    config.feature(tenon::Feature::Gc, false);
    for config in [config, tenon::Config::new()] {
        let store = Store::new(&tenon::Engine::new(&config).expect("the settings make sense"));
        let [live, most] = [(); 2].map(|()| Rc::new(Cell::new(0)));
        let guest = with_objects(&store, GUEST, &live, &most);
        func(&guest, "run").call(&[Val::I32(20_000)]).expect("it is what it was");
        assert!(most.get() < 4000, "{}", most.get());
    }
}

/// Handles that the host has got and given up do not wait for code to end.
#[test]
fn handles_are_given_up_while_code_runs() {
    const GUEST: &str = r#"(module
      (import "" "see" (func $see (param anyref) (result anyref)))
      (type $box (struct (field i32)))
      (func (export "run") (param i32)
        (loop (drop (call $see (struct.new $box (local.get 0))))
          (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;
    for mode in MODES {
        let store = mode.store();
        let ty = FuncType::new([ValType::ANYREF], [ValType::ANYREF]);
        let see = Func::new(&store, ty, |caller, args, results| {
            let object = args[0].as_object().expect("it is a struct");
            assert!(object.get(0).is_some() && caller.store().len() < 10);
            results[0] = args[0].clone();
            Ok(())
        });
        let mut linker = Linker::new(&store);
        linker.define("", "see", see.expect("it can be made"));
        let guest = linker.instantiate(&module(&store, GUEST)).expect("it can be instantiated");
        func(&guest, "run").call(&[Val::I32(5000)]).expect("it does not trap");
    }
}

/// Instances, memories, tables, globals, functions, structs and host objects that only refer to each
/// other.
#[test]
fn cycles_are_freed() {
    const GUEST: &str = r#"(module
      (type $all (struct (field (mut funcref)) (field (mut externref)) (field (mut externref))
        (field (mut (ref null $all)))))
      (import "" "t" (table $t 4 funcref))
      (import "" "a" (table $a 4 anyref))
      (import "" "g" (global $g (mut anyref)))
      (memory (export "m") 1)
      (global $own (mut (ref null $all)) (ref.null $all))
      (elem declare func $f)
      (func $f (export "f"))
      (func (export "tie") (param $memory externref) (param $host externref)
        (local $s (ref $all))
        (local.set $s (struct.new $all (ref.func $f) (local.get $memory) (local.get $host)
          (global.get $own)))
        (struct.set $all 3 (local.get $s) (local.get $s))
        (global.set $own (local.get $s))
        (global.set $g (local.get $s))
        (table.set $t (i32.const 1) (ref.func $f))
        (table.set $a (i32.const 2) (local.get $s))))"#;
    for mode in MODES {
        let store = mode.store();
        let live = Rc::new(Cell::new(0));
        let tie = |kept: bool| {
            let limits = tenon::Limits { min: 4, max: None };
            let table = |element, init: &Val| {
                let address = tenon::AddressType::I32;
                let ty = tenon::TableType { element, limits, address };
                tenon::Table::new(&store, ty, init).expect("there can be such a table")
            };
            let funcs = table(tenon::RefType::FUNC, &Val::FuncRef(None));
            let anys = table(tenon::RefType::ANY, &Val::AnyRef(None));
            let ty = tenon::GlobalType { content: ValType::ANYREF, mutable: true };
            let global = Global::new(&store, ty, &Val::AnyRef(None)).expect("it is null");
            let imports: [Extern; 3] = [funcs.into(), anys.into(), global.into()];
            let module = module(&store, GUEST);
            let guest = Instance::new(&store, &module, &imports).expect("it can be instantiated");
            let host: Val = ExternRef::new(&store, Counted::new(0, &live)).into();
            // The memory as seen from outside stands for the whole instance.
            let memory = guest.memory("m").expect("it is exported");
            let memory = Val::ExternRef(Some(memory.handle().clone()));
            func(&guest, "tie").call(&[memory, host]).expect("it does not trap");
            kept.then_some(imports)
        };
        assert!(tie(false).is_none());
        store.collect();
        assert_eq!((live.get(), store.len(), store.usage().memory), (0, 0, 0), "{mode:?}");
        assert_eq!(store.heap_used(), 0);
        // One handle keeps all of it.
        let [_, anys, _] = tie(true).expect("they are kept");
        store.collect();
        assert_eq!((live.get(), store.usage().memory), (1, 65536));
        let Extern::Table(anys) = anys else { panic!("it is a table") };
        let object = anys.get(2).expect("it has four elements");
        let memory = object.as_object().and_then(|object| object.get(1));
        drop((object, anys));
        store.collect();
        assert_eq!((live.get(), store.usage().memory), (1, 65536), "by its memory");
        drop(memory);
        store.collect();
        assert_eq!((live.get(), store.len(), store.heap_used()), (0, 0, 0));
    }
}

/// A store whose last handle goes takes everything along, cycles included.
#[test]
fn stores_take_all_along() {
    for mode in MODES {
        let live = Rc::new(Cell::new(0));
        let most = Rc::new(Cell::new(0));
        let store = mode.store();
        let guest = with_objects(&store, KEEPER, &live, &most);
        func(&guest, "run").call(&[Val::I32(3)]).expect("all are what they were");
        assert!(live.get() > 0);
        drop((guest, store));
        assert_eq!(live.get(), 0);
    }
}

/// One function, without calls, in which the heap is full again and again, in either half of it.
#[test]
fn functions_that_collect_go_on() {
    const GUEST: &str = r#"(module
      (type $box (struct (field i32)))
      (func (export "much") (param $times i32) (result i32) (local $kept (ref null $box))
        (local.set $kept (struct.new $box (i32.const 13)))
        (loop $more
          (drop (struct.new $box (i32.const -1)))
          (br_if $more (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
        (struct.get $box 0 (local.get $kept))))"#;
    for mode in MODES.into_iter().filter(|mode| !mode.always) {
        let store = mode.store();
        let much = func(&instance(&store, GUEST), "much");
        for times in [70_000, 20_000_000, 70_000, 20_000_000] {
            assert_eq!(number(&call(&much, &[Val::I32(times)])), 13);
        }
        assert!(store.collections() > 10, "{} collections", store.collections());
    }
}

/// A list that grows until there is no more room, and what holds it.
const LIST: &str = r#"(module
  (type $list (struct (field i64) (field (ref null $list))))
  (type $bytes (array (mut i8)))
  (global $list (mut (ref null $list)) (ref.null $list))
  (func (export "fill")
    (loop (global.set $list (struct.new $list (i64.const 7) (global.get $list))) (br 0)))
  (func (export "array") (param i32) (result i32)
    (array.len (array.new_default $bytes (local.get 0))))
  (func (export "sum") (result i64) (local $l (ref null $list)) (local $sum i64)
    (local.set $l (global.get $list))
    (block $end
      (loop
        (br_if $end (ref.is_null (local.get $l)))
        (local.set $sum (i64.add (local.get $sum) (struct.get $list 0 (local.get $l))))
        (local.set $l (struct.get $list 1 (local.get $l)))
        (br 0)))
    (local.get $sum))
  (func (export "clear") (global.set $list (ref.null $list))))"#;

#[test]
fn a_full_heap_is_a_trap_and_no_more() {
    // Collecting at every allocation of a long list takes too long for more.
    let modes = MODES.map(|mode| Mode { heap: if mode.always { 20_000 } else { 300_000 }, ..mode });
    for mode in modes {
        let store = mode.store();
        let guest = instance(&store, LIST);
        for _ in 0..3 {
            let filled = func(&guest, "fill").call(&[]);
            assert!(is_exhausted(&filled), "{filled:?}");
            assert!(store.usage().heap <= mode.heap);
            // Each has 24 bytes; all but the last few bytes are in use.
            let Val::I64(sum) = call(&func(&guest, "sum"), &[]) else { panic!("it is an i64") };
            let most = mode.heap as i64 / 24;
            assert!(sum / 7 <= most && sum / 7 > most - 100, "{} of {most}", sum / 7);
            // The host gets no more either.
            let ty = bytes_type(&store);
            assert!(is_exhausted(&Object::default_array(&store, &ty, 5000)));
            assert!(is_exhausted(&Object::default_array(&store, &ty, u32::MAX as usize)));
            func(&guest, "clear").call(&[]).expect("it does not trap");
            assert!(Object::default_array(&store, &ty, 5000).is_ok());
        }
        // What cannot be is refused at once, whatever is asked for.
        let array = func(&guest, "array");
        for len in [i32::MAX, -1, i32::MIN, 1 << 30] {
            assert!(is_exhausted(&array.call(&[Val::I32(len)])));
        }
        assert_eq!(number(&call(&array, &[Val::I32(9000)])), 9000);
    }
}
