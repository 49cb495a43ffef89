//! Baseline code, and the optimized code that follows it.

use tenon::{Compilation, Config, Engine, Error, Func, Instance, Linker, Module, Store, Val};

/// Turns of the loop, and the sum of what `$f` returns; both functions trap at a number of turns.
const TEXT: &[u8] = b"(module
  (func $f (export \"f\") (param i32) (result i32)
    (i32.div_s (i32.const 1000) (i32.sub (local.get 0) (i32.const 777))))
  (func (export \"g\") (param $n i32) (result i32) (local $i i32) (local $sum i32)
    (loop $more
      (local.set $sum (i32.add (local.get $sum) (call $f (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $sum)))";

/// What runs, compiled on this thread.
struct Running {
    module: Module,
    instance: Instance,
    store: Store,
}

impl Running {
    fn new(tier_up_after: u32, change: impl FnOnce(&mut Config)) -> Result<Running, Error> {
        let mut config = Config::new();
        config.compilation(Compilation::Lazy).tier_up_after(tier_up_after);
        change(&mut config);
        let store = Store::new(&Engine::new(&config)?);
        let module = Module::from_text(store.engine(), TEXT)?;
        let instance = Linker::new(&store).instantiate(&module)?;
        Ok(Running { module, instance, store })
    }

    fn func(&self, name: &str) -> Func {
        self.instance.func(name).expect("it is exported")
    }

    fn call(&self, name: &str, argument: i32) -> Result<i32, Error> {
        match self.func(name).call(&[Val::I32(argument)])?[..] {
            [Val::I32(result)] => Ok(result),
            ref other => panic!("{other:?}"),
        }
    }
}

#[test]
fn functions_are_optimized_after_the_count() -> Result<(), Error> {
    let running = Running::new(10, |_| {})?;
    let mut sizes = Vec::new();
    for _ in 0..20 {
        assert_eq!(running.call("f", 767)?, -100);
        sizes.push(running.module.code_size());
    }
    let (first, last) = (sizes[0], sizes[19]);
    assert!(sizes[..9].iter().all(|size| *size == first), "{sizes:?}");
    assert!(sizes[9..].iter().all(|size| *size == last) && first < last, "{sizes:?}");
    Ok(())
}

#[test]
fn loops_go_on_in_optimized_code() -> Result<(), Error> {
    let few = Running::new(100, |_| {})?;
    let expected = few.call("g", 90)?;
    let many = Running::new(20, |_| {})?;
    assert_eq!(many.call("g", 90)?, expected);
    assert!(few.module.code_size() < many.module.code_size());
    // The next call gets on to optimized code too, and after that there is nothing more to make.
    assert_eq!(many.call("g", 90)?, expected);
    assert_eq!(many.call("g", 90)?, expected);
    let size = many.module.code_size();
    assert_eq!(many.call("g", 90)?, expected);
    assert_eq!(many.module.code_size(), size);
    Ok(())
}

#[test]
fn without_a_count_functions_are_optimized_at_once() -> Result<(), Error> {
    let running = Running::new(0, |_| {})?;
    running.call("g", 10)?;
    let size = running.module.code_size();
    assert!(
        size < Running::new(1000, |_| {}).and_then(|other| {
            other.call("g", 10)?;
            Ok(other.module.code_size())
        })?
    );
    running.call("g", 700)?;
    assert_eq!(running.module.code_size(), size);
    Ok(())
}

#[test]
fn traps_come_from_the_same_places() -> Result<(), Error> {
    let mut places = Vec::new();
    for (count, checks) in [(0, false), (1, false), (5, false), (500, false), (5, true)] {
        let running = Running::new(count, |config| _ = config.explicit_checks(checks))?;
        for _ in 0..3 {
            let error = running.call("g", 1000).expect_err("it divides by zero");
            let Error::Trap(trap) = error else { panic!("{error}") };
            let frames =
                trap.frames().iter().map(|frame| (frame.func_index(), frame.func_offset()));
            places.push(frames.collect::<Vec<_>>());
        }
    }
    assert_eq!(places[0].len(), 2);
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
    Ok(())
}

#[test]
fn all_code_consumes_the_same_fuel() -> Result<(), Error> {
    let mut left = Vec::new();
    for count in [0, 1, 2, 7, 100] {
        let running = Running::new(count, |config| _ = config.fuel(true))?;
        running.store.set_fuel(1_000_000)?;
        for turns in [1, 50, 200, 3] {
            running.call("g", turns)?;
        }
        left.push(running.store.fuel()?);
    }
    assert!(left.iter().all(|fuel| *fuel == left[0] && *fuel < 1_000_000), "{left:?}");
    Ok(())
}

/// Frames of baseline code are large. What recurses is optimized before they fill the stack.
#[test]
fn recursion_gets_to_optimized_code() -> Result<(), Error> {
    let locals: String = (0..60)
        .map(|i| format!("(local.set {i} (i64.add (local.get {i}) (i64.const {i})))"))
        .collect();
    let text = format!(
        "(module (func $down (export \"down\") (param $n i64) (result i64) (local {}) {locals}
           (if (i64.eqz (local.get $n)) (then (return (i64.const 0))))
           (i64.add (i64.const 1) (call $down (i64.sub (local.get $n) (i64.const 1))))))",
        "i64 ".repeat(60)
    );
    let mut config = Config::new();
    config.compilation(Compilation::Ahead).max_stack(1 << 20);
    let store = Store::new(&Engine::new(&config)?);
    let module = Module::from_text(store.engine(), text.as_bytes())?;
    let instance = Linker::new(&store).instantiate(&module)?;
    let down = instance.func("down").expect("it is exported");
    // In baseline code alone, these would take twice the stack that there is.
    assert!(matches!(down.call(&[Val::I64(4000)])?[..], [Val::I64(4000)]));
    Ok(())
}
