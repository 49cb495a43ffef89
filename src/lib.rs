//! Tenon runs WebAssembly: version 2.0 of the specification, constant expressions that compute,
//! several memories, and tail calls, compiled to machine code with Cranelift.
//!
//! Tenon is a C library first: `wasm.h`, `wasi.h` and `tenon.h` stand in `include/`. This crate is
//! what that library is made of, and offers the same engine to Rust:
//!
//! - An [`Engine`] has the settings ([`Config`]) and what is shared by all threads.
//! - A [`Module`] is valid code, made of the binary format ([`Module::new`]) or of text
//!   ([`Module::from_text`]).
//! - A [`Store`] owns everything that runs. Handles to what lives in it ([`Instance`], [`Func`],
//!   [`Global`], [`Table`], [`Memory`], [`ExternRef`]) keep it alive. A store and its handles stay
//!   on one thread.
//! - A [`Linker`] finds imports by name; [`Instance::new`] takes them by position.
//! - Functions of the host are closures: over numbers ([`Func::wrap`]) or over any values
//!   ([`Func::new`]).
//! - What goes wrong is an [`Error`]; execution that ends early, a [`Trap`].
//! - [`wasi`] gives programs arguments, streams, files, clocks and sockets, as far as its settings allow.
//!
//! ```
//! use tenon::{Config, Engine, Error, Linker, Module, Store, Val};
//!
//! let engine = Engine::new(&Config::new())?;
//! let store = Store::new(&engine);
//! let module = Module::from_text(
//!     &engine,
//!     br#"(module
//!       (import "host" "double" (func $double (param i32) (result i32)))
//!       (func (export "double and add") (param i32 i32) (result i32)
//!         (i32.add (call $double (local.get 0)) (local.get 1))))"#,
//! )?;
//!
//! let mut linker = Linker::new(&store);
//! linker.func("host", "double", |_: &tenon::Caller, x: i32| x.wrapping_mul(2))?;
//! let instance = linker.instantiate(&module)?;
//!
//! let func = instance.func("double and add").expect("the module exports it");
//! let results = func.call(&[Val::I32(20), Val::I32(2)])?;
//! assert!(results[0].is(&Val::I32(42)));
//! # Ok::<(), Error>(())
//! ```
//!
//! The code is divided into rooms, whose headers say which others they may use; `docs/ARCHITECTURE.md`
//! walks through them. Code is made for x86-64, and runs on Linux.

#![warn(missing_docs)]

mod abi;
mod capi;
mod compile;
mod engine;
mod module;
mod vm;
pub mod wasi;
mod wasm;

pub use engine::{
    AddressType, ArrayType, Callee, Caller, Compilation, CompositeType, Config, DefinedType,
    Engine, Error, Exception, ExportType, Extern, ExternRef, ExternType, Family, Feature, Features,
    FieldType, Frame, Func, FuncIndex, FuncType, Global, GlobalType, Handle, HeapType, HostFunc,
    ImportType, Instance, InterruptHandle, Limits, Linker, Memory, MemoryType, Module, Object,
    PAGE_SIZE, RawCall, RefType, SharedMemory, Slot, SlotVec, StorageType, Store, StoreLimits,
    StructType, SubType, Table, TableType, Tag, Trap, TrapCode, TypeId, Val, ValType, WasmResults,
    WasmType,
};
