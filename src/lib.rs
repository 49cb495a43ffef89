//! wip
mod wasm;
mod module;
mod abi;
mod compile;
mod vm;
mod engine;

pub use engine::{
    Caller, Compilation, Config, Engine, Error, ExportType, Extern, ExternRef, Frame, Func, Global,
    Handle, HostFunc, ImportType, Instance, Linker, Memory, Module, RawCall, Slot, Store, Table,
    Trap, Val, WasmResults, WasmType,
};
pub use wasm::{
    ExternType, Feature, Features, FuncIndex, FuncType, GlobalType, HeapType, Limits, MemoryType,
    PAGE_SIZE, RefType, TableType, TrapCode, ValType,
};
