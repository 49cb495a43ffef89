//! Compiled code as inert data: what `compile` makes, `vm` publishes and artifacts keep.

use crate::wasm::{DefinedFuncIndex, TagIndex, TrapCode};

/// How a function is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tier {
    /// Quickly. The code counts its calls and the turns of its loops, and asks for better code when
    /// there have been many.
    Baseline,
    /// Well.
    Optimized,
    /// Well, for taking over from baseline code in the middle: it begins with a turn of the loop at
    /// this place in the function's body, and gets all locals instead of the parameters.
    Loop(u32),
}

/// One compiled function of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct CompiledFunction {
    /// How it was compiled.
    pub tier: Tier,
    /// The machine code; position independent but for `calls` and `counts`.
    pub bytes: Vec<u8>,
    /// Bytes after the beginning of a cache line where it begins best, a multiple of the alignment of
    /// code; none if that is all the same.
    pub place: Option<u8>,
    /// Where it calls functions of the same module directly.
    pub calls: Vec<DirectCall>,
    /// Where baseline code refers to its function's counter: offsets of a displacement's four bytes.
    pub counts: Vec<u32>,
    /// What the walk over frames and the trap handler have to know.
    pub sites: Sites,
}

/// A place where code refers to a function of its module by a 32-bit displacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectCall {
    /// Offset of the displacement's four bytes in the code.
    pub offset: u32,
    /// The function called.
    pub callee: DefinedFuncIndex,
}

/// Code that changes the calling convention, for functions of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// Enters wasm, as `vm::enter::enter` has prepared it.
    Entry,
    /// Leaves wasm, for what makes closures run.
    Host,
    /// Leaves wasm for a C function that gets arrays.
    Callback {
        /// Whether it gets an environment first.
        env: bool,
    },
    /// Leaves wasm for a C function that gets an environment and arrays without kinds.
    RawCallback,
    /// Leaves wasm for a C function that gets and returns plain values.
    Import {
        /// Whether it gets an environment first.
        env: bool,
    },
}

impl Crossing {
    /// How many that differ there are.
    pub const COUNT: usize = 7;

    /// A number below [`Crossing::COUNT`].
    pub fn index(self) -> usize {
        match self {
            Crossing::Entry => 0,
            Crossing::Host => 1,
            Crossing::Callback { env } => 2 + usize::from(env),
            Crossing::Import { env } => 4 + usize::from(env),
            Crossing::RawCallback => 6,
        }
    }
}

/// Code with holes, to be filled before it can run.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The machine code.
    pub bytes: Vec<u8>,
    /// What is to be put where: offsets of the eight bytes that are the operand of an instruction
    /// which moves them to a register.
    pub holes: Vec<(u32, Hole)>,
}

/// What a [`Template`] leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Hole {
    /// The newest activation of the thread, as `VMThread` has it.
    Activation,
}

impl Hole {
    /// All of them, in the order of their numbers.
    pub const ALL: [Hole; 1] = [Hole::Activation];
}

/// What is known about places in a function's code, as it comes into being. It is kept packed, see
/// [`super::sites::PackedSites`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sites {
    /// Bytes from the frame pointer down to where a frame keeps its context.
    pub context_slot: u32,
    /// Instructions that may trap, by code offset.
    pub traps: Vec<TrapSite>,
    /// The WebAssembly instructions that traps and calls come from: the offset of the trapping
    /// instruction or of the return address, ascending, and the instruction's offset in the
    /// function's body.
    pub positions: Vec<(u32, u32)>,
    /// Where the frame has references that the collector has to find and may change, while a call
    /// is going on: the offset of the return address, ascending, and bytes from the frame pointer
    /// down to the reference.
    pub roots: Vec<(u32, u32)>,
    /// Bytes from the frame pointer down to the stack pointer, for where a handler goes on.
    pub frame_size: u32,
    /// What catches what calls throw, ascending by return address; those of one call in the order
    /// in which they are tried.
    pub handlers: Vec<Handler>,
}

/// Where a function goes on when what a call has thrown is caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handler {
    /// The offset in the code of the call's return address.
    pub return_offset: u32,
    /// What is caught.
    pub catch: Catch,
    /// The offset in the code where execution goes on.
    pub landing: u32,
}

/// What a handler catches, and what it wants of it: a tag of the module, or any, and whether it
/// needs a reference to the exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Catch(u32);

impl Catch {
    /// Stands for every tag. Modules have less than 2^30 tags.
    const ANY: u32 = 1 << 30;

    /// Catches exceptions with this tag, or all.
    pub fn new(tag: Option<TagIndex>, by_ref: bool) -> Catch {
        Catch(tag.map_or(Catch::ANY, TagIndex::as_u32) << 1 | u32::from(by_ref))
    }

    /// The tag that the exception has to have.
    pub fn tag(self) -> Option<TagIndex> {
        let tag = self.0 >> 1;
        (tag != Catch::ANY).then(|| TagIndex::from_u32(tag))
    }

    /// Whether the handler gets a reference to the exception.
    pub fn by_ref(self) -> bool {
        self.0 & 1 != 0
    }

    /// As a number, which the code generator passes through.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// What has been made a number.
    pub fn from_bits(bits: u32) -> Option<Catch> {
        (bits >> 1 <= Catch::ANY).then_some(Catch(bits))
    }
}

/// An instruction that may trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrapSite {
    /// Its offset in the code.
    pub offset: u32,
    /// Why it traps.
    pub code: TrapCode,
}
