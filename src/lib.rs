//! wip
mod abi;
mod capi;
mod compile;
mod engine;
mod module;
mod vm;
pub mod wasi;
mod wasm;

pub use engine::{
    Caller, Compilation, Config, Engine, Error, ExportType, Extern, ExternRef, ExternType, Feature,
    Features, Frame, Func, FuncIndex, FuncType, Global, GlobalType, Handle, HeapType, HostFunc,
    ImportType, Instance, Limits, Linker, Memory, MemoryType, Module, PAGE_SIZE, RawCall, RefType,
    Slot, Store, Table, TableType, Trap, TrapCode, Val, ValType, WasmResults, WasmType,
};
