//! Functions that ask too much of the code generator.
//!
//! What it does to make code good takes time with the square of what a function has: of the loops
//! around a place, of the blocks, of the values that live at the same time. Functions that people
//! write stay far below the bounds here. Beyond them, code is made plainly: in time and memory that
//! grow with the function's size.

use wasmparser::{FunctionBody, Operator, Result};

/// Bytes of a body.
const MOST_BYTES: usize = 128 << 10;

/// Branches, and blocks that may be branched to.
const MOST_JUMPS: usize = 10_000;

/// Loops around a place.
const DEEPEST_LOOP: usize = 64;

/// Values of locals that jumps may have to carry, were each to carry all.
const MOST_JOINS: usize = 2 << 20;

/// Blocks between branches and where they go, over all branches. Dominators are found by walking
/// them, also for plain code; this many take some seconds.
const LONGEST_WALK: usize = 1 << 30;

/// Values on the operand stack.
pub(super) const MOST_VALUES: usize = 1000;

/// Bodies up to this size are not looked at.
const LIGHT: usize = 512;

/// How a function is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Effort {
    /// Whether the code is not optimized.
    pub(super) plain: bool,
    /// Whether locals live in memory: then no jump carries them.
    pub(super) locals_in_memory: bool,
    /// Whether the function cannot be compiled in any reasonable time.
    pub(super) too_much: bool,
}

const LITTLE: Effort = Effort { plain: false, locals_in_memory: false, too_much: false };

/// How the function with this body is to be compiled; `params` is the number of its parameters.
///
/// # Errors
///
/// When the body is malformed.
pub(super) fn weigh(body: &FunctionBody, params: usize) -> Result<Effort> {
    let bytes = (body.range().end - body.range().start) as usize;
    if bytes <= LIGHT {
        return Ok(LITTLE);
    }
    let mut locals = params;
    for group in body.get_locals_reader()? {
        locals += group?.0 as usize;
    }
    let mut seen = Seen::default();
    let mut reader = body.get_operators_reader()?;
    while !reader.eof() {
        seen.operator(&reader.read()?)?;
    }
    let locals_in_memory = seen.jumps.saturating_mul(locals) > MOST_JOINS;
    let plain = locals_in_memory
        || bytes > MOST_BYTES
        || seen.jumps > MOST_JUMPS
        || seen.deepest > DEEPEST_LOOP;
    Ok(Effort { plain, locals_in_memory, too_much: seen.walk > LONGEST_WALK })
}

/// What has been seen of a body.
#[derive(Default)]
struct Seen {
    jumps: usize,
    /// The loops that are open, and the most that were.
    loops: usize,
    deepest: usize,
    walk: usize,
    /// For each open block whether it is a loop, and the jumps before it.
    open: Vec<(bool, usize)>,
}

impl Seen {
    fn operator(&mut self, operator: &Operator) -> Result<()> {
        match operator {
            Operator::Loop { .. } => {
                self.begin(true);
                self.loops += 1;
                self.deepest = self.deepest.max(self.loops);
            }
            Operator::Block { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. }
            | Operator::Try { .. } => self.begin(false),
            Operator::End => {
                if let Some((true, _)) = self.open.pop() {
                    self.loops -= 1;
                }
            }
            Operator::BrTable { targets } => {
                self.jump(targets.default());
                for target in targets.targets() {
                    self.jump(target?);
                }
            }
            Operator::Br { relative_depth }
            | Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth }
            | Operator::BrOnCast { relative_depth, .. }
            | Operator::BrOnCastFail { relative_depth, .. } => self.jump(*relative_depth),
            Operator::Else | Operator::Catch { .. } | Operator::CatchAll => self.jumps += 1,
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, is_loop: bool) {
        self.open.push((is_loop, self.jumps));
        self.jumps += 1;
    }

    fn jump(&mut self, depth: u32) {
        self.jumps += 1;
        let target = self.open.len().checked_sub(depth as usize + 1);
        let before = target.map_or(0, |index| self.open[index].1);
        self.walk = self.walk.saturating_add(self.jumps - before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::{BinaryReader, FunctionBody};

    fn effort(code: &[u8], locals: &[u8]) -> Effort {
        let bytes = [locals, code, &[0x0b]].concat();
        let body = FunctionBody::new(BinaryReader::new(&bytes, 0));
        weigh(&body, 1).expect("the body is well-formed")
    }

    #[test]
    fn ordinary_functions_are_optimized() {
        let nop = [0x01];
        let plain = effort(&nop.repeat(1000), &[0]);
        assert_eq!(plain, LITTLE);
        let loops = [[0x03, 0x40].repeat(20), [0x0b].repeat(20), nop.repeat(600)].concat();
        assert!(!effort(&loops, &[0]).plain);
    }

    #[test]
    fn heavy_functions_are_not() {
        assert!(effort(&[0x01].repeat(MOST_BYTES + 1), &[0]).plain);
        let loops = [[0x03, 0x40].repeat(400), [0x0b].repeat(400)].concat();
        assert!(effort(&loops, &[0]).plain, "loops in loops");
        let blocks = [0x02, 0x40, 0x0b].repeat(MOST_JUMPS + 1);
        assert!(effort(&blocks, &[0]).plain, "blocks");
        let blocks = [0x02, 0x40, 0x0b].repeat(3000);
        let locals = effort(&blocks, &[1, 0xe8, 0x07, 0x7f]);
        assert!(locals.plain && locals.locals_in_memory && !locals.too_much, "1000 locals");
    }

    #[test]
    fn branches_that_lead_far_are_too_much() {
        let far = |count: usize| effort(&[0x41, 0x00, 0x0d, 0x00].repeat(count), &[0]);
        assert!(!far(40_000).too_much);
        assert!(far(50_000).too_much);
        let near = [0x02, 0x40, 0x41, 0x00, 0x0d, 0x00, 0x0b].repeat(50_000);
        assert!(!effort(&near, &[0]).too_much);
    }
}
