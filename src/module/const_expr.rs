//! Constant expressions (core spec, section 3.3.13): decoded once, evaluated at instantiation.

use wasmparser::Operator;

use super::ParseError;
use crate::wasm::{FuncIndex, GlobalIndex, TypeIndex};

/// A constant expression in postfix order; valid, so that evaluating it needs no checks.
#[derive(Debug, Clone)]
pub struct ConstExpr(Box<[ConstOp]>);

/// One instruction of a constant expression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ConstOp {
    /// Pushes an `i32`.
    I32(i32),
    /// Pushes an `i64`.
    I64(i64),
    /// Pushes an `f32`, given as bits.
    F32(u32),
    /// Pushes an `f64`, given as bits.
    F64(u64),
    /// Pushes a `v128`.
    V128(u128),
    /// Pushes the value of an immutable global.
    GlobalGet(GlobalIndex),
    /// Pushes a null reference.
    RefNull,
    /// Pushes a reference to a function.
    RefFunc(FuncIndex),
    /// Adds two `i32`.
    I32Add,
    /// Subtracts two `i32`.
    I32Sub,
    /// Multiplies two `i32`.
    I32Mul,
    /// Adds two `i64`.
    I64Add,
    /// Subtracts two `i64`.
    I64Sub,
    /// Multiplies two `i64`.
    I64Mul,
    /// Pushes a reference to a number, of which it takes the low 31 bits.
    RefI31,
    /// Takes the fields of a struct of this type and pushes the struct.
    StructNew(TypeIndex),
    /// Pushes a struct of this type whose fields are zero.
    StructNewDefault(TypeIndex),
    /// Takes a value and a length, and pushes an array of this type.
    ArrayNew(TypeIndex),
    /// Takes a length and pushes an array of zeros of this type.
    ArrayNewDefault(TypeIndex),
    /// Takes so many values and pushes an array of them of this type.
    ArrayNewFixed(TypeIndex, u32),
}

impl ConstExpr {
    /// Decodes an expression that validation has accepted.
    pub(super) fn parse(expr: &wasmparser::ConstExpr) -> Result<ConstExpr, ParseError> {
        let mut reader = expr.get_operators_reader();
        let mut ops = Vec::new();
        loop {
            let (op, offset) = reader.read_with_offset()?;
            ops.push(match op {
                Operator::End => return Ok(ConstExpr(ops.into_boxed_slice())),
                Operator::I32Const { value } => ConstOp::I32(value),
                Operator::I64Const { value } => ConstOp::I64(value),
                Operator::F32Const { value } => ConstOp::F32(value.bits()),
                Operator::F64Const { value } => ConstOp::F64(value.bits()),
                Operator::V128Const { value } => ConstOp::V128(u128::from_le_bytes(*value.bytes())),
                Operator::GlobalGet { global_index } => {
                    ConstOp::GlobalGet(GlobalIndex::from_u32(global_index))
                }
                Operator::RefNull { .. } => ConstOp::RefNull,
                Operator::RefFunc { function_index } => {
                    ConstOp::RefFunc(FuncIndex::from_u32(function_index))
                }
                Operator::I32Add => ConstOp::I32Add,
                Operator::I32Sub => ConstOp::I32Sub,
                Operator::I32Mul => ConstOp::I32Mul,
                Operator::I64Add => ConstOp::I64Add,
                Operator::I64Sub => ConstOp::I64Sub,
                Operator::I64Mul => ConstOp::I64Mul,
                Operator::RefI31 => ConstOp::RefI31,
                Operator::StructNew { struct_type_index } => {
                    ConstOp::StructNew(TypeIndex::from_u32(struct_type_index))
                }
                Operator::StructNewDefault { struct_type_index } => {
                    ConstOp::StructNewDefault(TypeIndex::from_u32(struct_type_index))
                }
                Operator::ArrayNew { array_type_index } => {
                    ConstOp::ArrayNew(TypeIndex::from_u32(array_type_index))
                }
                Operator::ArrayNewDefault { array_type_index } => {
                    ConstOp::ArrayNewDefault(TypeIndex::from_u32(array_type_index))
                }
                Operator::ArrayNewFixed { array_type_index, array_size } => {
                    ConstOp::ArrayNewFixed(TypeIndex::from_u32(array_type_index), array_size)
                }
                // The reference stays as it is.
                Operator::AnyConvertExtern | Operator::ExternConvertAny => continue,
                other => {
                    let message = format!("constant expression uses {other:?}");
                    return Err(ParseError::new(message, offset as usize));
                }
            });
        }
    }

    /// The instructions, in order.
    pub fn ops(&self) -> &[ConstOp] {
        &self.0
    }
}
