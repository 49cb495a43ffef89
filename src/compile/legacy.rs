//! What has to be known of a legacy `try` before its body is translated: its clauses.

use std::collections::VecDeque;

use wasmparser::{FunctionBody, Operator};

use super::CompileError;
use crate::wasm::TagIndex;

/// The clauses of a `try`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Clauses {
    /// For each, the tag it catches, none for all, and whether something in it throws again what
    /// it has caught.
    pub(super) catches: Vec<(Option<TagIndex>, bool)>,
    /// The label that the `try` delegates to instead.
    pub(super) delegate: Option<u32>,
}

/// The clauses of every `try` of a valid body, in the order of the `try`s.
pub(super) fn clauses(body: &FunctionBody) -> Result<VecDeque<Clauses>, CompileError> {
    let mut found: VecDeque<Clauses> = VecDeque::new();
    // The open blocks; for each that is a `try`, its number.
    let mut open = vec![None];
    let mut reader = body.get_operators_reader().map_err(super::function::malformed)?;
    while !reader.eof() {
        let operator = reader.read().map_err(super::function::malformed)?;
        let innermost = open.last().copied().flatten();
        let mut catch = |tag| {
            if let Some(number) = innermost {
                found[number].catches.push((tag, false));
            }
        };
        match operator {
            Operator::Try { .. } => {
                open.push(Some(found.len()));
                found.push_back(Clauses::default());
            }
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. } => open.push(None),
            Operator::Catch { tag_index } => catch(Some(TagIndex::from_u32(tag_index))),
            Operator::CatchAll => catch(None),
            Operator::Delegate { relative_depth } => {
                if let Some(number) = innermost {
                    found[number].delegate = Some(relative_depth);
                }
                open.pop();
            }
            Operator::End => {
                open.pop();
            }
            Operator::Rethrow { relative_depth } => {
                let target = open.iter().rev().nth(relative_depth as usize).copied().flatten();
                let clause = target.and_then(|number| found[number].catches.last_mut());
                if let Some((_, rethrown)) = clause {
                    *rethrown = true;
                }
            }
            _ => {}
        }
    }
    Ok(found)
}
