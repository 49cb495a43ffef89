//! Calls that catch what `longjmp` and C++ exceptions unwind: the functions `invoke_…`.

use super::State;
use super::call::{Call, call};
use crate::engine::{Error, Extern, Func, FuncType, Store, Trap, Val, ValType};
use std::rc::Rc;

/// Names for what the guest's stack pointer is read with.
const STACK_SAVE: &[&str] = &["stackSave", "emscripten_stack_get_current"];
/// Names for what the guest's stack pointer is set with.
const STACK_RESTORE: &[&str] = &["stackRestore", "_emscripten_stack_restore"];
/// The table that function pointers are indices of.
const TABLE: &str = "__indirect_function_table";

/// What a call catches: the data of the trap that `longjmp` and exceptions unwind with.
struct Unwinding;

/// The trap that unwinds to the next catching call, and says `message` if there is none.
pub(super) fn unwind(message: impl Into<String>) -> Trap {
    Trap::with_data(message, Unwinding)
}

/// The function `invoke_…` of this type: it calls the element of the function table that the first
/// argument says, with the others.
pub(super) fn function(
    store: &Store,
    state: &Rc<State>,
    name: &str,
    ty: &FuncType,
) -> Option<Result<Func, Error>> {
    if !name.starts_with("invoke_") || ty.params().first() != Some(&ValType::I32) {
        return None;
    }
    let state = state.clone();
    Some(Func::new(store, ty.clone(), move |caller, args, results| {
        let call = Call { caller, state: &state };
        let Some((Val::I32(index), args)) = args.split_first() else {
            return Err(Trap::new("a function is called without its arguments"));
        };
        let stack = call.call(STACK_SAVE, &[])?;
        match invoke(&call, index.cast_unsigned(), args, results) {
            Err(trap) if trap.data::<Unwinding>().is_some() => {
                // What the frames that are gone have had there is free again.
                call.call(STACK_RESTORE, &[stack])?;
                call.call(&["setThrew"], &[1, 0])?;
                Ok(())
            }
            outcome => outcome,
        }
    }))
}

fn invoke(call: &Call, index: u32, args: &[Val], results: &mut [Val]) -> Result<(), Trap> {
    let func = call.element(index)?;
    let args = joined(func.ty().params(), args)?;
    let values = self::call(&func, &args)?;
    match (results, values.as_slice()) {
        ([Val::I32(result)], [Val::I64(value)]) => {
            call.set_temp_ret((value >> 32) as u32)?;
            *result = *value as i32;
        }
        (results, values) => {
            for (result, value) in results.iter_mut().zip(values) {
                *result = value.clone();
            }
        }
    }
    Ok(())
}

/// Arguments for parameters of these types: a 64-bit integer may have come as two halves.
fn joined(params: &[ValType], args: &[Val]) -> Result<Vec<Val>, Trap> {
    let mut args = args.iter();
    let mut next = || args.next().cloned().ok_or_else(|| Trap::new("an argument is missing"));
    let join = |param: &ValType| match (param, next()?) {
        (ValType::I64, Val::I32(low)) => match next()? {
            Val::I32(high) => Ok(Val::I64(i64::from(high) << 32 | i64::from(low.cast_unsigned()))),
            _ => Err(Trap::new("half an argument is missing")),
        },
        (_, value) => Ok(value),
    };
    params.iter().map(join).collect()
}

impl Call<'_> {
    /// A function of the guest's table.
    pub(super) fn element(&self, index: u32) -> Result<Func, Trap> {
        let Some(Extern::Table(table)) = self.instance()?.export(TABLE) else {
            return Err(Trap::new(format!("the module exports no table `{TABLE}`")));
        };
        match table.get(index as usize) {
            Some(Val::FuncRef(Some(func))) => Ok(func),
            _ => Err(Trap::new(format!("the function table has no function at {index}"))),
        }
    }
}

pub(super) fn _emscripten_throw_longjmp(_: &Call) -> Result<(), Trap> {
    Err(unwind("longjmp to a function that has returned"))
}

/// Calls the handler of a signal.
pub(super) fn __call_sighandler(call: &Call, handler: u32, signal: u32) -> Result<(), Trap> {
    call.call_element(handler, &[Val::I32(signal.cast_signed())]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_become_whole() {
        let params = [ValType::I32, ValType::I64, ValType::F64, ValType::I64];
        let args = [Val::I32(1), Val::I32(-2), Val::I32(3), Val::F64(0.5), Val::I64(-4)];
        let whole = [Val::I32(1), Val::I64(0x3_ffff_fffe), Val::F64(0.5), Val::I64(-4)];
        let joined_args = joined(&params, &args).expect("all halves are there");
        assert_eq!(format!("{joined_args:?}"), format!("{whole:?}"));
        assert!(joined(&params, &args[..2]).is_err());
    }
}
