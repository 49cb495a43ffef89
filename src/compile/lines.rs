//! Where in the lines of the cache a function is put best.
//!
//! Processors fetch decoded instructions line by line, and a short loop is faster the fewer lines it
//! is spread over. The code generator aligns functions, not loops; so a function begins where its
//! innermost loops happen to lie well.

use cranelift_codegen::CompiledCode;

use crate::abi::image::{ALIGN, LINE};

/// Bytes from where what a loop costs does not depend on its place.
const LARGE: usize = 4 * LINE;

/// How many loops around a loop count.
const MOST_DEPTH: u32 = 6;

/// How many times more often a loop runs for each of them.
const TURNS: u64 = 4;

/// Bytes after the beginning of a line where the function begins best, if it matters.
pub(super) fn place(code: &CompiledCode) -> Option<u8> {
    let innermost = innermost(&loops(code));
    if innermost.is_empty() {
        return None;
    }
    let cost = |place: &usize| -> u64 {
        let lines = |(start, end, depth): &(usize, usize, u32)| {
            let (start, end) = (place + start, place + end);
            let too_many = end.div_ceil(LINE) - start / LINE - (end - start).div_ceil(LINE);
            // One line more is worse for a loop of few.
            let share = too_many * LARGE / (end - start).next_multiple_of(LINE);
            TURNS.pow(*depth) * share as u64
        };
        innermost.iter().map(lines).sum()
    };
    // The first of the best, so that where nothing matters functions are placed alike.
    let places = [1, 2, 0, 3].map(|n| n * ALIGN);
    places.into_iter().min_by_key(cost).map(|place| place as u8)
}

/// Where loops begin and end, ascending by their beginnings.
fn loops(code: &CompiledCode) -> Vec<(usize, usize)> {
    let end_of = |block: u32| {
        let next = code.bb_starts.partition_point(|start| *start <= block);
        code.bb_starts.get(next).map_or(code.buffer.data().len(), |end| *end as usize)
    };
    let backwards = code.bb_edges.iter().filter(|(from, to)| to <= from);
    let mut loops: Vec<_> = backwards.map(|(from, to)| (*to as usize, end_of(*from))).collect();
    loops.sort();
    // Of several ways back to one beginning the last.
    loops.reverse();
    loops.dedup_by_key(|(start, _)| *start);
    loops.reverse();
    loops
}

/// Small loops that have no others in them: beginning, end, and the number of loops around them.
fn innermost(loops: &[(usize, usize)]) -> Vec<(usize, usize, u32)> {
    let mut found = Vec::new();
    let mut around: Vec<usize> = Vec::new();
    for (i, &(start, end)) in loops.iter().enumerate() {
        around.retain(|end| *end > start);
        let has_others = loops.get(i + 1).is_some_and(|(next, _)| *next < end);
        if !has_others && end - start <= LARGE {
            found.push((start, end, (around.len() as u32).min(MOST_DEPTH)));
        }
        around.push(end);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn innermost_loops_are_those_without_others() {
        let loops = [(10, 200), (20, 60), (30, 50), (70, 90), (300, 310), (400, 4000)];
        assert_eq!(innermost(&loops), [(30, 50, 2), (70, 90, 1), (300, 310, 0)]);
    }
}
