//! One function or trampoline to machine code, as inert data. May use: wasm, module, abi.

#![forbid(unsafe_code)]

mod artifact;
mod counted;
mod direct;
mod env;
mod function;
mod heap;
mod isa;
mod known;
mod legacy;
mod likely;
mod lines;
mod local;
mod op;
mod tier;
mod trampoline;
mod weight;

use std::fmt;
use std::ops::Range;

use cranelift_codegen::Context;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_frontend::FunctionBuilderContext;

use crate::abi::code::{CompiledFunction, Crossing, Template, Tier};
use crate::abi::layout::{ContextLayout, MemoryStyle};
use crate::module::ModuleInfo;
use crate::wasm::{DefinedFuncIndex, FuncType};

pub use artifact::{
    Artifact, FORMAT, MAGIC, Parts, Sections, VERSION, bodies_from, bodies_to, pack, unpack,
};
pub use isa::Settings;
pub use likely::callees;

/// Makes machine code for this machine. Shared by all threads that compile.
pub struct Compiler {
    isa: OwnedTargetIsa,
    /// Makes the code of functions that are too much for `isa`.
    plain: OwnedTargetIsa,
    settings: Settings,
    target: String,
}

/// Memory that compiling one function after another uses again.
pub struct Scratch {
    context: Context,
    builder: FunctionBuilderContext,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

impl Scratch {
    /// Scratch memory that nothing has used yet.
    pub fn new() -> Scratch {
        Scratch { context: Context::new(), builder: FunctionBuilderContext::new() }
    }
}

/// What a function is compiled from.
pub struct Source<'a> {
    /// The module.
    pub module: &'a ModuleInfo,
    /// The bytes it was parsed from.
    pub bytes: &'a [u8],
    /// How its instances' contexts are laid out.
    pub layout: &'a ContextLayout,
    /// What its code may take for granted of memories.
    pub memories: MemoryStyle,
}

impl<'a> Source<'a> {
    /// Where in the bytes the function's body begins, and the body.
    fn body(&self, func: DefinedFuncIndex) -> (u32, &'a [u8]) {
        let Range { start, end } = self.module.bodies[func];
        (start, &self.bytes[start as usize..end as usize])
    }
}

impl Compiler {
    /// A compiler for the machine this runs on, whose processor has these features, as Cranelift
    /// names them; `None` finds out.
    ///
    /// # Errors
    ///
    /// When no code can be made for this CPU.
    pub fn new(settings: Settings, features: Option<&[&str]>) -> Result<Compiler, CompileError> {
        let isa = isa::host(&settings, features, false)?;
        let plain = isa::host(&settings, features, true)?;
        let target = isa::target(&*isa);
        Ok(Compiler { isa, plain, settings, target })
    }

    /// What the code depends on: target triple and CPU features, separated by spaces.
    pub fn target(&self) -> &str {
        &self.target
    }

    fn signals(&self) -> bool {
        self.settings.signals
    }

    fn is_x86(&self) -> bool {
        isa::is_x86(&*self.isa)
    }

    /// Compiles the function `index`; a function that is not one for baseline code is optimized.
    ///
    /// # Errors
    ///
    /// When the function exceeds a limit of the code generator.
    pub fn function(
        &self,
        scratch: &mut Scratch,
        source: &Source,
        index: DefinedFuncIndex,
        tier: Tier,
    ) -> Result<CompiledFunction, CompileError> {
        function::compile(self, scratch, source, index, tier)
    }

    /// Makes the code of a crossing for functions of type `ty`.
    ///
    /// # Errors
    ///
    /// When the type exceeds a limit of the code generator, or is not one for this crossing.
    pub fn crossing(&self, crossing: Crossing, ty: &FuncType) -> Result<Template, CompileError> {
        match crossing {
            Crossing::Entry => trampoline::entry(self, ty),
            Crossing::Host => trampoline::host(self, ty),
            Crossing::Callback { env } => direct::callback(self, ty, env),
            Crossing::RawCallback => direct::raw_callback(self, ty),
            Crossing::Import { env } => direct::import(self, ty, env),
        }
    }
}

/// Why something could not be compiled.
#[derive(Debug, Clone)]
pub struct CompileError(String);

impl CompileError {
    fn unsupported_cpu(reason: &str) -> CompileError {
        CompileError(format!("no code can be made for this machine: {reason}"))
    }

    fn new(message: impl Into<String>) -> CompileError {
        CompileError(message.into())
    }

    fn codegen(error: &cranelift_codegen::CodegenError) -> CompileError {
        CompileError(format!("implementation limit: {error}"))
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
