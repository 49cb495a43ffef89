//! Which functions a function is likely to call: what is worth compiling ahead.
//!
//! All that is known is the function's body. A call on which few conditions bear is likelier than
//! one that many bear on; one after which nothing comes ends the program, which is rare.

use std::collections::HashSet;

use wasmparser::{BinaryReader, FunctionBody, Operator, Result};

use super::Source;
use crate::wasm::{DefinedFuncIndex, FuncIndex};

/// On how many conditions a call may depend that is likely to happen.
const MOST_CONDITIONS: usize = 4;

/// The functions of the module that this one is likely to call directly, the likeliest first, each
/// once.
pub fn callees(source: &Source, func: DefinedFuncIndex) -> Vec<DefinedFuncIndex> {
    let body = FunctionBody::new(BinaryReader::new(source.body(func).1, 0));
    let mut seen = Seen::default();
    // Bodies are valid. Were one not, there would be fewer guesses.
    let _ = seen.body(&body);
    seen.calls.sort_by_key(|(conditions, _)| *conditions);
    let mut once = HashSet::new();
    let all = seen.calls.iter().filter_map(|(_, callee)| source.module.defined_func(*callee));
    all.filter(|callee| once.insert(*callee)).collect()
}

/// What has been seen of a body.
#[derive(Default)]
struct Seen {
    open: Vec<Block>,
    /// How many of the open blocks are conditional.
    conditions: usize,
    /// Calls that are likely, and on how many conditions they depend.
    calls: Vec<(usize, FuncIndex)>,
}

/// A block that is open, or the body.
#[derive(Default)]
struct Block {
    is_loop: bool,
    /// Whether it depends on a condition if what comes next in it happens.
    is_conditional: bool,
}

impl Seen {
    fn body(&mut self, body: &FunctionBody) -> Result<()> {
        self.open.push(Block::default());
        let mut reader = body.get_operators_reader()?;
        let mut after_call = false;
        while !reader.eof() {
            let operator = reader.read()?;
            match &operator {
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    if self.conditions <= MOST_CONDITIONS {
                        self.calls.push((self.conditions, FuncIndex::from_u32(*function_index)));
                        after_call = true;
                        continue;
                    }
                }
                Operator::Unreachable if after_call => {
                    self.calls.pop();
                }
                _ => self.operator(&operator)?,
            }
            after_call = false;
        }
        Ok(())
    }

    fn operator(&mut self, operator: &Operator) -> Result<()> {
        match operator {
            Operator::Block { .. } | Operator::TryTable { .. } | Operator::Try { .. } => {
                self.open.push(Block::default());
            }
            Operator::Loop { .. } => {
                self.open.push(Block { is_loop: true, is_conditional: false });
            }
            Operator::If { .. } => {
                self.open.push(Block::default());
                self.condition(0);
            }
            Operator::Catch { .. } | Operator::CatchAll => self.condition(0),
            Operator::End | Operator::Delegate { .. } => {
                let block = self.open.pop();
                self.conditions -= usize::from(block.is_some_and(|block| block.is_conditional));
            }
            Operator::BrTable { targets } => {
                self.condition(targets.default());
                for target in targets.targets() {
                    self.condition(target?);
                }
            }
            Operator::Br { relative_depth }
            | Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth }
            | Operator::BrOnCast { relative_depth, .. }
            | Operator::BrOnCastFail { relative_depth, .. } => self.condition(*relative_depth),
            _ => {}
        }
        Ok(())
    }

    /// Notes that a branch may leave out the rest of the block that `depth` others enclose.
    fn condition(&mut self, depth: u32) {
        let index = self.open.len().checked_sub(depth as usize + 1);
        if let Some(block) = index.map(|index| &mut self.open[index])
            && !block.is_loop
            && !block.is_conditional
        {
            block.is_conditional = true;
            self.conditions += 1;
        }
    }
}
