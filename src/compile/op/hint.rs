//! Branch hints: what is unlikely to be reached is laid out behind everything else.

use std::collections::HashSet;

use cranelift_codegen::ir::Block;

use crate::compile::function::Translator;
use crate::module::BranchHint;

/// What is known about the likelihood of branches in a function.
#[derive(Default)]
pub(in crate::compile) struct Hints<'a> {
    /// The hints that are still ahead.
    ahead: &'a [BranchHint],
    /// The hint for the current operator.
    here: Option<bool>,
    /// Blocks that nothing leads to so far but unlikely branches.
    unlikely: HashSet<Block>,
    /// The region that is unlikely to be reached and still open.
    cold: Option<Region>,
}

/// What is unlikely to be reached: all blocks from `first` on that are made before fewer than
/// `depth` blocks of the module are open.
struct Region {
    first: usize,
    depth: usize,
}

impl<'a> Hints<'a> {
    pub(in crate::compile) fn new(ahead: &'a [BranchHint]) -> Hints<'a> {
        Hints { ahead, ..Hints::default() }
    }

    /// Goes on to the operator at `offset` from the start of the body.
    pub(in crate::compile) fn advance(&mut self, offset: u32) {
        self.here = None;
        while let [hint, rest @ ..] = self.ahead
            && hint.offset <= offset
        {
            self.here = (hint.offset == offset).then_some(hint.likely);
            self.ahead = rest;
        }
    }

    /// Whether the condition of the current operator is likely to hold, if that is known.
    pub(super) fn here(&self) -> Option<bool> {
        self.here
    }

    /// Notes that an unlikely branch leads to `block`.
    pub(super) fn unlikely(&mut self, block: Block) {
        self.unlikely.insert(block);
    }

    /// Whether [`Hints::unlikely`] has been told of `block`.
    pub(super) fn is_unlikely(&self, block: Block) -> bool {
        self.unlikely.contains(&block)
    }
}

/// Begins a region that is unlikely to be reached, with `block`, in which code goes on. It ends
/// with the innermost block that is open.
pub(super) fn begin_cold(t: &mut Translator, block: Block) {
    t.b.set_cold_block(block);
    let (first, depth) = (t.b.func.dfg.num_blocks(), t.control.len());
    // What is within a region belongs to it: no block is looked at twice, however deep they nest.
    t.hints.cold.get_or_insert(Region { first, depth });
}

/// Ends the region of the block that has just been closed.
pub(super) fn end_cold(t: &mut Translator) {
    let depth = t.control.len();
    if let Some(region) = t.hints.cold.take_if(|region| region.depth > depth) {
        for number in region.first..t.b.func.dfg.num_blocks() {
            t.b.set_cold_block(Block::from_u32(number as u32));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::abi::code::Tier;
    use crate::abi::layout::{ContextLayout, ContextShape, MemoryStyle};
    use crate::compile::{Compiler, Scratch, Settings, Source};
    use crate::module;
    use crate::wasm::{DefinedFuncIndex, Feature, Features};

    /// Where in the code of a module's only function the constants `0x1111…` and `0x2222…` are.
    fn places(text: &str, hints_on: bool) -> [usize; 2] {
        let bytes = wat::parse_str(text).expect("the text is a module");
        let mut features = Features::default();
        features.set(Feature::BranchHinting, hints_on);
        let spread = |n: usize, job: &(dyn Fn(usize) + Sync)| (0..n).for_each(job);
        let info = module::parse(&bytes, features, &spread).expect("the module is valid");
        let settings = Settings {
            signals: true,
            canonicalize_nans: false,
            interruptible: false,
            fuel: false,
            relaxed_simd_deterministic: false,
            baseline_cpu: false,
        };
        let source = Source {
            module: &info,
            bytes: &bytes,
            layout: &ContextLayout::new(ContextShape::default()),
            memories: MemoryStyle::Guarded,
        };
        let compiler = Compiler::new(settings, None).expect("code can be made for this machine");
        let func = DefinedFuncIndex::from_u32(0);
        let function = compiler.function(&mut Scratch::new(), &source, func, Tier::Optimized);
        let code = function.expect("the function can be compiled").bytes;
        [0x11, 0x22].map(|byte| {
            let constant = [byte; 8];
            let place = code.windows(8).position(|window| window == constant);
            place.expect("the constant is in the code")
        })
    }

    fn with_hint(text: &str, hint: &str) -> String {
        let hint = format!("(@metadata.code.branch_hint \"\\0{hint}\")");
        format!("(module (func (param i32 i32) (result i64) {}))", text.replace("HINT", &hint))
    }

    const IF: &str = "HINT (if (result i64) (local.get 0)
        (then (i64.const 0x1111111111111111)) (else (i64.const 0x2222222222222222)))";
    const NESTED: &str = "HINT (if (result i64) (local.get 0)
        (then (if (result i64) (local.get 1)
            (then (i64.const 0x1111111111111111)) (else (i64.const 7))))
        (else (if (result i64) (local.get 1)
            (then (i64.const 0x2222222222222222)) (else (i64.const 8)))))";
    const BR_IF: &str = "(block HINT (br_if 0 (local.get 0))
            (return (i64.const 0x1111111111111111)))
        (i64.const 0x2222222222222222)";

    #[test]
    fn what_is_unlikely_lies_behind_the_rest() {
        // For each: the hint that has the first constant come first, and the other.
        for (text, first, second) in [(IF, 1, 0), (NESTED, 1, 0), (BR_IF, 0, 1)] {
            let [one, two] = places(&with_hint(text, &first.to_string()), true);
            assert!(one < two, "{text} with {first}: {one} {two}");
            let [one, two] = places(&with_hint(text, &second.to_string()), true);
            assert!(two < one, "{text} with {second}: {one} {two}");
        }
    }

    #[test]
    fn without_the_feature_hints_change_nothing() {
        for text in [IF, NESTED, BR_IF] {
            let plain = places(&with_hint(text, "0").replace("@metadata", "@nothing"), true);
            for hint in ["0", "1"] {
                assert_eq!(places(&with_hint(text, hint), false), plain, "{text}");
            }
        }
    }
}
