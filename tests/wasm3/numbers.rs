//! Wide arithmetic and relaxed vector instructions against Rust's own arithmetic, on numbers at
//! their edges and on any others, as arguments and as constants.

use std::collections::BTreeMap;
use std::fmt::Write;

use tenon::{Config, Engine, Func, Instance, Linker, Module, Store, Val};

/// Numbers that look like any, the same ones each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 ^ self.0 >> 29
    }

    fn next_vector(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}

fn engine(configure: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::new();
    configure(&mut config);
    Engine::new(&config).expect("the settings make sense")
}

fn instance(engine: &Engine, text: &str) -> Instance {
    let module = Module::from_text(engine, text.as_bytes());
    let module = module.unwrap_or_else(|error| panic!("{text}: {error}"));
    Linker::new(&Store::new(engine)).instantiate(&module).expect("it can be instantiated")
}

fn call(func: &Func, args: &[Val]) -> Vec<Val> {
    func.call(args).expect("it does not trap")
}

/// All ways to choose `count` of these numbers, in order and with repetition.
fn tuples(numbers: &[u64], count: usize) -> impl Iterator<Item = Vec<u64>> {
    let total = numbers.len().pow(count as u32);
    (0..total).map(move |mut index| {
        let choose = |_| {
            let number = numbers[index % numbers.len()];
            index /= numbers.len();
            number
        };
        (0..count).map(choose).collect()
    })
}

mod wide {
    use super::*;

    const EDGES: [u64; 14] = [
        0,
        1,
        2,
        u32::MAX as u64,
        1 << 32,
        (1 << 32) + 1,
        i64::MAX as u64 - 1,
        i64::MAX as u64,
        1 << 63,
        (1 << 63) + 1,
        u64::MAX - 1,
        u64::MAX,
        0x5555_5555_5555_5555,
        0xfedc_ba98_7654_3210,
    ];

    struct Instruction {
        name: &'static str,
        arity: usize,
        result: fn(&[u64]) -> u128,
    }

    fn join(low: u64, high: u64) -> u128 {
        u128::from(high) << 64 | u128::from(low)
    }

    const INSTRUCTIONS: [Instruction; 4] = [
        Instruction {
            name: "i64.add128",
            arity: 4,
            result: |x| join(x[0], x[1]).wrapping_add(join(x[2], x[3])),
        },
        Instruction {
            name: "i64.sub128",
            arity: 4,
            result: |x| join(x[0], x[1]).wrapping_sub(join(x[2], x[3])),
        },
        Instruction {
            name: "i64.mul_wide_s",
            arity: 2,
            result: |x| (i128::from(x[0] as i64) * i128::from(x[1] as i64)) as u128,
        },
        Instruction {
            name: "i64.mul_wide_u",
            arity: 2,
            result: |x| u128::from(x[0]) * u128::from(x[1]),
        },
    ];

    fn wide(results: &[Val]) -> u128 {
        let [Val::I64(low), Val::I64(high)] = results else { panic!("{results:?}") };
        join(*low as u64, *high as u64)
    }

    #[test]
    fn results_are_those_of_rust() {
        for Instruction { name, arity, result } in INSTRUCTIONS {
            let params = "i64 ".repeat(arity);
            let gets: String = (0..arity).map(|i| format!("(local.get {i})")).collect();
            let text = format!(
                "(module (func (export \"f\") (param {params}) (result i64 i64) ({name} {gets})))"
            );
            let f = instance(&engine(|_| {}), &text).func("f").expect("it is exported");
            let mut numbers = Numbers(1);
            let others = (0..5000).map(|_| (0..arity).map(|_| numbers.next()).collect());
            let mut count = 0;
            for args in tuples(&EDGES, arity).chain(others) {
                let vals: Vec<_> = args.iter().map(|arg| Val::I64(*arg as i64)).collect();
                assert_eq!(wide(&call(&f, &vals)), result(&args), "{name} of {args:x?}");
                count += 1;
            }
            assert!(count > 5000);
        }
    }

    /// Where an operand is a constant, or the same as the other, the code generator knows more.
    #[test]
    fn known_operands_change_nothing() {
        for Instruction { name, arity, result } in INSTRUCTIONS {
            let step = if arity == 4 { 97 } else { 1 };
            let cases: Vec<_> = tuples(&EDGES, arity).step_by(step).collect();
            let mut text = "(module".to_owned();
            for (i, args) in cases.iter().enumerate() {
                // The first half of the operands is constant, or the second, or all.
                let operand = |j: usize| match i % 3 {
                    0 if j < arity / 2 => format!("(local.get {j})"),
                    1 if j >= arity / 2 => format!("(local.get {j})"),
                    _ => format!("(i64.const {})", args[j] as i64),
                };
                let operands: String = (0..arity).map(operand).collect();
                let params = "i64 ".repeat(arity);
                write!(
                    text,
                    "(func (export \"{i}\") (param {params}) (result i64 i64) ({name} {operands}))"
                )
                .expect("text grows");
            }
            let instance = instance(&engine(|_| {}), &(text + ")"));
            for (i, args) in cases.iter().enumerate() {
                let f = instance.func(&i.to_string()).expect("it is exported");
                let vals: Vec<_> = args.iter().map(|arg| Val::I64(*arg as i64)).collect();
                assert_eq!(wide(&call(&f, &vals)), result(args), "{name} of {args:x?}, {i}");
            }
        }
    }
}

mod relaxed {
    use super::*;

    /// What a lane may be.
    #[derive(Clone, Copy, Debug)]
    enum Lane {
        Bits(u64),
        /// Any NaN whose first bit of payload is set.
        QuietNan,
        /// Any NaN.
        Nan,
        Anything,
    }

    use Lane::{Anything, Bits, Nan, QuietNan};

    impl Lane {
        fn allows(self, got: u64, width: usize) -> bool {
            let (quiet, nan) = match width {
                32 => (0x7fc0_0000, f32::from_bits(got as u32).is_nan()),
                64 => (0x7ff8_0000_0000_0000, f64::from_bits(got).is_nan()),
                _ => (0, false),
            };
            match self {
                Bits(bits) => got == bits,
                QuietNan => nan && got & quiet == quiet,
                Nan => nan,
                Anything => true,
            }
        }
    }

    /// The lanes of a result, each with what it may be by the choices of a parameter.
    type Lanes = Vec<[Lane; 4]>;

    struct Instruction {
        name: &'static str,
        arity: usize,
        /// The parameter of the specification that chooses.
        parameter: &'static str,
        /// The bits of an operand's lanes and of a result's.
        widths: (usize, usize),
        /// How many neighbouring lanes make one of the result.
        group: usize,
        result: fn(&[u128]) -> Lanes,
    }

    fn lane(vector: u128, width: usize, index: usize) -> u64 {
        (vector >> (index * width)) as u64 & (u64::MAX >> (64 - width))
    }

    fn lanes(width: usize, vectors: &[u128], choices: impl Fn(&[u64]) -> [Lane; 4]) -> Lanes {
        let of = |index| vectors.iter().map(|x| lane(*x, width, index)).collect::<Vec<_>>();
        (0..128 / width).map(|index| choices(&of(index))).collect()
    }

    /// The first two choices; where there are only two, the others are like them.
    fn two(first: Lane, second: Lane) -> [Lane; 4] {
        [first, second, first, second]
    }

    fn swizzle(x: &[u128]) -> Lanes {
        lanes(8, &x[1..], |index| {
            let byte = |index: u64| Bits(lane(x[0], 8, index as usize % 16));
            match index[0] {
                index @ 0..16 => [byte(index); 4],
                index @ 16..128 => two(Bits(0), byte(index)),
                _ => [Bits(0); 4],
            }
        })
    }

    fn truncate(float: f64, signed: bool) -> [Lane; 4] {
        let saturated =
            if signed { u64::from(float as i32 as u32) } else { u64::from(float as u32) };
        let (least, most) =
            if signed { (-2147483648.0, 2147483647.0) } else { (0.0, 4294967295.0) };
        let fits = float.trunc() >= least && float.trunc() <= most;
        two(Bits(saturated), if fits { Bits(saturated) } else { Anything })
    }

    fn truncate_floats(x: &[u128], signed: bool) -> Lanes {
        lanes(32, x, |x| truncate(f64::from(f32::from_bits(x[0] as u32)), signed))
    }

    fn truncate_doubles(x: &[u128], signed: bool) -> Lanes {
        let mut low = lanes(64, x, |x| truncate(f64::from_bits(x[0]), signed));
        low.extend([[Bits(0); 4]; 2]);
        low
    }

    fn float(value: f32) -> Lane {
        if value.is_nan() { QuietNan } else { Bits(u64::from(value.to_bits())) }
    }

    fn double(value: f64) -> Lane {
        if value.is_nan() { QuietNan } else { Bits(value.to_bits()) }
    }

    fn multiply_add_floats(x: &[u128], sign: f32) -> Lanes {
        lanes(32, x, |x| {
            let [x, y, z] = [x[0], x[1], x[2]].map(|x| f32::from_bits(x as u32));
            two(float(sign * x * y + z), float((sign * x).mul_add(y, z)))
        })
    }

    fn multiply_add_doubles(x: &[u128], sign: f64) -> Lanes {
        lanes(64, x, |x| {
            let [x, y, z] = [x[0], x[1], x[2]].map(f64::from_bits);
            two(double(sign * x * y + z), double((sign * x).mul_add(y, z)))
        })
    }

    fn lane_select(width: usize, x: &[u128]) -> Lanes {
        lanes(width, x, |x| {
            let by_bits = x[0] & x[2] | x[1] & !x[2];
            let by_sign = if x[2] >> (width - 1) == 1 { x[0] } else { x[1] };
            two(Bits(by_bits), Bits(by_sign))
        })
    }

    /// The smaller or larger of two, given as bits, whether they are NaNs, and whether the first is
    /// less than the second, and the second less than the first.
    fn select(x: u64, y: u64, nans: [bool; 2], less: [bool; 2], min: bool) -> [Lane; 4] {
        let sign = |x: u64| (x as i64) < 0 || (x < 1 << 32 && (x as i32) < 0);
        match nans {
            [true, true] => [QuietNan, Nan, Nan, Nan],
            [true, false] => [QuietNan, Nan, Bits(y), Bits(y)],
            [false, true] => [QuietNan, Bits(x), Nan, Bits(x)],
            [false, false] => match less {
                [true, false] => [Bits(if min { x } else { y }); 4],
                [false, true] => [Bits(if min { y } else { x }); 4],
                // Equal: the same, or zeros.
                _ => {
                    let strict = if sign(x) == min { x } else { y };
                    [Bits(strict), Bits(x), Bits(y), Bits(strict)]
                }
            },
        }
    }

    fn select_floats(x: &[u128], min: bool) -> Lanes {
        lanes(32, x, |bits| {
            let [x, y] = [bits[0], bits[1]].map(|x| f32::from_bits(x as u32));
            select(bits[0], bits[1], [x.is_nan(), y.is_nan()], [x < y, y < x], min)
        })
    }

    fn select_doubles(x: &[u128], min: bool) -> Lanes {
        lanes(64, x, |bits| {
            let [x, y] = [bits[0], bits[1]].map(f64::from_bits);
            select(bits[0], bits[1], [x.is_nan(), y.is_nan()], [x < y, y < x], min)
        })
    }

    fn q15_multiply(x: &[u128]) -> Lanes {
        lanes(16, x, |x| {
            let product = (i32::from(x[0] as i16) * i32::from(x[1] as i16) + 0x4000) >> 15;
            two(Bits(product.min(0x7fff) as u64 & 0xffff), Bits(product as u64 & 0xffff))
        })
    }

    /// Lane `index` of the dot product, with signed second operands and with unsigned ones.
    fn dot_lane(x: &[u128], index: usize) -> [i32; 2] {
        [false, true].map(|unsigned| {
            let product = |i: usize| {
                let (x, y) = (lane(x[0], 8, i) as i8, lane(x[1], 8, i) as u8);
                i32::from(x) * if unsigned { i32::from(y) } else { i32::from(y as i8) }
            };
            (product(2 * index) + product(2 * index + 1)).clamp(-0x8000, 0x7fff)
        })
    }

    fn dot(x: &[u128]) -> Lanes {
        let bits = |sum: i32| Bits(sum as u64 & 0xffff);
        (0..8).map(|i| dot_lane(x, i).map(bits)).map(|[a, b]| two(a, b)).collect()
    }

    fn dot_add(x: &[u128]) -> Lanes {
        let sum = |i: usize, choice: usize| {
            let pairs = dot_lane(x, 2 * i)[choice] + dot_lane(x, 2 * i + 1)[choice];
            Bits(u64::from((lane(x[2], 32, i) as u32).wrapping_add(pairs as u32)))
        };
        (0..4).map(|i| two(sum(i, 0), sum(i, 1))).collect()
    }

    const fn row(
        name: &'static str,
        parameter: &'static str,
        arity: usize,
        width: usize,
        result: fn(&[u128]) -> Lanes,
    ) -> Instruction {
        Instruction { name, arity, parameter, widths: (width, width), group: 1, result }
    }

    const INSTRUCTIONS: [Instruction; 20] = [
        row("i8x16.relaxed_swizzle", "swizzle", 2, 8, swizzle),
        row("i32x4.relaxed_trunc_f32x4_s", "trunc_s", 1, 32, |x| truncate_floats(x, true)),
        row("i32x4.relaxed_trunc_f32x4_u", "trunc_u", 1, 32, |x| truncate_floats(x, false)),
        Instruction {
            widths: (64, 32),
            ..row("i32x4.relaxed_trunc_f64x2_s_zero", "trunc_s", 1, 64, |x| {
                truncate_doubles(x, true)
            })
        },
        Instruction {
            widths: (64, 32),
            ..row("i32x4.relaxed_trunc_f64x2_u_zero", "trunc_u", 1, 64, |x| {
                truncate_doubles(x, false)
            })
        },
        row("f32x4.relaxed_madd", "fmadd", 3, 32, |x| multiply_add_floats(x, 1.0)),
        row("f32x4.relaxed_nmadd", "fmadd", 3, 32, |x| multiply_add_floats(x, -1.0)),
        row("f64x2.relaxed_madd", "fmadd", 3, 64, |x| multiply_add_doubles(x, 1.0)),
        row("f64x2.relaxed_nmadd", "fmadd", 3, 64, |x| multiply_add_doubles(x, -1.0)),
        row("i8x16.relaxed_laneselect", "laneselect", 3, 8, |x| lane_select(8, x)),
        row("i16x8.relaxed_laneselect", "laneselect", 3, 16, |x| lane_select(16, x)),
        row("i32x4.relaxed_laneselect", "laneselect", 3, 32, |x| lane_select(32, x)),
        row("i64x2.relaxed_laneselect", "laneselect", 3, 64, |x| lane_select(64, x)),
        row("f32x4.relaxed_min", "fmin", 2, 32, |x| select_floats(x, true)),
        row("f32x4.relaxed_max", "fmax", 2, 32, |x| select_floats(x, false)),
        row("f64x2.relaxed_min", "fmin", 2, 64, |x| select_doubles(x, true)),
        row("f64x2.relaxed_max", "fmax", 2, 64, |x| select_doubles(x, false)),
        row("i16x8.relaxed_q15mulr_s", "iq15mulr", 2, 16, q15_multiply),
        Instruction {
            widths: (8, 16),
            group: 2,
            ..row("i16x8.relaxed_dot_i8x16_i7x16_s", "idot", 2, 8, dot)
        },
        Instruction {
            widths: (8, 32),
            ..row("i32x4.relaxed_dot_i8x16_i7x16_add_s", "idot", 3, 8, dot_add)
        },
    ];

    const BYTES: [u64; 12] = [0, 1, 15, 16, 17, 31, 64, 127, 128, 129, 254, 255];
    const SHORTS: [u64; 9] = [0, 1, 0x3fff, 0x4000, 0x7fff, 0x8000, 0x8001, 0xc000, 0xffff];

    /// Both signs of floats, as bits.
    fn both_signs(positive: &[u64], sign: u32) -> Vec<u64> {
        positive.iter().flat_map(|x| [*x, *x | 1 << sign]).collect()
    }

    fn edges(width: usize) -> Vec<u64> {
        match width {
            8 => BYTES.to_vec(),
            16 => SHORTS.to_vec(),
            32 => {
                let floats = [
                    0.0,
                    f32::from_bits(1),
                    f32::MIN_POSITIVE,
                    0.5,
                    0.99999994,
                    1.0,
                    1.0000001,
                    1.5,
                    std::f32::consts::PI,
                    2147483500.0,
                    2147483600.0,
                    2147483900.0,
                    4294967000.0,
                    4294967300.0,
                    f32::MAX,
                    f32::INFINITY,
                ];
                let mut bits: Vec<_> = floats.map(|x| u64::from(x.to_bits())).to_vec();
                // NaNs: canonical, signaling, with another payload.
                bits.extend([0x7fc0_0000, 0x7f80_0001, 0x7fff_ffff]);
                both_signs(&bits, 31)
            }
            _ => {
                let doubles = [
                    0.0,
                    f64::from_bits(1),
                    f64::MIN_POSITIVE,
                    0.5,
                    0.9999999999999999,
                    1.0,
                    1.0000000000000002,
                    std::f64::consts::PI,
                    2147483647.0,
                    2147483647.9,
                    2147483648.0,
                    2147483649.0,
                    4294967295.9,
                    4294967296.0,
                    1e300,
                    f64::MAX,
                    f64::INFINITY,
                ];
                let mut bits: Vec<_> = doubles.map(f64::to_bits).to_vec();
                bits.extend([0x7ff8_0000_0000_0000, 0x7ff0_0000_0000_0001, u64::MAX >> 1]);
                both_signs(&bits, 63)
            }
        }
    }

    /// Operands whose lanes are all combinations of the edges, and operands that are anything.
    fn operands(instruction: &Instruction) -> Vec<Vec<u128>> {
        let (width, group, arity) = (instruction.widths.0, instruction.group, instruction.arity);
        let edges = edges(width);
        let mut all = Vec::new();
        let mut lanes: Vec<Vec<u64>> = vec![Vec::new(); arity];
        let mut flush = |lanes: &mut Vec<Vec<u64>>| {
            let vector = |lanes: &Vec<u64>| {
                lanes
                    .iter()
                    .rev()
                    .fold(0, |all: u128, lane| all.unbounded_shl(width as u32) | u128::from(*lane))
            };
            all.push(lanes.iter().map(vector).collect());
            lanes.iter_mut().for_each(Vec::clear);
        };
        for tuple in tuples(&edges, arity * group) {
            for (lanes, values) in lanes.iter_mut().zip(tuple.chunks(group)) {
                lanes.extend(values);
            }
            if lanes[0].len() == 128 / width {
                flush(&mut lanes);
            }
        }
        if !lanes[0].is_empty() {
            flush(&mut lanes);
        }
        let mut numbers = Numbers(2);
        all.extend((0..2000).map(|_| (0..arity).map(|_| numbers.next_vector()).collect()));
        all
    }

    /// Which choices explain a result, as bits.
    fn explain(instruction: &Instruction, operands: &[u128], got: u128) -> u8 {
        let width = instruction.widths.1;
        let mut explained = 0b1111;
        for (i, choices) in (instruction.result)(operands).iter().enumerate() {
            for (choice, wanted) in choices.iter().enumerate() {
                if !wanted.allows(lane(got, width, i), width) {
                    explained &= !(1 << choice);
                }
            }
        }
        explained
    }

    fn vector(results: &[Val]) -> u128 {
        let [Val::V128(vector)] = results else { panic!("{results:?}") };
        *vector
    }

    /// Which choices explain all results of an engine, for each parameter.
    fn choices(engine: &Engine) -> BTreeMap<&'static str, u8> {
        let mut all = BTreeMap::new();
        for instruction in &INSTRUCTIONS {
            let params = "v128 ".repeat(instruction.arity);
            let gets: String = (0..instruction.arity).map(|i| format!("(local.get {i})")).collect();
            let text = format!(
                "(module (func (export \"f\") (param {params}) (result v128) ({} {gets})))",
                instruction.name
            );
            let f = instance(engine, &text).func("f").expect("it is exported");
            let explained = all.entry(instruction.parameter).or_insert(0b1111);
            for operands in operands(instruction) {
                let vals: Vec<_> = operands.iter().map(|x| Val::V128(*x)).collect();
                let got = vector(&call(&f, &vals));
                let by = explain(instruction, &operands, got);
                assert_ne!(by, 0, "{} of {operands:x?} is {got:x}", instruction.name);
                *explained &= by;
                let name = instruction.name;
                assert_ne!(*explained, 0, "{name} of {operands:x?}: a choice of its own");
            }
        }
        all
    }

    #[test]
    fn the_machine_chooses_once_for_each_parameter() {
        let chosen = choices(&engine(|_| {}));
        assert_eq!(chosen.len(), 9);
    }

    #[test]
    fn the_deterministic_profile_has_the_first_choice() {
        for baseline in [false, true] {
            let engine = engine(|config| {
                config.relaxed_simd_deterministic(true).baseline_cpu(baseline);
            });
            for (parameter, by) in choices(&engine) {
                assert_eq!(by & 1, 1, "{parameter}");
            }
        }
    }

    #[test]
    fn a_baseline_cpu_has_no_fused_operations() {
        let chosen = choices(&engine(|config| {
            config.baseline_cpu(true);
        }));
        assert_eq!(chosen["fmadd"] & 0b11, 1);
    }

    #[test]
    fn canonical_nans_are_canonical() {
        let engine = engine(|config| {
            config.canonicalize_nans(true);
        });
        let canonical = |x: u64, width| match width {
            32 => !f32::from_bits(x as u32).is_nan() || x == 0x7fc0_0000,
            _ => !f64::from_bits(x).is_nan() || x == 0x7ff8_0000_0000_0000,
        };
        for instruction in INSTRUCTIONS.iter().filter(|row| row.name.starts_with('f')) {
            let params = "v128 ".repeat(instruction.arity);
            let gets: String = (0..instruction.arity).map(|i| format!("(local.get {i})")).collect();
            let name = instruction.name;
            let text = format!(
                "(module (func (export \"f\") (param {params}) (result v128) ({name} {gets})))"
            );
            let f = instance(&engine, &text).func("f").expect("it is exported");
            let width = instruction.widths.1;
            for operands in operands(instruction) {
                let vals: Vec<_> = operands.iter().map(|x| Val::V128(*x)).collect();
                let got = vector(&call(&f, &vals));
                let is_canonical = (0..128 / width).all(|i| canonical(lane(got, width, i), width));
                assert!(is_canonical, "{name} of {operands:x?} is {got:x}");
            }
        }
    }

    /// Where operands are constants, the code generator may compute, with the same result.
    #[test]
    fn known_operands_change_nothing() {
        for deterministic in [false, true] {
            let engine = engine(|config| {
                config.relaxed_simd_deterministic(deterministic);
            });
            for instruction in &INSTRUCTIONS {
                let (name, arity) = (instruction.name, instruction.arity);
                let all = operands(instruction);
                let cases: Vec<_> = all.iter().step_by(all.len().div_ceil(40)).collect();
                let constant = |x: u128| {
                    let [low, high] = [x as u64, (x >> 64) as u64].map(|half| half as i64);
                    format!("(v128.const i64x2 {low} {high})")
                };
                let params = "v128 ".repeat(arity);
                let gets: String = (0..arity).map(|i| format!("(local.get {i})")).collect();
                let mut text = format!(
                    "(module (func (export \"f\") (param {params}) (result v128) ({name} {gets}))"
                );
                for (i, operands) in cases.iter().enumerate() {
                    let constants: String = operands.iter().map(|x| constant(*x)).collect();
                    write!(text, "(func (export \"{i}\") (result v128) ({name} {constants}))")
                        .expect("text grows");
                }
                let instance = instance(&engine, &(text + ")"));
                let f = instance.func("f").expect("it is exported");
                for (i, operands) in cases.iter().enumerate() {
                    let known = instance.func(&i.to_string()).expect("it is exported");
                    let vals: Vec<_> = operands.iter().map(|x| Val::V128(*x)).collect();
                    let (got, wanted) = (vector(&call(&known, &[])), vector(&call(&f, &vals)));
                    assert_eq!(got, wanted, "{name} of {operands:x?}");
                }
            }
        }
    }
}
