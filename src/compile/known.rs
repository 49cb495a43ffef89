//! What is known of integers from the instructions that make them, and how addresses are made of
//! them.
//!
//! A 32-bit index is added to the base of a memory as a number of 64 bits. Where the sum that makes
//! the index cannot overflow 32 bits, its parts are added one by one: instructions have room for a
//! constant and a multiple, and what a loop does not change need not be added in it.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Inst, InstBuilder, InstructionData, Opcode, Value, ValueDef, types};

use super::function::Translator;

/// How many instructions back values are looked at.
const DEPTH: u32 = 5;

/// Multiples of numbers that are looked at, as the logarithm.
const MOST_SHIFTED: u64 = 8;

/// Numbers beyond are not reasoned about, so that sums of few of them have 64 bits.
const LARGEST: i64 = 1 << 40;

/// A number of 64 bits that a loop counts, of which the program has the lowest 32 bits.
#[derive(Clone, Copy)]
pub(super) struct Counter {
    pub(super) range: Range,
    /// How many loops are around the one that counts it.
    pub(super) loops: usize,
}

/// What a number lies between. It is congruent, modulo 2^32, to the 32-bit value it stands for.
#[derive(Clone, Copy)]
pub(super) struct Range {
    low: i64,
    high: i64,
    /// Whether a counter is a part of it.
    counts: bool,
}

impl Range {
    /// A range, unless it has numbers that are too large.
    fn new(low: i64, high: i64, counts: bool) -> Option<Range> {
        (-LARGEST <= low && high <= LARGEST).then_some(Range { low, high, counts })
    }

    /// What is counted from a number of this range, if all steps together go `way`.
    pub(super) fn widened(self, way: i64) -> Option<Range> {
        Range::new(self.low.checked_add(way.min(0))?, self.high.checked_add(way.max(0))?, true)
    }

    /// The range of the sum with `by`, which has 32 bits.
    pub(super) fn moved(self, by: i64) -> Range {
        Range { low: self.low + by, high: self.high + by, ..self }
    }

    /// How a number of the range comes from the 32-bit value it stands for, if there is one way.
    pub(super) fn extension(self) -> Option<Extension> {
        if self.is_exact() {
            Some(Extension::Unsigned)
        } else if i64::from(i32::MIN) <= self.low && self.high <= i32::MAX.into() {
            Some(Extension::Signed)
        } else {
            None
        }
    }

    /// Whether all numbers of the range are 32-bit values themselves.
    fn is_exact(self) -> bool {
        0 <= self.low && self.high <= u32::MAX.into()
    }
}

/// How a number of 64 bits is made of one of 32.
pub(super) enum Extension {
    Unsigned,
    Signed,
}

/// The number that an index is: terms, those of outer loops first, and a constant.
#[derive(Default)]
pub(super) struct Sum {
    terms: Vec<(usize, Value)>,
    pub(super) offset: i64,
}

impl Sum {
    /// `base` with the terms, but without the constant.
    pub(super) fn added_to(mut self, t: &mut Translator, base: Value) -> Value {
        self.terms.sort_by_key(|(loops, _)| *loops);
        self.terms.iter().fold(base, |sum, (_, term)| t.b.ins().iadd(sum, *term))
    }
}

/// How a 32-bit value is made.
enum Shape {
    Counter(Value),
    Constant(i64),
    Sum(Value, Value),
    Shifted(Value, u32),
    Other,
}

/// The instruction that makes the value.
fn maker(t: &Translator, value: Value) -> Option<(Inst, InstructionData)> {
    let dfg = &t.b.func.dfg;
    match dfg.value_def(dfg.resolve_aliases(value)) {
        ValueDef::Result(inst, 0) => Some((inst, dfg.insts[inst])),
        _ => None,
    }
}

/// The value as a constant, without sign.
pub(super) fn constant(t: &Translator, value: Value) -> Option<u64> {
    match maker(t, value)?.1 {
        InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
            Some(imm.bits() as u64 & all_ones(t, value))
        }
        _ => None,
    }
}

/// Whether `value` is made as the lowest bit of `of` that is set: `of & (0 - of)`.
pub(super) fn is_lowest_bit(t: &Translator, value: Value, of: Value) -> bool {
    let resolve = |value| t.b.func.dfg.resolve_aliases(value);
    let is_negative = |value| match maker(t, value) {
        Some((_, InstructionData::Binary { opcode: Opcode::Isub, args: [zero, x] })) => {
            resolve(x) == resolve(of) && constant(t, zero) == Some(0)
        }
        _ => false,
    };
    match maker(t, value) {
        Some((_, InstructionData::Binary { opcode: Opcode::Band, args: [x, y] })) => {
            resolve(x) == resolve(of) && is_negative(y)
                || resolve(y) == resolve(of) && is_negative(x)
        }
        _ => false,
    }
}

/// The largest number that the value's type has.
fn all_ones(t: &Translator, value: Value) -> u64 {
    u64::MAX >> (64 - t.type_of(value).bits().min(64))
}

fn counter(t: &Translator, value: Value) -> Option<Counter> {
    t.counters.get(&t.b.func.dfg.resolve_aliases(value)).copied()
}

/// A number that the value, without sign, is at most.
fn most(t: &Translator, value: Value, depth: u32) -> u64 {
    let all = all_ones(t, value);
    let Some((_, made)) = maker(t, value).filter(|_| depth > 0) else { return all };
    let of = |value| most(t, value, depth - 1);
    let most = match made {
        InstructionData::UnaryImm { .. } => constant(t, value).unwrap_or(all),
        InstructionData::Binary { opcode, args: [x, y] } => match opcode {
            Opcode::Band => of(x).min(of(y)),
            // Neither sets a bit above the highest one of both.
            Opcode::Bor | Opcode::Bxor => {
                u64::MAX.checked_shr((of(x) | of(y)).leading_zeros()).unwrap_or(0)
            }
            Opcode::Iadd => of(x).saturating_add(of(y)),
            Opcode::Ushr => match constant(t, y) {
                Some(by) if by < u64::from(t.type_of(x).bits()) => of(x) >> by,
                _ => all,
            },
            Opcode::Ishl => match constant(t, y) {
                Some(by) if by < 32 && of(x) <= u32::MAX.into() => of(x) << by,
                _ => all,
            },
            _ => all,
        },
        InstructionData::Load { opcode: Opcode::Uload8, .. } => u8::MAX.into(),
        InstructionData::Load { opcode: Opcode::Uload16, .. } => u16::MAX.into(),
        InstructionData::Load { opcode: Opcode::Uload32, .. } => u32::MAX.into(),
        InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Ireduce, arg } => of(arg),
        _ => all,
    };
    // What exceeds the type has lost bits.
    if most <= all { most } else { all }
}

fn shape(t: &Translator, value: Value, depth: u32) -> Shape {
    let Some((_, made)) = maker(t, value).filter(|_| depth > 0) else { return Shape::Other };
    match made {
        InstructionData::Unary { opcode: Opcode::Ireduce, arg } if counter(t, arg).is_some() => {
            Shape::Counter(arg)
        }
        InstructionData::Binary { opcode: Opcode::Iadd, args: [x, y] } => Shape::Sum(x, y),
        InstructionData::Binary { opcode: Opcode::Ishl, args: [x, y] } => match constant(t, y) {
            Some(by @ 0..=MOST_SHIFTED) => Shape::Shifted(x, by as u32),
            _ => Shape::Other,
        },
        _ => constant(t, value).map_or(Shape::Other, |c| Shape::Constant((c as i32).into())),
    }
}

/// What a 32-bit value lies between, if much is known of it.
pub(super) fn range(t: &Translator, value: Value) -> Option<Range> {
    range_within(t, value, DEPTH)
}

fn range_within(t: &Translator, value: Value, depth: u32) -> Option<Range> {
    match shape(t, value, depth) {
        Shape::Counter(wide) => Some(counter(t, wide)?.range),
        Shape::Constant(constant) => Range::new(constant, constant, false),
        Shape::Sum(x, y) => {
            let (x, y) = (range_within(t, x, depth - 1)?, range_within(t, y, depth - 1)?);
            Range::new(x.low + y.low, x.high + y.high, x.counts || y.counts)
        }
        Shape::Shifted(x, by) => {
            let x = range_within(t, x, depth - 1)?;
            let shifted = |number: i64| number.checked_mul(1 << by);
            Range::new(shifted(x.low)?, shifted(x.high)?, x.counts)
        }
        Shape::Other => {
            let most = most(t, value, DEPTH);
            (most <= i32::MAX as u64).then_some(Range { low: 0, high: most as i64, counts: false })
        }
    }
}

/// The index, a 32-bit value, as a sum.
pub(super) fn sum(t: &mut Translator, index: Value) -> Sum {
    let mut sum = Sum::default();
    if range(t, index).is_some_and(Range::is_exact) {
        add(t, &mut sum, index, 0, DEPTH);
    } else {
        let wide = widen(t, index);
        sum.terms.push((usize::MAX, wide));
    }
    sum
}

/// A 32-bit value of which something is known as a number that is congruent to it.
pub(super) fn number(t: &mut Translator, value: Value) -> Value {
    let mut sum = Sum::default();
    add(t, &mut sum, value, 0, DEPTH);
    let offset = t.b.ins().iconst(types::I64, sum.offset);
    sum.added_to(t, offset)
}

/// Adds a value, of which something is known, times 2^`by`.
fn add(t: &mut Translator, sum: &mut Sum, value: Value, by: u32, depth: u32) {
    let range = range_within(t, value, depth);
    let counts = range.is_some_and(|range| range.counts);
    let is_exact = range.is_some_and(Range::is_exact);
    match shape(t, value, depth) {
        Shape::Counter(wide) => {
            let loops = counter(t, wide).map_or(usize::MAX, |counter| counter.loops);
            add_term(t, sum, loops, wide, by);
        }
        Shape::Constant(constant) => sum.offset = sum.offset.wrapping_add(constant << by),
        Shape::Sum(x, y)
            if counts || !is_exact || constant(t, x).is_some() || constant(t, y).is_some() =>
        {
            add(t, sum, x, by, depth - 1);
            add(t, sum, y, by, depth - 1);
        }
        Shape::Shifted(x, more) if counts || !is_exact || by + more <= 3 => {
            add(t, sum, x, by + more, depth - 1);
        }
        _ => {
            let wide = widen(t, value);
            add_term(t, sum, usize::MAX, wide, by);
        }
    }
}

fn add_term(t: &mut Translator, sum: &mut Sum, loops: usize, wide: Value, by: u32) {
    let scaled = if by == 0 { wide } else { t.b.ins().ishl_imm_u(wide, i64::from(by)) };
    sum.terms.push((loops, scaled));
}

/// A 32-bit value, 64 bits wide, with zeros above.
pub(super) fn zero_extended(t: &mut Translator, value: Value) -> Value {
    match range(t, value) {
        Some(range) if range.counts && range.is_exact() => number(t, value),
        _ => widen(t, value),
    }
}

/// A 32-bit value with zeros above.
fn widen(t: &mut Translator, value: Value) -> Value {
    widen_load(t, value);
    match maker(t, value) {
        Some((_, InstructionData::Unary { opcode: Opcode::Ireduce, arg }))
            if t.type_of(arg) == types::I64 && most(t, arg, DEPTH) <= u32::MAX.into() =>
        {
            arg
        }
        _ => t.b.ins().uextend(types::I64, value),
    }
}

/// Turns the load that makes a 32-bit value into one that has 64 bits already.
fn widen_load(t: &mut Translator, value: Value) {
    let Some((inst, InstructionData::Load { opcode, flags, arg, offset })) = maker(t, value) else {
        return;
    };
    let opcode = match opcode {
        Opcode::Load if t.type_of(value) == types::I32 => Opcode::Uload32,
        Opcode::Uload8 | Opcode::Uload16 => opcode,
        _ => return,
    };
    let srcloc = t.b.func.srcloc(inst);
    let mut cursor = FuncCursor::new(t.b.func).at_inst(inst).with_srcloc(srcloc);
    let (wide, dfg) = cursor.ins().Load(opcode, types::I64, flags, offset, arg);
    let wide = dfg.first_result(wide);
    dfg.insts[inst] = InstructionData::Unary { opcode: Opcode::Ireduce, arg: wide };
}
