//! Programs that compilers have made of C and C++ with the instructions of newer features, in every
//! mode. `make guests-wasm3` builds them again from the sources beside this file.

use std::collections::BTreeMap;
use std::path::Path;

use tenon::wasi::{self, Capture, Wasi};
use tenon::{
    Config, Engine, Error, Extern, ExternRef, Func, FuncType, Global, GlobalType, Instance, Limits,
    Linker, Memory, MemoryType, Module, RefType, SharedMemory, Store, Table, TableType, TrapCode,
    Val, ValType,
};

/// A program, what is imported from it, and what it has to do.
const PROGRAMS: [fn(&Engine); 10] = [
    pointers_have_64_bits,
    relaxed_vectors,
    tail_calls,
    products_of_128_bits,
    threads_share_a_memory,
    references_and_several_results,
    pages_of_a_byte,
    libraries_are_placed,
    jumps,
    exceptions_of_cpp,
];

fn run_all(configure: fn(&mut Config)) {
    let mut config = Config::new();
    configure(&mut config);
    let engine = Engine::new(&config).expect("the settings make sense");
    for run in PROGRAMS {
        run(&engine);
    }
}

crate::in_all_modes!(run_all);

fn module(engine: &Engine, name: &str) -> Module {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wasm3/programs").join(name);
    let bytes = std::fs::read(path.with_extension("wasm")).expect("the program is there");
    Module::new(engine, &bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn store(engine: &Engine) -> Store {
    let store = Store::new(engine);
    if store.has_fuel() {
        store.set_fuel(1 << 40).expect("so much is possible");
    }
    store
}

/// An instance of a program that imports nothing.
fn instance(engine: &Engine, name: &str) -> Instance {
    let linker = Linker::new(&store(engine));
    linker.instantiate(&module(engine, name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn call(instance: &Instance, name: &str, args: &[Val]) -> Result<Vec<Val>, Error> {
    instance.func(name).unwrap_or_else(|| panic!("{name} is exported")).call(args)
}

/// Calls an export that has one result.
fn value(instance: &Instance, name: &str, args: &[Val]) -> Val {
    let mut results = call(instance, name, args).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(results.len(), 1, "{name}");
    results.remove(0)
}

fn i32(instance: &Instance, name: &str, args: &[Val]) -> i32 {
    let Val::I32(value) = value(instance, name, args) else { panic!("{name} returns an i32") };
    value
}

fn i64(instance: &Instance, name: &str, args: &[Val]) -> i64 {
    let Val::I64(value) = value(instance, name, args) else { panic!("{name} returns an i64") };
    value
}

/// Proves that an access is outside of the memory.
fn is_outside(instance: &Instance, name: &str, address: Val) {
    match call(instance, name, &[address]) {
        Err(Error::Trap(trap)) if trap.code() == Some(TrapCode::MemoryOutOfBounds) => {}
        other => panic!("{name} is outside, not {other:?}"),
    }
}

fn pointers_have_64_bits(engine: &Engine) {
    let guest = instance(engine, "memory64");
    let pages = i64(&guest, "pages", &[]);
    let mut tree = BTreeMap::new();
    let mut number = 1u64;
    for _ in 0..20_000 {
        number =
            number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *tree.entry(number >> 44).or_insert(0u64) += 1;
    }
    let expected = tree.iter().fold(0u64, |hash, (key, count)| {
        hash.wrapping_mul(31).wrapping_add(key.wrapping_mul(*count))
    });
    assert_eq!(i64(&guest, "sort", &[Val::I64(20_000)]), expected as i64);
    let now = i64(&guest, "pages", &[]);
    assert!(now > pages + 5, "the memory has grown from {pages} to {now} pages");
    let size = now << 16;
    i64(&guest, "peek", &[Val::I64(size - 8)]);
    for address in [size - 7, size, 1 << 32, (1 << 32) + 16, 1 << 48, i64::MIN, -8, -1] {
        is_outside(&guest, "peek", Val::I64(address));
    }
}

fn relaxed_vectors(engine: &Engine) {
    let guest = instance(engine, "relaxed_simd");
    for seed in 0..4 {
        let a = |i: i32, j: i32| f64::from((i * 7 + j * 3 + seed) % 11 - 5);
        let b = |i: i32, j: i32| f64::from((i * 5 + j * 2 + seed) % 13 - 6);
        let c = |i: i32, j: i32| (0..64).map(|k| a(i, k) * b(k, j)).sum::<f64>();
        let places = (0..64).flat_map(|i| (0..64).map(move |j| (i, j)));
        let sum: f64 = places.map(|(i, j)| c(i, j) * f64::from(i + 1 - j)).sum();
        let Val::F64(product) = value(&guest, "multiply", &[Val::I32(seed)]) else {
            panic!("multiply returns an f64")
        };
        assert_eq!(product, sum);
    }
    let (mut left, mut right) = ([0; 16], [0; 16]);
    for i in 0..16 {
        (left[i], right[i]) = (i as i8 - 8, i as i8 + 1);
    }
    let mut sums = [0; 4];
    for _ in 0..100 {
        for i in 0..16 {
            sums[i / 4] += i32::from(left[i]) * i32::from(right[i]);
            (left[i], right[i]) = (left[i].wrapping_add(3), right[i].wrapping_add(3) & 0x3f);
        }
    }
    let expected: i32 = sums.iter().zip([1, 3, 5, 7]).map(|(sum, weight)| sum * weight).sum();
    assert_eq!(i32(&guest, "dot", &[Val::I32(100)]), expected);
    for (x, y) in [(3.7, -9.2), (-9.2, 3.7), (100_000.5, 7.0)] {
        let (most, least) = (f64::max(x, y) as i32, f64::min(x, y) as i32);
        let lanes = if x < y { [most, least] } else { [least, most] };
        let [low, high] = lanes.map(|lane| i64::from(lane.swap_bytes() as u32));
        assert_eq!(i64(&guest, "shuffle", &[Val::F64(x), Val::F64(y)]), high << 32 | low);
    }
}

fn tail_calls(engine: &Engine) {
    let guest = instance(engine, "tail_call");
    for n in [0, 1, 2, 7, 1_000_000, 1_000_001] {
        let (mut sum, mut weight) = (1u32, 2.0);
        for round in 0..n {
            if round % 2 == 0 {
                (sum, weight) = (sum.wrapping_add(weight as i32 as u32), -weight);
            } else {
                (sum, weight) = (sum.wrapping_mul(3), weight + 1.0);
            }
        }
        let expected = if n % 2 == 0 { sum } else { sum.wrapping_neg() };
        assert_eq!(i32(&guest, "alternate", &[Val::I32(n)]), expected as i32, "{n}");
    }
    for n in [1, 2, 100_000] {
        let x = (0..n).fold(3u64, |x, _| x.wrapping_mul(x).wrapping_add(7));
        assert_eq!(i64(&guest, "interpret", &[Val::I64(n)]), (x ^ n as u64) as i64, "{n}");
    }
}

fn products_of_128_bits(engine: &Engine) {
    let guest = instance(engine, "wide");
    // The largest primes below 2^64 and 2^63, and products of large primes.
    let numbers = [
        (2, true),
        (1, false),
        (u64::MAX - 58, true),
        ((1 << 63) - 25, true),
        (u64::MAX, false),
        (4_294_967_291 * 4_294_967_279, false),
        (3_825_123_056_546_413_051, false),
        (1_000_000_007, true),
    ];
    for (number, prime) in numbers {
        let found = i32(&guest, "is_prime", &[Val::I64(number as i64)]);
        assert_eq!(found, i32::from(prime), "{number}");
    }
    for (a, b, count) in [(1, 1, 1), (-3, 1 << 62, 40), (i64::MIN, i64::MIN, 1000)] {
        let (mut total, mut left, mut right) = (0i128, a, b);
        for i in 0..i64::from(count) {
            total = total.wrapping_add(i128::from(left) * i128::from(right));
            total = total.wrapping_sub(i128::from(i) * 1_234_567_890_123);
            left = left.wrapping_mul(3).wrapping_add(i);
            right = right.wrapping_mul(5).wrapping_sub(i);
        }
        let expected = (total >> 64) as i64 ^ total as i64;
        let args = [Val::I64(a), Val::I64(b), Val::I32(count)];
        assert_eq!(i64(&guest, "sum", &args), expected);
    }
}

/// What a thread does with its instance of the program.
fn on_thread<T>(
    engine: &Engine,
    module: &Module,
    memory: &SharedMemory,
    thread: i32,
    body: impl FnOnce(&Instance) -> T,
) -> T {
    let store = store(engine);
    let mut linker = Linker::new(&store);
    linker.define("env", "memory", Memory::from_shared(&store, memory));
    let instance = linker.instantiate(module).expect("its import is there");
    let Some(Extern::Global(stack)) = instance.export("__stack_pointer") else {
        panic!("the stack pointer is exported")
    };
    stack.set(&value(&instance, "stack_of", &[Val::I32(thread)])).expect("it can be set");
    call(&instance, "begin", &[Val::I32(thread)]).expect("it does not trap");
    body(&instance)
}

fn threads_share_a_memory(engine: &Engine) {
    const TIMES: i32 = 2000;
    let module = &module(engine, "threads");
    let ty = MemoryType { shared: true, ..MemoryType::new(Limits { min: 2, max: Some(16) }) };
    let memory = &SharedMemory::new(engine, ty).expect("there is memory");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let own = on_thread(engine, module, memory, thread, |guest| {
                    i32(guest, "count", &[Val::I32(TIMES)])
                });
                assert_eq!(own, 100 + TIMES, "what belongs to the thread");
            });
        }
    });
    let counted = on_thread(engine, module, memory, 0, |guest| i64(guest, "counted", &[]));
    assert_eq!(counted, 4 * i64::from(TIMES));
    let expected =
        (1..=TIMES).fold(0i64, |hash, i| hash.wrapping_mul(31).wrapping_add(i64::from(i)));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            on_thread(engine, module, memory, 1, |guest| {
                call(guest, "put", &[Val::I32(TIMES)]).expect("it does not trap");
            });
        });
        let taken =
            on_thread(engine, module, memory, 2, |guest| i64(guest, "take", &[Val::I32(TIMES)]));
        assert_eq!(taken, expected);
    });
}

fn references_and_several_results(engine: &Engine) {
    let store = store(engine);
    let mut linker = Linker::new(&store);
    let ty = FuncType::new([ValType::EXTERNREF], [ValType::I32]);
    let number = Func::new(&store, ty, |_, args, results| {
        let object = args[0].referent().and_then(ExternRef::of).expect("it is a host object");
        results[0] = Val::I32(*object.data::<i32>().expect("it is one of ours"));
        Ok(())
    });
    linker.define("host", "number", number.expect("a function can be made"));
    let guest = linker.instantiate(&module(engine, "references")).expect("its import is there");
    for number in 0..50 {
        let object = ExternRef::new(&store, number * number).into();
        assert_eq!(i32(&guest, "keep", &[object]), number);
    }
    call(&guest, "swap", &[Val::I32(3), Val::I32(40)]).expect("it does not trap");
    let order = (0..50).map(|number| match number {
        3 => 40,
        40 => 3,
        other => other,
    });
    let expected = order.fold(0i32, |hash, n| hash.wrapping_mul(31).wrapping_add(n * n));
    assert_eq!(i32(&guest, "hash", &[]), expected);
    let kept = value(&guest, "kept", &[Val::I32(40)]);
    let object = kept.referent().and_then(ExternRef::of).expect("it is a host object");
    assert_eq!(object.data::<i32>(), Some(&9));

    for (name, sign) in [("divide", 1.0), ("divide_swapped", -1.0)] {
        let results = call(&guest, name, &[Val::I64(-17), Val::I64(5)]).expect("it does not trap");
        let expected = if name == "divide" { [-3, -2] } else { [-2, -3] };
        let [Val::I64(first), Val::I64(second), Val::F64(exact)] = results[..] else {
            panic!("{name} returns three values: {results:?}")
        };
        assert_eq!(([first, second], exact), (expected, sign * -3.4), "{name}");
    }
}

fn pages_of_a_byte(engine: &Engine) {
    let guest = instance(engine, "bytes");
    let before = i32(&guest, "write", &[Val::I32(0), Val::I32(0)]);
    let mut written = Vec::new();
    for (count, byte) in [(1, 200), (5000, 7), (3, 0)] {
        written.extend((0..count).map(|i| (byte + i) as u8));
        let size = i32(&guest, "write", &[Val::I32(count), Val::I32(byte)]);
        assert_eq!(size, before + written.len() as i32, "the memory ends with what is written");
        let expected = written
            .iter()
            .fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        assert_eq!(i32(&guest, "sum", &[]), expected as i32);
        let last = i32(&guest, "peek", &[Val::I32(size - 1)]);
        assert_eq!(last, i32::from(*written.last().expect("there is one")));
        is_outside(&guest, "peek", Val::I32(size));
    }
}

fn libraries_are_placed(engine: &Engine) {
    let store = store(engine);
    let memory = Memory::new(&store, MemoryType::new(Limits { min: 2, max: None }));
    let memory = memory.expect("there is memory");
    let limits = Limits { min: 20, max: None };
    let table = Table::new(&store, TableType::new(RefType::FUNC, limits), &Val::FuncRef(None));
    let table = table.expect("there is memory");
    let module = module(engine, "library");
    // Twice, at different places of the same memory and the same table.
    let places = [(1024, 4), (70_000, 12)];
    let libraries = places.map(|(data, functions)| {
        let mut linker = Linker::new(&store);
        linker.define("env", "memory", memory.clone());
        linker.define("env", "__indirect_function_table", table.clone());
        for (name, place) in [("__memory_base", data), ("__table_base", functions)] {
            let ty = GlobalType { content: ValType::I32, mutable: false };
            let global = Global::new(&store, ty, &Val::I32(place));
            linker.define("env", name, global.expect("it has its type"));
        }
        let library = linker.instantiate(&module).expect("its imports are there");
        call(&library, "__wasm_apply_data_relocs", &[]).expect("it does not trap");
        library
    });
    for (i, (library, (data, functions))) in libraries.iter().zip(places).enumerate() {
        for (name, expected) in [(b'a', 12), (b's', 8), (b'x', -1)] {
            let args = [Val::I32(name.into()), Val::I32(10), Val::I32(2)];
            for _ in 0..=i {
                assert_eq!(i32(library, "run", &args), expected);
            }
        }
        let address = i32(library, "address", &[]);
        assert!((data..data + 100).contains(&address), "{address}");
        let mut runs = [0; 4];
        memory.read(address as u64, &mut runs).expect("it is there");
        assert_eq!(i32::from_le_bytes(runs), 2 * (i as i32 + 1));
        for place in 0..2 {
            let element = table.get(functions as usize + place).expect("it is there");
            assert!(matches!(element, Val::FuncRef(Some(_))));
        }
    }
}

fn jumps(engine: &Engine) {
    for name in ["jumps", "jumps-legacy"] {
        let guest = instance(engine, name);
        call(&guest, "_initialize", &[]).expect("it does not trap");
        for depth in [0, 1, 100] {
            for (to, expected) in [(0, depth), (1, 1107), (2, 10_009), (0, depth)] {
                let args = [Val::I32(depth), Val::I32(to)];
                assert_eq!(i32(&guest, "jump", &args), expected, "{name}: {depth}, {to}");
            }
        }
        for times in [0, 1, 1000] {
            let expected = times * (times + 1) / 2;
            assert_eq!(i32(&guest, "again", &[Val::I32(times)]), expected, "{name}: {times}");
        }
    }
}

const THROWN: &str = "number 7, 0 alive
failure 42, 0 alive
something, 0 alive
returned 13, 0 alive
out of range
250 caught, 0 alive
";

fn exceptions_of_cpp(engine: &Engine) {
    for name in ["throws", "throws-legacy"] {
        let output = Capture::new(None);
        let mut config = wasi::Config::new();
        config.capture_stdout(&output);
        let wasi = Wasi::new(config);
        let mut linker = Linker::new(&store(engine));
        let module = module(engine, name);
        wasi.define_for(&mut linker, &module).expect("functions can be made");
        let guest = linker.instantiate(&module).expect("its imports are there");
        if let Err(error) = call(&guest, "_start", &[]) {
            let exit = match &error {
                Error::Trap(trap) => wasi::Exit::of(trap),
                _ => None,
            };
            assert_eq!(exit.map(|exit| exit.0), Some(0), "{name}: {error}");
        }
        assert_eq!(String::from_utf8_lossy(&output.take(usize::MAX)), THROWN, "{name}");
    }
}
