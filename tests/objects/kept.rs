//! What an object on the heap keeps alive besides other objects: the instances of functions and tags.
//! The memory of an instance shows whether that is still there.

use tenon::{Error, Exception, Extern, Func, Global, GlobalType, Object, Val, ValType};

use super::{MODES, call, func, instance, number};

const PAGE: u64 = 65536;

const GUEST: &str = r#"(module
  (type $get (func (result i32)))
  (type $one (struct (field (ref null $get))))
  (type $all (array (ref null $get)))
  (memory 1)
  (data (i32.const 8) "\2a")
  (tag $e (param i32))
  (elem declare func $get)
  (func $get (type $get) (i32.load (i32.const 8)))
  (func (export "struct") (result anyref) (struct.new $one (ref.func $get)))
  (func (export "array") (result anyref)
    (array.new $all (ref.func $get) (i32.const 3)))
  (func (export "throw") (throw $e (i32.const 42))))"#;

#[test]
fn functions_in_objects_keep_their_instance() {
    for mode in MODES {
        for (name, index) in [("struct", 0), ("array", 2)] {
            let store = mode.store();
            let object = call(&func(&instance(&store, GUEST), name), &[]);
            // From a handle, and then from a global of the host's alone.
            let ty = GlobalType { content: ValType::ANYREF, mutable: true };
            let global = Global::new(&store, ty, &object).expect("it has its type");
            store.collect();
            drop(object);
            store.collect();
            assert_eq!(store.usage().memory, PAGE, "{name}, {mode:?}");
            let object = global.get();
            let element = object.as_object().and_then(|object: &Object| object.get(index));
            let Some(Val::FuncRef(Some(get))) = element else { panic!("{name} has a function") };
            assert_eq!(number(&call(&get, &[])), 42);
            drop((object, get));
            global.set(&Val::AnyRef(None)).expect("it is null");
            store.collect();
            assert_eq!(store.usage().memory, 0, "{name}, {mode:?}");
        }
    }
}

/// The exception that a call ends with.
fn thrown(func: &Func) -> Exception {
    match func.call(&[]) {
        Err(Error::Trap(trap)) => trap.exception().expect("it is an exception").clone(),
        other => panic!("it throws, not {other:?}"),
    }
}

#[test]
fn exceptions_keep_the_instance_of_their_tag() {
    for mode in MODES {
        let store = mode.store();
        let exception = thrown(&func(&instance(&store, GUEST), "throw"));
        store.collect();
        assert_eq!(store.usage().memory, PAGE, "{mode:?}");
        assert_eq!(exception.tag().ty().params(), [ValType::I32]);
        assert!(exception.values()[0].is(&Val::I32(42)));
        // Somebody else throws it again.
        let thrower = instance(
            &store,
            r#"(module (global (export "g") (mut exnref) (ref.null exn))
              (func (export "throw") (throw_ref (global.get 0))))"#,
        );
        let Some(Extern::Global(global)) = thrower.export("g") else { panic!("it is exported") };
        global.set(&exception.into()).expect("it is an exception");
        store.collect();
        assert_eq!(store.usage().memory, PAGE, "{mode:?}");
        let again = thrown(&func(&thrower, "throw"));
        assert_eq!(again.tag().ty().params(), [ValType::I32]);
        global.set(&Val::ExnRef(None)).expect("it is null");
        drop(again);
        store.collect();
        assert_eq!(store.usage().memory, 0, "{mode:?}");
    }
}
