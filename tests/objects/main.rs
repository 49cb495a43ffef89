//! The collector under stress: generated programs and graphs of objects against models of them, what
//! is freed and what is not, and a heap that is full. Each in stores that collect at every allocation,
//! in ones whose heap is small, and in plain ones.

mod frames;
mod garbage;
mod graph;
mod kept;
mod stretches;

use tenon::{
    CompositeType, Config, DefinedType, Engine, Error, Func, Instance, Linker, Module, Store,
    StoreLimits, TrapCode, Val,
};

/// Numbers that look like any, the same ones each time.
pub struct Numbers(pub u64);

impl Numbers {
    /// A number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % u64::from(end)) as u32
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }
}

/// How a store is made.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Collects at every allocation.
    always: bool,
    /// Compiles functions on their first call.
    lazy: bool,
    /// Checks by code.
    explicit: bool,
    /// The most bytes that the heap may have.
    heap: u64,
}

/// The modes that everything is done in.
pub const MODES: [Mode; 4] = [
    Mode { always: true, lazy: false, explicit: false, heap: u64::MAX },
    Mode { always: true, lazy: true, explicit: true, heap: 1 << 20 },
    Mode { always: false, lazy: false, explicit: false, heap: 256 << 10 },
    Mode { always: false, lazy: true, explicit: false, heap: u64::MAX },
];

impl Mode {
    /// An empty store in this mode.
    pub fn store(self) -> Store {
        let mut config = Config::new();
        config.collect_always(self.always).explicit_checks(self.explicit);
        if self.lazy {
            config.compilation(tenon::Compilation::Lazy);
        }
        let store = Store::new(&Engine::new(&config).expect("the settings make sense"));
        store.set_limits(StoreLimits { heap: self.heap, ..StoreLimits::default() });
        store
    }
}

/// A module of text.
pub fn module(store: &Store, text: &str) -> Module {
    let module = Module::from_text(store.engine(), text.as_bytes());
    module.unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// An instance of text without imports.
pub fn instance(store: &Store, text: &str) -> Instance {
    Linker::new(store).instantiate(&module(store, text)).expect("it can be instantiated")
}

/// An exported function.
pub fn func(instance: &Instance, name: &str) -> Func {
    instance.func(name).unwrap_or_else(|| panic!("{name} is exported"))
}

/// The only result of a call that does not trap.
pub fn call(func: &Func, args: &[Val]) -> Val {
    let mut results = func.call(args).expect("it does not trap");
    assert_eq!(results.len(), 1);
    results.swap_remove(0)
}

/// The number that a value is.
pub fn number(value: &Val) -> i32 {
    match value {
        Val::I32(value) => *value,
        other => panic!("{other:?} is no i32"),
    }
}

/// Whether a call has ended because the heap is exhausted.
pub fn is_exhausted<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Trap(trap)) if trap.code() == Some(TrapCode::HeapExhausted))
}

/// The type of an array of mutable bytes.
pub fn bytes_type(store: &Store) -> DefinedType {
    use tenon::{ArrayType, FieldType, StorageType, SubType};
    let element = FieldType { storage: StorageType::I8, mutable: true };
    let ty = SubType::plain(CompositeType::Array(ArrayType(element)));
    DefinedType::new(store.engine(), ty).expect("there can be such a type")
}
