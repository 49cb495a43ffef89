//! Engines that run modules, all through the same few operations.

pub mod library;
pub mod tenon;
pub mod wasmi;
pub mod wasmtime;

use wasmparser::ValType;

use crate::outcome::{End, Value};

pub trait Engine {
    fn name(&self) -> String;

    /// A new store.
    fn store(&mut self) -> Box<dyn Store + '_>;
}

/// Where instances live. They are numbered in the order in which they are made.
pub trait Store {
    /// Makes an instance; each import is an export of an instance.
    fn instantiate(&mut self, wasm: &[u8], imports: &[(usize, String)]) -> Result<usize, End>;

    /// Calls an exported function.
    fn call(
        &mut self,
        instance: usize,
        name: &str,
        args: &[Value],
        results: &[ValType],
    ) -> Result<Vec<Value>, End>;

    /// Size and hash of an exported memory.
    fn memory(&mut self, instance: usize, name: &str) -> (u64, u64);

    /// Sets an exported global.
    fn set_i32(&mut self, instance: usize, name: &str, value: u32);
}
