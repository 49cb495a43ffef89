//! Generated functions that hold references wherever a function can hold them while objects move: in
//! locals, on the operand stack, in parameters and results of blocks, loops and calls, over branches,
//! in the frames of callers. Each is compared with the same program on a model.

use std::fmt::Write;

use tenon::{Func, FuncType, Linker, Val, ValType};

use super::{MODES, Mode, Numbers, call, func, instance, is_exhausted, module, number};

/// Local references of a function.
const LOCALS: u32 = 5;

/// What a program is made of. Locals hold boxes: objects with a number in them.
enum Step {
    /// A new box.
    New { to: u32, value: i32 },
    /// The same box.
    Copy { to: u32, from: u32 },
    /// Adds to the number in a box.
    Add { to: u32, value: i32 },
    /// The sum, times 31, plus the number in a box.
    Sum { from: u32 },
    /// As `Sum`, by way of the operand stack: a reference waits on it while the steps run.
    Hold { from: u32, steps: Vec<Step> },
    /// One of two boxes, by the lowest bit of the sum; a select with a type.
    Select { to: u32, a: u32, b: u32 },
    /// A block that gets two references and returns them in exchange after the steps.
    Block { a: u32, b: u32, steps: Vec<Step> },
    /// A loop, with a reference as its parameter.
    Loop { carried: u32, times: u32, steps: Vec<Step> },
    /// If the lowest bit of the sum is set.
    If { then: Vec<Step>, otherwise: Vec<Step> },
    /// A `br_table` by the sum; each of the cases takes a reference along.
    Switch { to: u32, from: u32, cases: [Vec<Step>; 2] },
    /// A call of another function with two references, which returns two.
    Call { func: u32, a: u32, b: u32 },
    /// A call of the host, which returns what it gets.
    Host { to: u32, from: u32 },
    /// Through a table of anything, and a cast.
    Table { to: u32, from: u32 },
    /// To the outside and back.
    Outside { to: u32, from: u32 },
    /// A branch that is taken with a reference which is not null.
    BranchOn { to: u32, from: u32, steps: Vec<Step> },
    /// An array of references, made of two of them, and one read again.
    Array { to: u32, a: u32, b: u32 },
}

struct Program {
    funcs: Vec<Vec<Step>>,
}

fn steps(numbers: &mut Numbers, func: u32, depth: u32, count: u32) -> Vec<Step> {
    (0..count).map(|_| step(numbers, func, depth)).collect()
}

fn step(numbers: &mut Numbers, func: u32, depth: u32) -> Step {
    let (to, from, a, b) = (
        numbers.below(LOCALS),
        numbers.below(LOCALS),
        numbers.below(LOCALS),
        numbers.below(LOCALS),
    );
    let value = numbers.below(1000) as i32;
    let simple = 11;
    let choice = numbers.below(if depth == 0 { simple } else { simple + 6 });
    let nested = |numbers: &mut Numbers| {
        let count = 1 + numbers.below(3);
        steps(numbers, func, depth - 1, count)
    };
    match choice {
        0 | 1 => Step::New { to, value },
        2 => Step::Copy { to, from },
        3 => Step::Add { to, value },
        4 => Step::Sum { from },
        5 => Step::Select { to, a, b },
        6 => Step::Host { to, from },
        7 => Step::Table { to, from },
        8 => Step::Outside { to, from },
        9 => Step::Array { to, a, b },
        10 if func > 0 => Step::Call { func: numbers.below(func), a, b },
        10 => Step::Sum { from },
        11 => Step::Hold { from, steps: nested(numbers) },
        12 => Step::Block { a, b, steps: nested(numbers) },
        13 => {
            let times = 1 + numbers.below(3);
            Step::Loop { carried: from, times, steps: nested(numbers) }
        }
        14 => Step::If { then: nested(numbers), otherwise: nested(numbers) },
        15 => Step::Switch { to, from, cases: [nested(numbers), nested(numbers)] },
        _ => Step::BranchOn { to, from, steps: nested(numbers) },
    }
}

/// The text of a module with the program's functions.
fn text(program: &Program) -> String {
    let mut text = String::from(
        r#"(module
  (type $box (struct (field (mut i32))))
  (type $boxes (array (mut (ref null $box))))
  (type $two (func (param (ref null $box) (ref null $box))
    (result (ref null $box) (ref null $box))))
  (import "host" "same" (func $same (param anyref) (result anyref)))
  (table $any 3 anyref)
  (global $sum (mut i32) (i32.const 0))
  (func (export "sum") (result i32) (global.get $sum))
  (func (export "reset") (global.set $sum (i32.const 0)))
"#,
    );
    let last = program.funcs.len() - 1;
    for (index, steps) in program.funcs.iter().enumerate() {
        let _ = write!(text, "  (func $f{index} (type $two)");
        for local in 2..LOCALS {
            let _ = write!(text, " (local ${local} (ref null $box))");
        }
        text.push_str(" (local $n0 i32) (local $n1 i32) (local $n2 i32)\n");
        text.push_str("    (local $n3 i32)\n");
        write_steps(&mut text, steps, 0);
        text.push_str("    (local.get 0) (local.get 1))\n");
    }
    let _ = write!(
        text,
        r#"  (func (export "run") (param i32 i32) (result i32)
    (call $f{last} (struct.new $box (local.get 0)) (struct.new $box (local.get 1)))
    (drop) (struct.get $box 0)))"#
    );
    text
}

/// The value of a box that is never null: every local is set first thing.
fn get(local: u32) -> String {
    format!("(ref.as_non_null (local.get {local}))")
}

const SUM: &str = "(global.set $sum (i32.add (i32.mul (global.get $sum) (i32.const 31))";

fn write_steps(text: &mut String, steps: &[Step], depth: u32) {
    for step in steps {
        write_step(text, step, depth);
    }
}

fn write_step(text: &mut String, step: &Step, depth: u32) {
    let t = text;
    let _ = match step {
        Step::New { to, value } => {
            writeln!(t, "(local.set {to} (struct.new $box (i32.const {value})))")
        }
        Step::Copy { to, from } => writeln!(t, "(local.set {to} (local.get {from}))"),
        Step::Add { to, value } => writeln!(
            t,
            "(struct.set $box 0 (local.get {to}) (i32.add (i32.const {value}) (struct.get $box 0 (local.get {to}))))"
        ),
        Step::Sum { from } => writeln!(t, "{SUM} (struct.get $box 0 {})))", get(*from)),
        Step::Hold { from, steps } => {
            let _ = writeln!(t, "(local.get {from})");
            write_steps(t, steps, depth);
            writeln!(
                t,
                "(struct.get $box 0) (i32.mul (global.get $sum) (i32.const 31)) (i32.add) (global.set $sum)"
            )
        }
        Step::Select { to, a, b } => writeln!(
            t,
            "(local.set {to} (select (result (ref null $box)) (local.get {a}) (local.get {b}) (i32.and (global.get $sum) (i32.const 1))))"
        ),
        Step::Block { a, b, steps } => {
            let _ = writeln!(t, "(local.get {a}) (local.get {b}) (block (type $two)");
            write_steps(t, steps, depth);
            // What came first is set last: they change places.
            writeln!(t, ") (local.set {a}) (local.set {b})")
        }
        Step::Loop { carried, times, steps } => {
            let _ = writeln!(
                t,
                "(local.set $n{depth} (i32.const {times})) (local.get {carried}) (loop (param (ref null $box)) (result (ref null $box))"
            );
            write_steps(t, steps, depth + 1);
            writeln!(
                t,
                "(br_if 0 (local.tee $n{depth} (i32.sub (local.get $n{depth}) (i32.const 1))))) (local.set {carried})"
            )
        }
        Step::If { then, otherwise } => {
            let _ = writeln!(t, "(if (i32.and (global.get $sum) (i32.const 1)) (then");
            write_steps(t, then, depth);
            let _ = writeln!(t, ") (else");
            write_steps(t, otherwise, depth);
            writeln!(t, "))")
        }
        Step::Switch { to, from, cases } => {
            let _ = writeln!(
                t,
                "(block $end (result (ref null $box)) (block $one (result (ref null $box)) (block $zero (result (ref null $box)) (local.get {from}) (br_table $zero $one $end (i32.rem_u (global.get $sum) (i32.const 3))))"
            );
            write_steps(t, &cases[0], depth);
            let _ = writeln!(t, "(br $end))");
            write_steps(t, &cases[1], depth);
            writeln!(t, ") (local.set {to})")
        }
        Step::Call { func, a, b } => writeln!(
            t,
            "(call $f{func} (local.get {a}) (local.get {b})) (local.set {b}) (local.set {a})"
        ),
        Step::Host { to, from } => writeln!(
            t,
            "(local.set {to} (ref.cast (ref null $box) (call $same (local.get {from}))))"
        ),
        Step::Table { to, from } => writeln!(
            t,
            "(table.set $any (i32.const 1) (local.get {from})) (drop (struct.new $box (i32.const 0))) (local.set {to} (ref.cast (ref null $box) (table.get $any (i32.const 1))))"
        ),
        Step::Outside { to, from } => writeln!(
            t,
            "(extern.convert_any (local.get {from})) (drop (struct.new $box (i32.const 0))) (any.convert_extern) (ref.cast (ref null $box)) (local.set {to})"
        ),
        Step::BranchOn { to, from, steps } => {
            let _ = writeln!(t, "(block $some (result (ref $box)) (local.get {from})");
            write_steps(t, steps, depth);
            writeln!(t, "(br_on_non_null $some) (unreachable)) (local.set {to})")
        }
        Step::Array { to, a, b } => writeln!(
            t,
            "(local.set {to} (array.get $boxes (array.new_fixed $boxes 2 (local.get {a}) (local.get {b})) (i32.and (global.get $sum) (i32.const 1))))"
        ),
    };
}

/// The same on numbers: a box is an index into all boxes.
struct Model<'p> {
    program: &'p Program,
    boxes: Vec<i32>,
    sum: i32,
}

type Locals = [usize; LOCALS as usize];

impl Model<'_> {
    fn call(&mut self, func: usize, a: usize, b: usize) -> (usize, usize) {
        let mut locals = [a, b, a, a, a];
        self.run(&self.program.funcs[func], &mut locals);
        (locals[0], locals[1])
    }

    fn add(&mut self, of: usize) {
        self.sum = self.sum.wrapping_mul(31).wrapping_add(self.boxes[of]);
    }

    fn run(&mut self, steps: &[Step], l: &mut Locals) {
        for step in steps {
            let odd = self.sum & 1 == 1;
            match step {
                Step::New { to, value } => {
                    l[*to as usize] = self.boxes.len();
                    self.boxes.push(*value);
                }
                Step::Copy { to, from }
                | Step::Host { to, from }
                | Step::Table { to, from }
                | Step::Outside { to, from } => l[*to as usize] = l[*from as usize],
                Step::Add { to, value } => {
                    let number = &mut self.boxes[l[*to as usize]];
                    *number = number.wrapping_add(*value);
                }
                Step::Sum { from } => self.add(l[*from as usize]),
                Step::Hold { from, steps } => {
                    let held = l[*from as usize];
                    self.run(steps, l);
                    self.add(held);
                }
                Step::Select { to, a, b } => {
                    l[*to as usize] = l[if odd { *a } else { *b } as usize]
                }
                Step::Array { to, a, b } => l[*to as usize] = l[if odd { *b } else { *a } as usize],
                Step::Block { a, b, steps } => {
                    let (x, y) = (l[*a as usize], l[*b as usize]);
                    self.run(steps, l);
                    l[*a as usize] = y;
                    l[*b as usize] = x;
                }
                Step::Loop { carried, times, steps } => {
                    let held = l[*carried as usize];
                    for _ in 0..*times {
                        self.run(steps, l);
                    }
                    l[*carried as usize] = held;
                }
                Step::If { then, otherwise } => self.run(if odd { then } else { otherwise }, l),
                Step::Switch { to, from, cases } => {
                    let held = l[*from as usize];
                    if let Some(case) = cases.get((self.sum as u32 % 3) as usize) {
                        self.run(case, l);
                    }
                    l[*to as usize] = held;
                }
                Step::Call { func, a, b } => {
                    let (x, y) = self.call(*func as usize, l[*a as usize], l[*b as usize]);
                    // The last result is set first.
                    l[*b as usize] = y;
                    l[*a as usize] = x;
                }
                Step::BranchOn { to, from, steps } => {
                    let held = l[*from as usize];
                    self.run(steps, l);
                    l[*to as usize] = held;
                }
            }
        }
    }
}

fn programs_do_what_their_models_do(mode: Mode, seed: u64) {
    let mut numbers = Numbers(seed);
    let funcs = (0..4).map(|func| {
        // Locals that have not been set are the first parameter, so that none is null.
        let mut all: Vec<Step> = (2..LOCALS).map(|to| Step::Copy { to, from: 0 }).collect();
        let count = 5 + numbers.below(6);
        all.extend(steps(&mut numbers, func, 3, count));
        all
    });
    let program = Program { funcs: funcs.collect() };
    let text = text(&program);
    let store = mode.store();
    let garbage = super::bytes_type(&store);
    let any = FuncType::new([ValType::ANYREF], [ValType::ANYREF]);
    let same = Func::new(&store, any, move |caller, args, results| {
        let store = caller.store();
        // Whatever is not kept by handles and frames is overwritten.
        let made = tenon::Object::new_array(&store, &garbage, &[Val::I32(0x55)]);
        assert!(made.is_ok() || is_exhausted(&made));
        store.collect();
        results[0] = args[0].clone();
        Ok(())
    });
    let mut linker = Linker::new(&store);
    linker.define("host", "same", same.expect("it can be made"));
    let guest = linker.instantiate(&module(&store, &text)).expect("it can be instantiated");
    assert!(store.collections() == 0, "nothing has run yet");
    let mut model = Model { program: &program, boxes: Vec::new(), sum: 0 };
    for round in 0..3 {
        let (x, y) = (round, 77);
        model.boxes = vec![x, y];
        let (first, _) = model.call(3, 0, 1);
        let got = number(&call(&func(&guest, "run"), &[Val::I32(x), Val::I32(y)]));
        let sum = number(&call(&func(&guest, "sum"), &[]));
        assert_eq!((got, sum), (model.boxes[first], model.sum), "{mode:?}, seed {seed}:\n{text}");
    }
    assert!(store.collections() > 0 || !mode.always);
}

#[test]
fn in_all_modes() {
    for (index, mode) in MODES.into_iter().enumerate() {
        for seed in 0..40 {
            programs_do_what_their_models_do(mode, seed * 101 + index as u64);
        }
    }
}

/// Every frame of a deep recursion holds references of its own, also over calls by reference and by
/// table, and finds them again on the way back.
#[test]
fn deep_frames_keep_their_references() {
    const GUEST: &str = r#"(module
      (type $box (struct (field i32) (field (ref null $box))))
      (type $f (func (param i32 (ref null $box)) (result i32)))
      (table funcref (elem $down))
      (func $down (export "down") (type $f)
        (local $a (ref $box)) (local $b (ref null $box)) (local $r i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
        (local.set $a (struct.new $box (local.get 0) (local.get 1)))
        (local.set $b (struct.new $box (i32.mul (local.get 0) (i32.const 3)) (local.get $a)))
        (local.set $r (call_indirect (type $f)
          (i32.sub (local.get 0) (i32.const 1)) (local.get $b) (i32.const 0)))
        (drop (struct.new $box (i32.const 0) (ref.null $box)))
        (if (i32.ne (struct.get $box 0 (local.get $a)) (local.get 0)) (then (unreachable)))
        (if (i32.eqz (ref.eq (struct.get $box 1 (local.get $b)) (local.get $a)))
          (then (unreachable)))
        (if (i32.eqz (ref.eq (struct.get $box 1 (local.get $a)) (local.get 1)))
          (then (unreachable)))
        (i32.add (local.get $r) (struct.get $box 0 (local.get $b)))))"#;
    for mode in MODES {
        let store = mode.store();
        let down = func(&instance(&store, GUEST), "down");
        // Collecting at each allocation looks at all frames each time.
        let depth: i32 = if mode.always { 300 } else { 4000 };
        let sum = number(&call(&down, &[Val::I32(depth), Val::AnyRef(None)]));
        assert_eq!(sum, 3 * depth * (depth + 1) / 2);
    }
}
