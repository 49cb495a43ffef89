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
}

/// How the function with this body is to be compiled; `params` is the number of its parameters.
///
/// # Errors
///
/// When the body is malformed.
pub(super) fn weigh(body: &FunctionBody, params: usize) -> Result<Effort> {
    let bytes = (body.range().end - body.range().start) as usize;
    if bytes <= LIGHT {
        return Ok(Effort { plain: false, locals_in_memory: false });
    }
    let mut locals = params;
    for group in body.get_locals_reader()? {
        locals += group?.0 as usize;
    }
    let (mut jumps, mut loops, mut deepest) = (0, 0, 0);
    // Whether each block that is open is a loop.
    let mut open = Vec::new();
    let mut reader = body.get_operators_reader()?;
    while !reader.eof() {
        match reader.read()? {
            Operator::Loop { .. } => {
                open.push(true);
                loops += 1;
                deepest = deepest.max(loops);
                jumps += 1;
            }
            Operator::Block { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. }
            | Operator::Try { .. } => {
                open.push(false);
                jumps += 1;
            }
            Operator::End => loops -= usize::from(open.pop() == Some(true)),
            Operator::BrTable { targets } => jumps += targets.len() as usize + 1,
            Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
            | Operator::BrOnCast { .. }
            | Operator::BrOnCastFail { .. }
            | Operator::Else
            | Operator::Catch { .. }
            | Operator::CatchAll => jumps += 1,
            _ => {}
        }
    }
    let locals_in_memory = jumps.saturating_mul(locals) > MOST_JOINS;
    let plain =
        locals_in_memory || bytes > MOST_BYTES || jumps > MOST_JUMPS || deepest > DEEPEST_LOOP;
    Ok(Effort { plain, locals_in_memory })
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
        assert_eq!(plain, Effort { plain: false, locals_in_memory: false });
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
        assert_eq!(locals, Effort { plain: true, locals_in_memory: true }, "1000 locals");
    }
}
