//! Arguments and results of single functions, as text.

use tenon::{Func, Instance, Val, ValType};

use crate::{Failure, print};

/// Calls the exported function `name` with arguments in text, and prints its results, one a line.
pub fn invoke(instance: &Instance, name: &str, args: &[String]) -> Result<(), Failure> {
    let Some(func) = instance.func(name) else {
        return Err(Failure::from(format!("the module exports no function named `{name}`")));
    };
    let args = arguments(&func, args)?;
    if let Some(initialize) = instance.func("_initialize") {
        initialize.call(&[])?;
    }
    func.call(&args)?.iter().try_for_each(|result| print(text(result) + "\n"))
}

/// Arguments for a function, each of its parameter's type.
fn arguments(func: &Func, args: &[String]) -> Result<Vec<Val>, Failure> {
    let params = func.ty().params();
    if params.len() != args.len() {
        let message = format!("the function is {}; got {} arguments", func.ty(), args.len());
        return Err(Failure::from(message));
    }
    params.iter().zip(args).map(|(ty, arg)| argument(*ty, arg)).collect()
}

fn argument(ty: ValType, arg: &str) -> Result<Val, Failure> {
    let value = match ty {
        ValType::I32 => integer(arg).and_then(|value| {
            let unsigned = u32::try_from(value).map(u32::cast_signed);
            unsigned.or_else(|_| i32::try_from(value)).ok().map(Val::I32)
        }),
        ValType::I64 => integer(arg).and_then(|value| {
            let unsigned = u64::try_from(value).map(u64::cast_signed);
            unsigned.or_else(|_| i64::try_from(value)).ok().map(Val::I64)
        }),
        ValType::F32 => arg.parse().ok().map(Val::F32),
        ValType::F64 => arg.parse().ok().map(Val::F64),
        ValType::V128 => natural(arg).map(Val::V128),
        ValType::Ref(_) if arg == "null" => Some(Val::default(ty)),
        ValType::Ref(_) => None,
    };
    value.ok_or_else(|| Failure::from(format!("`{arg}` is no value of type {ty}")))
}

/// A decimal integer, or a hexadecimal one after `0x`.
fn integer(arg: &str) -> Option<i128> {
    match arg.strip_prefix('-') {
        Some(digits) => i128::try_from(natural(digits)?).ok()?.checked_neg(),
        None => natural(arg)?.try_into().ok(),
    }
}

/// An integer without a sign.
fn natural(digits: &str) -> Option<u128> {
    let (digits, radix) = digits.strip_prefix("0x").map_or((digits, 10), |digits| (digits, 16));
    // Rust would take a sign here.
    if digits.starts_with('+') { None } else { u128::from_str_radix(digits, radix).ok() }
}

fn text(value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(value) => value.to_string(),
        Val::F64(value) => value.to_string(),
        Val::V128(value) => format!("{value:#034x}"),
        Val::FuncRef(None) | Val::ExternRef(None) | Val::AnyRef(None) | Val::ExnRef(None) => {
            "null".to_owned()
        }
        Val::FuncRef(Some(func)) => format!("funcref {}", func.ty()),
        Val::ExternRef(Some(_)) => "externref".to_owned(),
        Val::AnyRef(Some(_)) => "anyref".to_owned(),
        Val::ExnRef(Some(_)) => "exnref".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_signed_or_unsigned() {
        assert_eq!(integer("-0x10"), Some(-16));
        assert_eq!(integer("18446744073709551615"), Some(u64::MAX.into()));
        for wrong in ["", "-", "--1", "+1", "-+1", "0x", "0x-1", "1 "] {
            assert_eq!(integer(wrong), None, "{wrong}");
        }
        assert!(matches!(argument(ValType::I32, "4294967295"), Ok(Val::I32(-1))));
        assert!(matches!(argument(ValType::I32, "-2147483648"), Ok(Val::I32(i32::MIN))));
        for wrong in ["4294967296", "-2147483649", &format!("{:#x}", u128::MAX)] {
            assert!(argument(ValType::I32, wrong).is_err(), "{wrong}");
        }
        let all = format!("{:#x}", u128::MAX);
        assert!(matches!(argument(ValType::V128, &all), Ok(Val::V128(u128::MAX))));
    }
}
