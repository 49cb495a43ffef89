//! Branch hints (branch-hinting proposal): the section `metadata.code.branch_hint` says which way
//! branches are likely to go.

use std::collections::HashMap;

use wasmparser::BranchHintSectionReader;

use super::sections::reader;
use crate::wasm::FuncIndex;

/// The name of the section.
pub(super) const SECTION: &str = "metadata.code.branch_hint";

/// What the section says. It never makes a module invalid: one that is malformed says nothing.
#[derive(Debug, Default)]
pub struct BranchHints(HashMap<u32, Box<[BranchHint]>>);

/// Which way a branch is likely to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BranchHint {
    /// Where the branch is, from the start of its function's body: where its locals begin.
    pub offset: u32,
    /// Whether its condition is likely to hold.
    pub likely: bool,
}

impl BranchHints {
    /// Reads a section's contents.
    pub(super) fn parse(section: &[u8]) -> BranchHints {
        BranchHints::read(section).unwrap_or_default()
    }

    fn read(section: &[u8]) -> Option<BranchHints> {
        let mut functions = HashMap::new();
        let mut section = BranchHintSectionReader::new(reader(section)).ok()?.into_iter();
        for function in section.by_ref() {
            let function = function.ok()?;
            let hints = function.hints.into_iter().map(|hint| {
                let hint = hint.ok()?;
                Some(BranchHint { offset: hint.func_offset, likely: hint.taken })
            });
            let hints: Box<[BranchHint]> = hints.collect::<Option<_>>()?;
            if !hints.is_sorted_by(|a, b| a.offset < b.offset) {
                return None;
            }
            if functions.insert(function.func, hints).is_some() {
                return None;
            }
        }
        Some(BranchHints(functions))
    }

    /// The hints for a function, in order of their offsets.
    pub fn of(&self, func: FuncIndex) -> &[BranchHint] {
        self.0.get(&func.as_u32()).map_or(&[], |hints| hints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(section: &[u8]) -> Vec<Vec<(u32, bool)>> {
        let hints = BranchHints::parse(section);
        let of = |func| hints.of(FuncIndex::from_u32(func)).iter();
        (0..3).map(|func| of(func).map(|hint| (hint.offset, hint.likely)).collect()).collect()
    }

    #[test]
    fn sections_say_what_is_likely() {
        let two_functions = [2, 0, 2, 3, 1, 0, 0x80, 1, 1, 1, 2, 1, 5, 1, 1];
        assert_eq!(hints(&two_functions), [vec![(3, false), (128, true)], vec![], vec![(5, true)]]);
    }

    #[test]
    fn malformed_sections_say_nothing() {
        let nothing: Vec<Vec<(u32, bool)>> = vec![vec![]; 3];
        let malformed: [&[u8]; 9] = [
            &[],
            &[1],
            &[1, 0, 1, 3, 1],
            &[1, 0, 1, 3, 2, 0],
            &[1, 0, 1, 3, 1, 2],
            &[1, 0, 1, 3, 1, 0, 9],
            &[1, 0, 2, 3, 1, 0, 3, 1, 1],
            &[2, 0, 1, 3, 1, 0, 0, 1, 3, 1, 0],
            &[1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 3, 1, 0],
        ];
        for section in malformed {
            assert_eq!(hints(section), nothing, "{section:?}");
        }
        // No function can have this number.
        assert_eq!(hints(&[1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 3, 1, 0]), nothing);
    }
}
