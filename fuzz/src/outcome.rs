//! What running a module shows, and whether two engines show the same.

use std::fmt;

use crate::around::About;

/// A number: all that hosts pass here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value {
    I32(u32),
    I64(u64),
    F32(u32),
    F64(u64),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Value::I32(bits) => write!(f, "i32:{bits:#x}"),
            Value::I64(bits) => write!(f, "i64:{bits:#x}"),
            Value::F32(bits) => write!(f, "f32:{bits:#x}"),
            Value::F64(bits) => write!(f, "f64:{bits:#x}"),
        }
    }
}

/// The traps that the specification tells apart, as far as all engines do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    Unreachable,
    MemoryOutOfBounds,
    TableOutOfBounds,
    NullFunction,
    TypeMismatch,
    DivideByZero,
    IntegerOverflow,
    InvalidConversion,
    Misaligned,
    WaitOnUnshared,
    NullReference,
    ArrayOutOfBounds,
    CastFailure,
    /// An exception that nobody has caught.
    Exception,
}

/// Why something has not returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    Trap(Trap),
    /// The stack was not deep enough.
    Stack,
    /// There was no more memory, room in a table, or place on the heap; or a limit of the engine's.
    Resources(String),
    /// The engine says that the module is invalid, or that it cannot compile it.
    Refused(String),
    /// The imports do not fit.
    Link(String),
    /// The library has failed.
    Internal(String),
    /// Anything else.
    Other(String),
}

/// What is seen of a module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// It could be instantiated, or not.
    Start(Result<(), End>),
    /// A function was called.
    Call(String, Vec<Value>, Result<Vec<Value>, End>),
    /// Size and hash of a memory's contents.
    Memory(String, u64, u64),
    /// A table's size and a hash of its elements, or a global's value.
    State(About, String, Vec<Value>),
}

/// Everything that is seen of a module, in order.
pub type Outcome = Vec<Seen>;

/// What two engines may differ in. A comparison ends there: what follows depends on it.
pub const ALLOWED: [(&str, &str); 5] = [
    ("stack", "how deep the stack is, is the engine's own matter"),
    ("resources", "how much memory there is, too; growing and allocating may fail"),
    ("unsupported", "the other engine refuses a valid module: a limit of its own"),
    ("crash", "the other engine ends the process; Tenon by itself does not"),
    ("outvoted", "Wasmi differs from Tenon and Wasmtime, which agree to the end"),
];

/// The row for a crash of the other engine.
pub const CRASH: &str = ALLOWED[3].0;

/// The row for what only Wasmi has done.
pub const OUTVOTED: usize = 4;

/// What comparing two outcomes has shown.
pub enum Verdict {
    /// The same, as far as it was looked at; so many calls.
    Same(usize),
    /// A row of [`ALLOWED`].
    Allowed(usize),
    /// A description of the difference.
    Different(String),
}

/// Compares what Tenon shows with what another engine shows.
pub fn compare(ours: &Outcome, theirs: &Outcome) -> Verdict {
    let mut calls = 0;
    for (our, their) in ours.iter().zip(theirs) {
        if let Some(row) = allowed(our, their) {
            return Verdict::Allowed(row);
        }
        if our != their && !either_trap(our, their) {
            return Verdict::Different(format!("tenon: {our:?}\nother: {their:?}"));
        }
        calls += usize::from(matches!(our, Seen::Call(..)));
    }
    if ours.len() != theirs.len() {
        let (our, their) = (ours.len(), theirs.len());
        return Verdict::Different(format!("tenon shows {our} things, the other {their}"));
    }
    Verdict::Same(calls)
}

fn end(seen: &Seen) -> Option<&End> {
    match seen {
        Seen::Start(Err(end)) | Seen::Call(_, _, Err(end)) => Some(end),
        _ => None,
    }
}

/// Whether both are traps of an atomic access that is misaligned and out of bounds: which of the two
/// is looked at first, the engines decide.
fn either_trap(our: &Seen, their: &Seen) -> bool {
    let is_access =
        |seen| matches!(end(seen), Some(End::Trap(Trap::Misaligned | Trap::MemoryOutOfBounds)));
    is_access(our) && is_access(their)
}

/// The row of [`ALLOWED`] by which these two may differ, or are no reason to look further.
fn allowed(our: &Seen, their: &Seen) -> Option<usize> {
    match (end(our), end(their)) {
        (Some(End::Stack), _) | (_, Some(End::Stack)) => Some(0),
        (Some(End::Resources(_)), _) | (_, Some(End::Resources(_))) => Some(1),
        (_, Some(End::Refused(_))) if !matches!(end(our), Some(End::Refused(_))) => Some(2),
        _ => None,
    }
}
