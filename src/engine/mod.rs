//! The safe Rust API, and what decides when which code is made.
//! May use: wasm, module, abi, compile, vm.
//!
//! Handles to what lives in a [`Store`] are counted: each keeps its store alive, and in it what it
//! refers to. They belong to one thread, as their store does.

mod ahead;
mod artifact;
mod config;
mod entity;
mod error;
mod exception;
mod func;
mod global;
mod growing;
mod instance;
mod instantiate;
mod limits;
mod linker;
mod memory;
mod module;
mod native;
mod object;
mod preset;
mod shared;
mod store;
mod table;
mod tiers;
mod value;
mod workers;

use std::sync::Arc;

use ahead::Ahead;
use limits::Deadlines;

use crate::abi::code::{Crossing, Template};
use crate::compile::Compiler;
use crate::vm;
use crate::vm::memory::MemoryConfig;
use crate::vm::signature::MakeTrampolines;
use crate::vm::slots;
use crate::vm::store::StoreConfig;
use crate::vm::striped::Striped;
use crate::vm::types::Types;

pub(crate) use crate::vm::with_return_address;
pub use config::{Compilation, Config};
pub use error::{Error, Frame, Trap};
pub use exception::{Exception, Tag};
pub use func::{
    Callee, Caller, EndCall, Func, HostFunc, RawCall, Slot, SlotVec, WasmResults, WasmType,
};
pub use global::Global;
pub use instance::{Extern, ExternRef, Handle, Instance};
pub use limits::{InterruptHandle, StoreLimits};
pub use linker::Linker;
pub use memory::Memory;
pub use module::{ExportType, ImportType, Module};
pub use native::CFunction;
pub use object::{DefinedType, Object};
pub use shared::SharedMemory;
pub use store::Store;
pub use table::Table;
pub use value::Val;

pub use crate::vm::without_sigpipe;

pub use crate::wasm::{
    AddressType, ArrayType, CompositeType, ExternType, Family, Feature, Features, FieldType,
    FuncIndex, FuncType, GlobalType, HeapType, Limits, MemoryType, PAGE_SIZE, RefType, StorageType,
    StructType, SubType, TableType, TrapCode, TypeId, ValType,
};

/// Settings and code that stores and modules share. Cloning it gives another handle to the same;
/// what threads do with theirs costs least as long as the first handle is there.
#[derive(Clone)]
pub struct Engine(Striped<Inner>);

struct Inner {
    config: Config,
    compiler: Arc<Compiler>,
    types: Types,
    deadlines: Deadlines,
    ahead: Ahead,
    /// Keeps what there is in store for memories.
    _slots: slots::Users,
}

impl Engine {
    /// An engine with these settings.
    ///
    /// # Errors
    ///
    /// When no code can be made for this machine.
    pub fn new(config: &Config) -> Result<Engine, Error> {
        vm::place::near_by_default(Engine::new as *const () as usize);
        let settings = config.code_settings();
        let compiler = Compiler::new(settings, vm::features().as_deref());
        let compiler = compiler.map_err(|e| Error::Config(e.to_string()))?;
        let compiler = Arc::new(compiler);
        if settings.signals {
            vm::trap::install_signal_handlers();
        }
        let types = Types::new(Box::new(Trampolines(compiler.clone())));
        let (config, deadlines, ahead) = (config.clone(), Deadlines::default(), Ahead::default());
        let _slots = slots::Users::one_more();
        let inner = Inner { config, compiler, types, deadlines, ahead, _slots };
        Ok(Engine(Striped::new(inner)))
    }

    /// As [`Engine::new`], for an embedder whose code is at `address`: crossings are faster if that of
    /// the engine is near.
    ///
    /// # Errors
    ///
    /// As [`Engine::new`].
    pub fn near(config: &Config, address: usize) -> Result<Engine, Error> {
        vm::place::near(address);
        Engine::new(config)
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Whether both are the same engine.
    pub fn is(&self, other: &Engine) -> bool {
        self.0.is(&other.0)
    }

    /// What code of this engine depends on: target triple and CPU features, separated by spaces.
    pub fn target(&self) -> &str {
        self.0.compiler.target()
    }

    /// Puts the engine's signal handlers back where the host has replaced them. Traps of wasm
    /// then work again, and the host's handlers get all other signals.
    pub fn reinstall_signal_handlers(&self) {
        if !self.0.config.explicit_checks {
            vm::trap::install_signal_handlers();
        }
    }

    fn compiler(&self) -> &Arc<Compiler> {
        &self.0.compiler
    }

    fn types(&self) -> &Types {
        &self.0.types
    }

    fn deadlines(&self) -> &Deadlines {
        &self.0.deadlines
    }

    fn ahead(&self) -> &Ahead {
        &self.0.ahead
    }

    fn store_config(&self) -> StoreConfig {
        let config = &self.0.config;
        let memory = MemoryConfig {
            reservation: config.memory_reservation,
            signals: !config.explicit_checks,
        };
        StoreConfig {
            memory,
            max_stack: config.max_stack,
            interruptible: config.interruptible,
            fuel: config.fuel,
            collect_always: config.collect_always,
            types: self.types().table(),
        }
    }
}

/// The hook by which `vm` gets trampolines.
struct Trampolines(Arc<Compiler>);

impl MakeTrampolines for Trampolines {
    fn make(&self, crossing: Crossing, ty: &FuncType) -> Result<Template, String> {
        workers::aside(|| self.0.crossing(crossing, ty).map_err(|e| e.to_string()))
    }
}
