//! What is compiled when.
//!
//! A module has code for each memory style that its instances need, made when the first of them
//! needs it. Under [`Compilation::Eager`] that means all functions in parallel; under
//! [`Compilation::Lazy`] each function on its first call, which its stub turns into a demand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use cranelift_entity::EntityRef;

use super::module::Inner;
use super::{Compilation, Error, workers};
use crate::abi::code::CompiledFunction;
use crate::abi::layout::MemoryStyle;
use crate::compile::{CompileError, Scratch, Source};
use crate::vm::code::{CodeSpace, Demand};
use crate::vm::enter::Cause;
use crate::wasm::DefinedFuncIndex;

/// The code of a module.
#[derive(Default)]
pub(super) struct Tiers {
    guarded: OnceLock<Box<CodeSpace>>,
    checked: OnceLock<Box<CodeSpace>>,
    making: Mutex<()>,
}

/// Function bodies up to this many bytes are compiled without starting threads.
const SMALL_CODE: usize = 4 << 10;

/// Bytes of function bodies that make one job: some milliseconds.
const BYTES_PER_JOB: usize = 8 << 10;

/// Bytes of machine code to reserve for each byte of function bodies. Real modules need 2 to 4.
const ROOM_PER_BYTE: usize = 32;

/// Bytes of machine code to reserve for each function beside that.
const ROOM_PER_FUNCTION: usize = 512;

/// The most room for the code of one module: calls reach 2 GiB.
const MOST_ROOM: usize = 1 << 30;

impl Tiers {
    /// Code that has been made already.
    pub(super) fn with(style: MemoryStyle, code: Box<CodeSpace>) -> Tiers {
        let tiers = Tiers::default();
        let fresh = tiers.place(style).set(code).is_ok();
        debug_assert!(fresh);
        tiers
    }

    fn place(&self, style: MemoryStyle) -> &OnceLock<Box<CodeSpace>> {
        match style {
            MemoryStyle::Guarded => &self.guarded,
            MemoryStyle::Checked => &self.checked,
        }
    }

    /// The module's code for memories of this style, made if there is none.
    pub(super) fn code(
        &self,
        module: &Arc<Inner>,
        style: MemoryStyle,
    ) -> Result<&CodeSpace, Error> {
        let place = self.place(style);
        if let Some(code) = place.get() {
            return Ok(code);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = place.get() {
            return Ok(code);
        }
        let code = match module.engine.config().compilation {
            Compilation::Eager => {
                let functions = compile_all(module, style)?;
                CodeSpace::complete(functions)
            }
            Compilation::Lazy => growing(module, style),
        };
        let code = code.map_err(|e| Error::Limit(format!("no memory for code: {e}")))?;
        Ok(place.get_or_init(|| code))
    }
}

/// Compiles every function.
pub(super) fn compile_all(
    module: &Inner,
    style: MemoryStyle,
) -> Result<Vec<CompiledFunction>, Error> {
    let bodies = &module.info.bodies;
    let mut jobs = Vec::new();
    let mut start = 0;
    let mut size = 0;
    for (index, body) in bodies.iter() {
        size += body.len();
        if size >= BYTES_PER_JOB {
            jobs.push(start..index.index() + 1);
            (start, size) = (index.index() + 1, 0);
        }
    }
    jobs.push(start..bodies.len());

    type Part = Result<Vec<CompiledFunction>, String>;
    let parts: Vec<OnceLock<Part>> = jobs.iter().map(|_| OnceLock::new()).collect();
    let total: usize = bodies.values().map(|body| body.len()).sum();
    let done = AtomicUsize::new(0);
    workers::spread(jobs.len(), total <= SMALL_CODE, &|job| {
        let mut scratch = Scratch::new();
        let functions = jobs[job].clone().map(DefinedFuncIndex::new);
        let part = functions.map(|func| compile(module, style, &mut scratch, func)).collect();
        parts[job].set(part).expect("each job runs once");
        if let Some(progress) = &module.engine.config().progress {
            let count = jobs[job].len();
            let done = done.fetch_add(count, Ordering::Relaxed) + count;
            (progress.0)(done, bodies.len());
        }
    });
    let mut functions = Vec::with_capacity(bodies.len());
    for part in parts {
        let part = part.into_inner().expect("all jobs have run");
        functions.extend(part.map_err(Error::Compile)?);
    }
    Ok(functions)
}

fn compile(
    module: &Inner,
    style: MemoryStyle,
    scratch: &mut Scratch,
    func: DefinedFuncIndex,
) -> Result<CompiledFunction, String> {
    let source = Source {
        module: &module.info,
        bytes: &module.bytes,
        layout: module.image.layout(),
        memories: style,
    };
    let compiler = module.engine.compiler();
    let compiled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        compiler.function(scratch, &source, func)
    }));
    let named = |what: &dyn std::fmt::Display| {
        let index = module.info.func_index(func).as_u32();
        format!("function {index} cannot be compiled: {what}")
    };
    match compiled {
        Ok(compiled) => compiled.map_err(|error: CompileError| named(&error)),
        Err(_) => {
            *scratch = Scratch::new();
            Err(named(&"the code generator has failed"))
        }
    }
}

/// Code that grows function by function.
fn growing(module: &Arc<Inner>, style: MemoryStyle) -> std::io::Result<Box<CodeSpace>> {
    let bodies = &module.info.bodies;
    let bytes: usize = bodies.values().map(|body| body.len()).sum();
    let room = (bytes * ROOM_PER_BYTE + bodies.len() * ROOM_PER_FUNCTION).min(MOST_ROOM);
    let hook = || {
        let module = Arc::downgrade(module);
        Box::new(OnDemand { module, style, compiling: Mutex::new(()) })
    };
    let mut result = CodeSpace::growing(bodies.len(), room, hook());
    // Address space may be scarce; what most modules need is a fraction of the room.
    for part in [4, 8] {
        if result.is_err() {
            result = CodeSpace::growing(bodies.len(), room / part, hook());
        }
    }
    result
}

/// The hook by which `vm` asks for a function's code.
struct OnDemand {
    module: Weak<Inner>,
    style: MemoryStyle,
    compiling: Mutex<()>,
}

impl Demand for OnDemand {
    fn demand(&self, func: DefinedFuncIndex) -> Result<*const u8, Cause> {
        let module = self.module.upgrade().expect("a module lives as long as its code runs");
        let place = module.tiers.place(self.style);
        let code = place.get().expect("code that runs has been put in its place");
        let _compiling = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(published) = code.published(func) {
            return Ok(published);
        }
        let function = workers::away(|| {
            let mut scratch = Scratch::new();
            compile(&module, self.style, &mut scratch, func)
        });
        let function = function.map_err(Cause::Internal)?;
        code.publish(vec![(func, function)])
            .map_err(|error| Cause::Internal(format!("no memory for code: {error}")))?;
        Ok(code.published(func).expect("it has just been published"))
    }
}
