//! Loops that count: how often they turn at most, and so between which bounds what they count lies,
//! is known where they begin. Compilers produce such loops for arrays of constant size. What is
//! counted becomes a number of 64 bits, a [`Counter`], which is a part of addresses as it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::Variable;
use wasmparser::{FunctionBody, Operator, Result};

use super::function::Translator;
use super::known::{self, Counter, Extension, Range};
use super::local::Local;

/// The loops of a function, by their positions.
pub(super) type Loops = HashMap<usize, Loop>;

/// What a loop does with locals.
pub(super) struct Loop {
    /// The position of its end.
    ends: usize,
    /// Those that are written in it.
    written: BTreeSet<u32>,
    counting: Option<Counting>,
}

/// What a loop counts. There is one branch to its beginning; it compares a local that it has just
/// counted.
struct Counting {
    steps: Vec<Step>,
    /// Which of the steps is compared.
    compared: usize,
    until: Until,
}

/// The only place in a loop at which a local is written, by adding a constant to it, and not in a
/// loop inside.
#[derive(Clone, Copy)]
struct Step {
    local: u32,
    by: i64,
    /// The position of the `local.set` or `local.tee`.
    at: usize,
}

/// The comparison under which a loop goes on.
#[derive(Clone, Copy)]
enum Until {
    Not(i32),
    LessSigned(i32),
    LessUnsigned(i32),
}

impl Until {
    /// How often a loop turns that counts from `first`, if that is known.
    fn turns(self, first: i64, by: i64) -> Option<i64> {
        let (bound, least) = match self {
            Until::Not(bound) => {
                let distance = i64::from(bound) - first;
                let ends = by != 0 && distance % by == 0 && distance / by >= 1;
                return ends.then(|| distance / by);
            }
            Until::LessSigned(bound) => (bound, i32::MIN.into()),
            // Without sign the same, as long as all numbers are positive.
            Until::LessUnsigned(bound) => (bound, 0),
        };
        if by <= 0 || i64::from(bound) < least || first + by < least {
            return None;
        }
        let turns = ((i64::from(bound) - first + by - 1) / by).max(1);
        (first + turns * by <= i32::MAX.into()).then_some(turns)
    }
}

/// What of the operators just before is of interest.
#[derive(Clone, Copy)]
enum Before {
    Get(u32),
    Constant(i32),
    Add,
    Tee(u32, usize),
    NotEqual,
    LessSigned,
    LessUnsigned,
    Other,
}

/// Loops in each other of which is known what they write.
const MOST_NESTED: usize = 16;

/// Counted locals of which is remembered in inner loops that those leave them as they are.
const MOST_KEPT: usize = 32;

/// A loop that is open.
struct Open {
    begins: usize,
    /// The locals that are written in it, and how, if they are counted.
    written: BTreeMap<u32, Option<Step>>,
    /// Whether it has too many loops inside for knowing that.
    too_deep: bool,
    branches: usize,
    /// The local that the last branch has compared, and where it was counted.
    compared: Option<(u32, usize, Until)>,
}

/// Finds the loops that may count.
///
/// # Errors
///
/// When the body is malformed.
pub(super) fn find(body: &FunctionBody) -> Result<Loops> {
    let mut loops = Loops::new();
    let mut open: Vec<Open> = Vec::new();
    // For each open block, the number of the loop that it is.
    let mut blocks: Vec<Option<usize>> = Vec::new();
    let mut before = [Before::Other; 3];
    let mut reader = body.get_operators_reader()?;
    while !reader.eof() {
        let (operator, at) = reader.read_with_offset()?;
        let at = at as usize;
        match &operator {
            Operator::Block { .. } | Operator::If { .. } => blocks.push(None),
            Operator::Loop { .. } => {
                blocks.push(Some(open.len()));
                open.push(Open::new(at));
            }
            Operator::End => {
                if let Some(Some(_)) = blocks.pop()
                    && let Some(done) = open.pop()
                {
                    let depth = open.len();
                    if let Some(outer) = open.last_mut() {
                        outer.contains(&done, depth);
                    }
                    if !done.too_deep {
                        loops.insert(done.begins, done.into_loop(at));
                    }
                }
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                let step = match before {
                    [Before::Get(local), Before::Constant(by), Before::Add]
                        if local == *local_index =>
                    {
                        Some(Step { local, by: by.into(), at })
                    }
                    _ => None,
                };
                if let Some(inner) = open.last_mut() {
                    inner.write(*local_index, step);
                }
            }
            Operator::Br { relative_depth } => branch(&mut open, &blocks, *relative_depth, None),
            Operator::BrIf { relative_depth } => {
                branch(&mut open, &blocks, *relative_depth, compared(before));
            }
            Operator::BrTable { targets } => {
                for depth in targets.targets().chain([Ok(targets.default())]) {
                    branch(&mut open, &blocks, depth?, None);
                }
            }
            // These branch in ways of their own.
            Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
            | Operator::BrOnCast { .. }
            | Operator::BrOnCastFail { .. }
            | Operator::TryTable { .. }
            | Operator::Try { .. } => return Ok(Loops::new()),
            _ => {}
        }
        before = [before[1], before[2], Before::of(&operator, at)];
    }
    Ok(loops)
}

impl Before {
    fn of(operator: &Operator, at: usize) -> Before {
        match operator {
            Operator::LocalGet { local_index } => Before::Get(*local_index),
            Operator::LocalTee { local_index } => Before::Tee(*local_index, at),
            Operator::I32Const { value } => Before::Constant(*value),
            Operator::I32Add => Before::Add,
            Operator::I32Ne => Before::NotEqual,
            Operator::I32LtS => Before::LessSigned,
            Operator::I32LtU => Before::LessUnsigned,
            _ => Before::Other,
        }
    }
}

/// What a `br_if` after these operators compares.
fn compared(before: [Before; 3]) -> Option<(u32, usize, Until)> {
    match before {
        [_, _, Before::Tee(local, at)] => Some((local, at, Until::Not(0))),
        [Before::Tee(local, at), Before::Constant(bound), comparison] => {
            let until = match comparison {
                Before::NotEqual => Until::Not(bound),
                Before::LessSigned => Until::LessSigned(bound),
                Before::LessUnsigned => Until::LessUnsigned(bound),
                _ => return None,
            };
            Some((local, at, until))
        }
        _ => None,
    }
}

fn branch(
    open: &mut [Open],
    blocks: &[Option<usize>],
    depth: u32,
    compared: Option<(u32, usize, Until)>,
) {
    let target = blocks.len().checked_sub(depth as usize + 1).and_then(|index| blocks[index]);
    if let Some(target) = target {
        open[target].branches += 1;
        open[target].compared = compared;
    }
}

impl Open {
    fn new(begins: usize) -> Open {
        Open { begins, written: BTreeMap::new(), too_deep: false, branches: 0, compared: None }
    }

    /// Takes over what is known of a loop inside.
    fn contains(&mut self, inner: &Open, depth: usize) {
        self.too_deep |= inner.too_deep || depth > MOST_NESTED;
        if !self.too_deep {
            // What a loop counts is written many times in the loop around it.
            inner.written.keys().for_each(|local| self.write(*local, None));
        }
    }

    fn write(&mut self, local: u32, step: Option<Step>) {
        self.written.entry(local).and_modify(|step| *step = None).or_insert(step);
    }

    fn into_loop(self, ends: usize) -> Loop {
        let counting = self.counting();
        Loop { ends, written: self.written.into_keys().collect(), counting }
    }

    fn counting(&self) -> Option<Counting> {
        let (local, at, until) = self.compared.filter(|_| self.branches == 1)?;
        let mut steps: Vec<Step> = self.written.values().copied().flatten().collect();
        steps.sort_by_key(|step| step.at);
        let compared = steps.iter().position(|step| (step.local, step.at) == (local, at))?;
        Some(Counting { steps, compared, until })
    }
}

/// What is to be done where the turns of a loop begin.
#[derive(Default)]
pub(super) struct Begun {
    counted: Vec<(Step, Variable, Range)>,
    /// Counted locals that the loop leaves as they are, and their values.
    kept: Vec<(u32, Value)>,
}

impl Begun {
    /// Makes the counters of the loop's locals where code takes over in it.
    pub(super) fn take_over(&self, t: &mut Translator) {
        for (step, variable, range) in &self.counted {
            let value = t.local(step.local);
            let number = match range.extension() {
                Some(Extension::Unsigned) => t.b.ins().uextend(types::I64, value),
                Some(Extension::Signed) => t.b.ins().sextend(types::I64, value),
                None => unreachable!("such locals are not counted"),
            };
            t.b.def_var(*variable, number);
        }
    }
}

/// How a local is counted at some place.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    variable: Variable,
    by: i64,
    /// What is counted, before it is.
    counter: Counter,
}

/// Makes counters of what the loop at the current position counts, before it is entered.
pub(super) fn begin(t: &mut Translator) -> Begun {
    let mut begun = Begun::default();
    let Some(Loop { ends, written, counting }) = t.loops.remove(&t.position) else { return begun };
    // A loop in the middle of which this code takes over does not always begin here.
    let taken_over = t.take_over.as_ref().map(|take_over| take_over.at);
    if taken_over.is_some_and(|at| t.position < at && at < ends) {
        return begun;
    }
    // What is known of a value would be forgotten if it could be another one in the next turn.
    let kept = t.counted_locals.iter().filter(|local| !written.contains(local));
    let kept: Vec<u32> = kept.copied().collect();
    begun.kept = kept.into_iter().map(|local| (local, t.local(local))).collect();
    let Some(Counting { steps, compared, until }) = counting else { return begun };
    let Step { local, by, .. } = steps[compared];
    let first = t.local(local);
    let first = known::constant(t, first).map(|first| i64::from(first as i32));
    let Some(turns) = first.and_then(|first| until.turns(first, by)) else { return begun };
    for step in steps {
        let Local::Variable(_) = t.locals[step.local as usize] else { continue };
        let value = t.local(step.local);
        let Some(range) = known::range(t, value) else { continue };
        let Some(way) = step.by.checked_mul(turns - 1) else { continue };
        let Some(range) = range.widened(way) else { continue };
        if taken_over == Some(t.position) && range.extension().is_none() {
            continue;
        }
        let number = known::number(t, value);
        let variable = t.b.declare_var(types::I64);
        t.b.def_var(variable, number);
        begun.counted.push((step, variable, range));
    }
    begun
}

/// Lets counters be the locals, where turns begin.
pub(super) fn turn(t: &mut Translator, begun: Begun) {
    for (local, value) in begun.kept {
        t.set_local(local, value);
    }
    for (Step { local, by, at }, variable, range) in begun.counted {
        let counter = Counter { range, loops: t.control.len() };
        t.counted.insert(at, Counted { variable, by, counter });
        if t.counted_locals.len() < MOST_KEPT {
            t.counted_locals.push(local);
        }
        set(t, local, variable, counter);
    }
}

/// Counts on, if the current position is where the local is counted.
pub(super) fn step(t: &mut Translator, local: u32) -> bool {
    let Some(Counted { variable, by, mut counter }) = t.counted.remove(&t.position) else {
        return false;
    };
    let number = t.b.use_var(variable);
    let next = t.b.ins().iadd_imm_s(number, by);
    t.b.def_var(variable, next);
    counter.range = counter.range.moved(by);
    set(t, local, variable, counter);
    true
}

/// Ends a loop around which `counted_locals` locals were counted.
pub(super) fn end(t: &mut Translator, counted_locals: usize) {
    t.counted_locals.truncate(counted_locals);
}

fn set(t: &mut Translator, local: u32, variable: Variable, counter: Counter) {
    let number = t.b.use_var(variable);
    t.counters.insert(number, counter);
    let value = t.b.ins().ireduce(types::I32, number);
    t.set_local(local, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::BinaryReader;

    #[test]
    fn turns_are_known_where_a_number_is_reached() {
        assert_eq!(Until::Not(0).turns(-64, 8), Some(8));
        assert_eq!(Until::Not(-5).turns(65535, -5), Some(13108));
        assert_eq!(Until::Not(0).turns(-63, 8), None, "it is passed by");
        assert_eq!(Until::Not(0).turns(8, 8), None, "it is behind");
        assert_eq!(Until::Not(8).turns(8, 8), None, "only after all numbers");
        assert_eq!(Until::Not(8).turns(0, 0), None);
    }

    #[test]
    fn turns_are_known_where_a_number_is_passed() {
        assert_eq!(Until::LessUnsigned(10).turns(-3, 3), Some(5));
        assert_eq!(Until::LessUnsigned(10).turns(100, 3), Some(1), "the bound is behind");
        assert_eq!(Until::LessUnsigned(10).turns(-30, 3), None, "below zero is large");
        assert_eq!(Until::LessUnsigned(-10).turns(0, 3), None, "a bound that is large");
        assert_eq!(Until::LessSigned(10).turns(-30, 3), Some(14));
        assert_eq!(Until::LessSigned(10).turns(0, -3), None);
        assert_eq!(Until::LessSigned(i32::MAX).turns(0, 2), None, "it may go round");
    }

    fn find(code: &[u8]) -> Loops {
        let bytes = [&[0][..], code, &[0x0b]].concat();
        let body = FunctionBody::new(BinaryReader::new(&bytes, 0));
        super::find(&body).expect("the body is well-formed")
    }

    /// `loop`, `local.get 0`, `i32.const 8`, `i32.add`, `local.tee 0`, `br_if 0`, `end`.
    const COUNTS: [u8; 12] = [0x03, 0x40, 0x20, 0, 0x41, 8, 0x6a, 0x22, 0, 0x0d, 0, 0x0b];

    #[test]
    fn loops_count_what_they_write_once() {
        let loops = find(&COUNTS);
        let counting = loops[&1].counting.as_ref().expect("it counts");
        assert_eq!((counting.steps.len(), counting.steps[0].by), (1, 8));
        let around = [&[0x03, 0x40][..], &COUNTS, &COUNTS[2..]].concat();
        let loops = find(&around);
        assert!(loops[&3].counting.is_some());
        assert!(loops[&1].counting.is_none(), "what the inner loop counts is written often");
        let twice = [&COUNTS[..2], &[0x41, 0, 0x21, 0], &COUNTS[2..]].concat();
        assert!(find(&twice)[&1].counting.is_none());
        let branches = [&COUNTS[..2], &[0x41, 0, 0x0d, 0], &COUNTS[2..]].concat();
        assert!(find(&branches)[&1].counting.is_none());
    }

    #[test]
    fn loops_around_many_others_are_left_out() {
        let loops = [[0x03, 0x40].repeat(60), COUNTS.to_vec(), [0x0b].repeat(60)].concat();
        let loops = find(&loops);
        assert!(loops.contains_key(&121) && !loops.contains_key(&1));
    }
}
