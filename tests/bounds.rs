//! Every kind of access, at every place where a bounds check could go wrong, in memories of every
//! kind and in every mode, compared with a model that knows nothing but the specification: an access
//! of n bytes at address + offset is in bounds if the sum plus n, as a number without limit, is at
//! most the memory's size. What traps has written nothing.

use std::fmt::Write;

use tenon::{
    AddressType, Config, Engine, Error, Extern, Instance, Limits, Memory, MemoryType, Module,
    SharedMemory, Store, TrapCode, Val,
};

/// An instruction: its name, how many bytes it accesses, and what kind it is.
#[derive(Clone, Copy)]
struct Access(&'static str, u64, Kind);

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Its result is dropped.
    Load,
    /// It stores a constant of the type that is given here.
    Store(&'static str),
    /// The same, and its result is dropped; the address has to be a multiple of the size.
    Atomic(&'static str),
    /// A bulk operation: fills so many bytes.
    Fill,
}

const ACCESSES: [Access; 18] = [
    Access("i32.load8_u", 1, Kind::Load),
    Access("i64.load16_s", 2, Kind::Load),
    Access("f32.load", 4, Kind::Load),
    Access("i64.load", 8, Kind::Load),
    Access("v128.load", 16, Kind::Load),
    Access("v128.load32_splat", 4, Kind::Load),
    Access("i32.store8", 1, Kind::Store("i32.const -1")),
    Access("i64.store16", 2, Kind::Store("i64.const -1")),
    Access("i32.store", 4, Kind::Store("i32.const -1")),
    Access("f64.store", 8, Kind::Store("f64.const -nan")),
    Access("v128.store", 16, Kind::Store("v128.const i64x2 -1 -1")),
    Access("i32.atomic.rmw8.or_u", 1, Kind::Atomic("i32.const -1")),
    Access("i64.atomic.rmw16.xchg_u", 2, Kind::Atomic("i64.const -1")),
    Access("i32.atomic.rmw.xchg", 4, Kind::Atomic("i32.const -1")),
    Access("i64.atomic.rmw.add", 8, Kind::Atomic("i64.const -1")),
    Access("i64.atomic.rmw32.or_u", 4, Kind::Atomic("i64.const -1")),
    Access("memory.fill", 1, Kind::Fill),
    Access("memory.fill", 4096, Kind::Fill),
];

/// A memory's type, and the size it has grown to when it is accessed.
struct Case {
    ty: MemoryType,
    pages: u64,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for address in [AddressType::I32, AddressType::I64] {
        for shared in [false, true] {
            for (page_size_log2, min, pages) in [(16, 1, 1), (16, 0, 3), (0, 20, 65543), (0, 0, 7)]
            {
                let limits = Limits { min, max: Some(pages.max(4)) };
                let ty = MemoryType { limits, address, page_size_log2, shared };
                cases.push(Case { ty, pages });
            }
        }
    }
    cases
}

/// Static offsets around everything that a check may compare them with.
fn offsets(address: AddressType, size: u64) -> Vec<u64> {
    let guard = 32 << 20;
    let mut centers = vec![0, 8, size, 1 << 16, guard, 1 << 31, u64::from(u32::MAX)];
    if address == AddressType::I64 {
        centers.extend([1 << 32, (4 << 30) + guard, 1 << 63, u64::MAX - size, u64::MAX]);
    }
    around(&centers, &[0, 1], address)
}

/// Addresses around the end, less the offset, and around the ends of number ranges.
fn addresses(address: AddressType, size: u64, offset: u64) -> Vec<u64> {
    let end = size.wrapping_sub(offset);
    let most = u64::from(u32::MAX);
    let centers = [0, end, size, 1 << 31, most, 1 << 32, 1 << 63, u64::MAX, u64::MAX - offset];
    around(&centers, &[0, 1, 4, 8, 16], address)
}

/// What is so far from the centers, both ways, and is a number of the address type.
fn around(centers: &[u64], distances: &[u64], address: AddressType) -> Vec<u64> {
    let mut all: Vec<u64> = centers
        .iter()
        .flat_map(|center| {
            distances.iter().flat_map(|d| [center.wrapping_add(*d), center.wrapping_sub(*d)])
        })
        .filter(|value| address == AddressType::I64 || *value <= u64::from(u32::MAX))
        .collect();
    all.sort();
    all.dedup();
    all
}

fn module(case: &Case, offsets: &[u64]) -> String {
    let wide = case.ty.address == AddressType::I64;
    let ty = if wide { "i64" } else { "i32" };
    let Limits { min, max } = case.ty.limits;
    let mut text = String::from("(module (import \"\" \"\" (memory ");
    write!(text, "{} {min} {} ", if wide { "i64" } else { "" }, max.expect("all have one"))
        .unwrap();
    write!(text, "{} ", if case.ty.shared { "shared" } else { "" }).unwrap();
    writeln!(text, "(pagesize {})))", case.ty.page_size()).unwrap();
    writeln!(text, "(func (export \"grow\") (param {ty}) (drop (memory.grow (local.get 0))))")
        .unwrap();
    for (number, Access(name, size, kind)) in ACCESSES.iter().enumerate() {
        for offset in offsets {
            let at = format!("offset={offset} (local.get 0)");
            let body = match kind {
                Kind::Load => format!("(drop ({name} {at}))"),
                Kind::Store(value) => format!("({name} {at} ({value}))"),
                Kind::Atomic(value) => format!("(drop ({name} {at} ({value})))"),
                Kind::Fill if *offset == 0 => {
                    format!("({name} (local.get 0) (i32.const 255) ({ty}.const {size}))")
                }
                Kind::Fill => continue,
            };
            writeln!(text, "(func (export \"{number} {offset}\") (param {ty}) {body})").unwrap();
        }
    }
    text + ")"
}

/// What the specification says: a trap or none.
fn model(access: Access, address: u64, offset: u64, size: u64) -> Option<TrapCode> {
    let Access(_, bytes, kind) = access;
    let effective = u128::from(address) + u128::from(offset);
    if matches!(kind, Kind::Atomic(_)) && !effective.is_multiple_of(u128::from(bytes)) {
        return Some(TrapCode::UnalignedAtomic);
    }
    let fits = effective + u128::from(bytes) <= u128::from(size);
    (!fits).then_some(TrapCode::MemoryOutOfBounds)
}

fn check(config: &Config, case: &Case) -> usize {
    let engine = Engine::new(config).unwrap();
    let store = Store::new(&engine);
    let memory = if case.ty.shared {
        Memory::from_shared(&store, &SharedMemory::new(&engine, case.ty).unwrap())
    } else {
        Memory::new(&store, case.ty).unwrap()
    };
    let size = case.pages * case.ty.page_size();
    let offsets = offsets(case.ty.address, size);
    let module = Module::from_text(&engine, module(case, &offsets).as_bytes()).unwrap();
    let imports = [Extern::from(memory.clone())];
    let instance = Instance::new(&store, &module, &imports).unwrap();
    let number = |value: u64| match case.ty.address {
        AddressType::I32 => Val::I32(value as u32 as i32),
        AddressType::I64 => Val::I64(value as i64),
    };
    // By the guest itself, so that what was known before has changed.
    instance.func("grow").unwrap().call(&[number(case.pages - memory.pages())]).unwrap();
    assert_eq!(memory.size() as u64, size);

    // The end of the memory, where everything that is in bounds by a little writes.
    let tail = size.min(64);
    let (mut before, mut after) = (vec![0; tail as usize], vec![0; tail as usize]);
    let mut checked = 0;
    for (index, access) in ACCESSES.into_iter().enumerate() {
        for offset in &offsets {
            let Some(func) = instance.func(&format!("{index} {offset}")) else { continue };
            for address in addresses(case.ty.address, size, *offset) {
                let about =
                    || format!("{} offset={offset} at {address} of {:?}", access.0, case.ty);
                memory.write(size - tail, &vec![0; tail as usize]).unwrap();
                memory.read(size - tail, &mut before).unwrap();
                let got = match func.call(&[number(address)]) {
                    Ok(_) => None,
                    Err(Error::Trap(trap)) => Some(trap.code().expect("a trap of WebAssembly")),
                    Err(error) => panic!("{}: {error}", about()),
                };
                let wanted = model(access, address, *offset, size);
                // Of an unaligned access whose address is beyond 64 bits both are true.
                let beyond = u128::from(address) + u128::from(*offset) > u128::from(u64::MAX);
                let either = beyond && got.is_some() && wanted.is_some();
                assert!(got == wanted || either, "{}: {got:?}, not {wanted:?}", about());
                memory.read(size - tail, &mut after).unwrap();
                let written = before != after;
                let writes = !matches!(access.2, Kind::Load) && got.is_none();
                let Access(_, bytes, _) = access;
                let in_tail = address.wrapping_add(*offset).wrapping_add(bytes) > size - tail;
                assert_eq!(written, writes && in_tail, "{}: bytes of the end", about());
                checked += 1;
            }
        }
    }
    checked
}

fn check_all(configure: impl Fn(&mut Config)) {
    let mut config = Config::new();
    configure(&mut config);
    let checked: usize = cases().iter().map(|case| check(&config, case)).sum();
    println!("{checked} accesses");
    assert!(checked > 10_000);
}

#[test]
fn with_guard_pages() {
    check_all(|_| {});
}

#[test]
fn with_explicit_checks() {
    check_all(|config| {
        config.explicit_checks(true);
    });
}

#[test]
fn in_memories_that_move() {
    check_all(|config| {
        config.memory_reservation(0);
    });
}
