//! Locals: where they live, and how they come into being.

use cranelift_codegen::ir::{
    Block, InstBuilder, StackSlot, StackSlotData, StackSlotKind, Type, Value,
};
use cranelift_frontend::Variable;
use wasmparser::FunctionBody;

use super::env::{POINTER, clif_type};
use super::function::{Translator, malformed, value_type};
use super::{CompileError, Source};
use crate::wasm::{FuncType, ValType};

/// Where a local lives.
#[derive(Clone, Copy)]
pub(super) enum Local {
    Variable(Variable),
    /// A place in the memory for locals that has values of this type.
    Slot(i32, Type),
}

/// The types of the function's locals, its parameters first.
pub(super) fn locals(
    source: &Source,
    ty: &FuncType,
    body: &FunctionBody,
) -> Result<Vec<ValType>, CompileError> {
    let mut locals = ty.params().to_vec();
    for group in body.get_locals_reader().map_err(malformed)? {
        let (count, ty) = group.map_err(malformed)?;
        let ty = value_type(source, ty)?;
        locals.resize(locals.len() + count as usize, ty);
    }
    Ok(locals)
}

/// Declares the locals, of which the parameters are those of the block after the context.
pub(super) fn declare_locals(
    t: &mut Translator,
    locals: &[ValType],
    beginning: Block,
    in_memory: bool,
) {
    let (places, size) = memory_places(t, locals);
    if in_memory {
        let data = StackSlotData::new(StackSlotKind::ExplicitSlot, size, 4);
        t.memory = (Some(t.b.create_sized_stack_slot(data)), size);
    }
    let params = t.b.block_params(beginning)[1..].to_vec();
    let mut zero = None;
    for (i, (ty, (place, clif))) in locals.iter().zip(&places).enumerate() {
        let value = params.get(i).copied().or(zero.filter(|zero| t.type_of(*zero) == *clif));
        let value = value.unwrap_or_else(|| {
            let value = t.zero(*clif);
            zero = Some(value);
            value
        });
        t.declare_local(*ty, value, *place);
    }
    t.places = places;
}

/// Where each local is in memory, if it is to be there, its type, and how much memory all take.
fn memory_places(t: &Translator, locals: &[ValType]) -> (Vec<(Option<i32>, Type)>, u32) {
    let mut size: u32 = 0;
    let places = locals.iter().map(|ty| {
        let clif = clif_type(*ty);
        if t.is_tracked(*ty) {
            return (None, clif);
        }
        let place = size.next_multiple_of(clif.bytes());
        size = place + clif.bytes();
        (Some(place as i32), clif)
    });
    let places = places.collect();
    (places, size)
}

impl Translator<'_, '_> {
    /// Adds a local that has this value, at a place in memory if there is memory for locals.
    /// References that the collector has to find stay in variables.
    fn declare_local(&mut self, ty: ValType, value: Value, place: Option<i32>) {
        let tracked = self.is_tracked(ty);
        let ty = clif_type(ty);
        let local = if let (Some(_), Some(place)) = (self.memory.0, place) {
            Local::Slot(place, ty)
        } else {
            let variable = self.b.declare_var(ty);
            if tracked {
                self.has_tracked = true;
                self.b.declare_var_needs_stack_map(variable);
            }
            Local::Variable(variable)
        };
        self.locals.push(local);
        self.set_local(self.locals.len() as u32 - 1, value);
    }

    /// Whether a local is a variable.
    pub(super) fn is_variable(&self, local: u32) -> bool {
        matches!(self.locals[local as usize], Local::Variable(_))
    }

    fn memory(&self) -> StackSlot {
        self.memory.0.expect("there is memory for locals that are in memory")
    }

    /// The value of a local.
    pub(super) fn local(&mut self, index: u32) -> Value {
        match self.locals[index as usize] {
            Local::Variable(variable) => self.b.use_var(variable),
            Local::Slot(place, ty) => {
                let memory = self.memory();
                self.b.ins().stack_load(POINTER, ty, memory, place)
            }
        }
    }

    /// Gives a local a value; a vector has its canonical type.
    pub(super) fn set_local(&mut self, index: u32, value: Value) {
        match self.locals[index as usize] {
            Local::Variable(variable) => self.b.def_var(variable, value),
            Local::Slot(place, _) => {
                let memory = self.memory();
                self.b.ins().stack_store(POINTER, value, memory, place);
            }
        }
    }
}
