//! What is compiled when.
//!
//! A module has code for each memory style that its instances need, made when the first of them
//! needs it: all functions in parallel, or each on its first call, which its stub turns into a
//! demand (see [`super::growing`]). [`Compilation`] decides.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cranelift_entity::EntityRef;

use super::growing::{Hook, Job};
use super::module::{Inner, Kept};
use super::{Compilation, Error, workers};
use crate::abi::code::{CompiledFunction, Tier};
use crate::abi::image::CodeImage;
use crate::abi::layout::MemoryStyle;
use crate::compile::{CompileError, Scratch, Source};
use crate::vm::code::CodeSpace;
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

/// Bytes of function bodies of a module that [`Compilation::Adaptive`] takes for small: they take
/// some tenths of a millisecond, and their functions call each other without stubs.
const SMALL_MODULE: usize = 512;

/// Bytes of function bodies that make one job: some milliseconds.
const BYTES_PER_JOB: usize = 8 << 10;

/// Bytes of machine code to reserve for each byte of function bodies. Real modules need 2 to 4, and
/// that several times where functions are compiled again.
const ROOM_PER_BYTE: usize = 128;

/// Bytes of machine code to reserve for each function beside that: where code has one view, each
/// begins on a page of its own.
const ROOM_PER_FUNCTION: usize = 4608;

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

    /// The module's code for memories of this style, as far as there is any.
    pub(super) fn made(&self, style: MemoryStyle) -> Option<&CodeSpace> {
        self.place(style).get().map(Box::as_ref)
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
        if let Kept::Stripped { .. } = module.kept {
            let message = "there is no address space to reserve for a memory, and code that does \
                           without cannot be made: the module was serialized without its source";
            return Err(Error::Limit(message.to_owned()));
        }
        let code = if is_eager(module) {
            let image = compile_all(module, style)?;
            CodeSpace::complete(&image.code, image.table)
        } else {
            growing(module, style)
        };
        let code = code.map_err(|e| Error::Limit(format!("no memory for code: {e}")))?;
        Ok(place.get_or_init(|| code))
    }
}

/// Whether all functions of the module are compiled at once.
pub(super) fn is_eager(module: &Inner) -> bool {
    match module.engine.config().compilation {
        Compilation::Eager => true,
        Compilation::Lazy | Compilation::Ahead => false,
        Compilation::Adaptive => module.info.code_size() <= SMALL_MODULE,
    }
}

/// Compiles every function.
pub(super) fn compile_all(module: &Inner, style: MemoryStyle) -> Result<CodeImage, Error> {
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
    let total = module.info.code_size();
    let done = AtomicUsize::new(0);
    workers::spread(jobs.len(), total <= SMALL_CODE, &|job| {
        let mut scratch = Scratch::new();
        let functions = jobs[job].clone().map(DefinedFuncIndex::new);
        let part = functions
            .map(|func| compile(module, style, &mut scratch, (func, Tier::Optimized)))
            .collect();
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
    CodeImage::link(functions).map_err(Error::Compile)
}

pub(super) fn source(module: &Inner, style: MemoryStyle) -> Source<'_> {
    Source {
        module: &module.info,
        bytes: module.kept.module(),
        layout: module.image.layout(),
        memories: style,
    }
}

pub(super) fn compile(
    module: &Inner,
    style: MemoryStyle,
    scratch: &mut Scratch,
    (func, tier): Job,
) -> Result<CompiledFunction, String> {
    let source = source(module, style);
    let compiler = module.engine.compiler();
    let compiled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        compiler.function(scratch, &source, func, tier)
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
fn growing(module: &Arc<Inner>, style: MemoryStyle) -> io::Result<Box<CodeSpace>> {
    let count = module.info.bodies.len();
    let room = module.info.code_size() * ROOM_PER_BYTE + count * ROOM_PER_FUNCTION;
    let patience = module.engine.config().tier_up_after;
    let make = |room| CodeSpace::growing(count, room, patience, Box::new(Hook::new(module, style)));
    let room = room.min(MOST_ROOM);
    let mut result = make(room);
    // Address space may be scarce; what most modules need is a fraction of the room.
    for part in [4, 8] {
        if result.is_err() {
            result = make(room / part);
        }
    }
    result
}
