//! What goes wrong: one type, whose text is what C sees.

use std::any::Any;
use std::fmt;

use super::exception::Exception;
use super::instance::Instance;
use crate::module::ParseError;
use crate::vm::enter::{Cause, Raised};
use crate::vm::leave::{HostError, HostPanic};
use crate::vm::trap;
use crate::vm::types::UnknownType;
use crate::wasm::{Feature, FuncIndex, TrapCode};

/// Why something could not be done.
#[derive(Debug)]
pub enum Error {
    /// The bytes are not a valid module.
    Invalid {
        /// What is wrong.
        message: String,
        /// Where in the bytes; the message of an invalid text says where by itself.
        offset: Option<usize>,
        /// The feature that would have to be on, if that is known to be the reason.
        missing: Option<Feature>,
    },
    /// The module's code cannot be made.
    Compile(String),
    /// An import is missing or is not what the module wants.
    Link {
        /// The import's module name.
        module: String,
        /// The import's name.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A value or an object is not of the type, or the store, that is needed.
    Type(String),
    /// A limit is reached, or the system has no more of something.
    Limit(String),
    /// The bytes are no artifact of this engine.
    Artifact(String),
    /// A setting is wrong.
    Config(String),
    /// Execution has ended by a trap.
    Trap(Trap),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Invalid { message, offset, missing } => {
                f.write_str(message)?;
                if let Some(offset) = offset {
                    write!(f, " (at offset {offset:#x})")?;
                }
                match missing {
                    Some(feature) => write!(f, "; the feature '{}' is off", feature.name()),
                    None => Ok(()),
                }
            }
            Error::Link { module, name, message } => {
                write!(f, "import '{module}' '{name}': {message}")
            }
            Error::Compile(message)
            | Error::Type(message)
            | Error::Limit(message)
            | Error::Artifact(message)
            | Error::Config(message) => f.write_str(message),
            Error::Trap(trap) => trap.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<UnknownType> for Error {
    fn from(error: UnknownType) -> Error {
        Error::Type(error.to_string())
    }
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Error {
        let ParseError { message, offset, missing } = error;
        Error::Invalid { message, offset: Some(offset), missing }
    }
}

impl From<Trap> for Error {
    fn from(trap: Trap) -> Error {
        Error::Trap(trap)
    }
}

/// The end of execution before a function has returned.
pub struct Trap {
    reason: Reason,
    /// The exception that nothing has caught, if it is one.
    exception: Option<Exception>,
    frames: Vec<Frame>,
    /// Whether somebody else keeps the frames.
    traced: bool,
}

enum Reason {
    Code(TrapCode),
    Message(String),
    Data(String, Box<dyn Any>),
}

impl Trap {
    /// A trap that a host function ends execution with.
    pub fn new(message: impl Into<String>) -> Trap {
        Trap::of(Reason::Message(message.into()))
    }

    /// A trap that carries data of the embedder's.
    pub fn with_data(message: impl Into<String>, data: impl Any) -> Trap {
        Trap::of(Reason::Data(message.into(), Box::new(data)))
    }

    /// A trap whose frames the embedder keeps: what runs where it is raised is not looked for.
    pub fn already_traced(mut self) -> Trap {
        self.traced = true;
        self
    }

    fn of(reason: Reason) -> Trap {
        Trap { reason, exception: None, frames: Vec::new(), traced: false }
    }

    /// The trap as one that carries an exception: if a host function ends by it, wasm that has
    /// called the function can catch the exception.
    pub fn carrying(mut self, exception: Exception) -> Trap {
        self.exception = Some(exception);
        self
    }

    /// The exception that nothing has caught, if it is one. Returned from a host function, the
    /// trap throws it again.
    pub fn exception(&self) -> Option<&Exception> {
        self.exception.as_ref()
    }

    /// The trap that WebAssembly defines, if it is one.
    pub fn code(&self) -> Option<TrapCode> {
        match self.reason {
            Reason::Code(code) => Some(code),
            _ => None,
        }
    }

    /// The functions that were running, innermost first.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Takes the exception out, if it carries one.
    pub fn take_exception(&mut self) -> Option<Exception> {
        self.exception.take()
    }

    /// Takes the frames out.
    pub fn take_frames(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.frames)
    }

    /// What [`Trap::with_data`] was given, if it is of type `T`.
    pub fn data<T: Any>(&self) -> Option<&T> {
        match &self.reason {
            Reason::Data(_, data) => data.downcast_ref(),
            _ => None,
        }
    }

    /// Takes out what [`Trap::with_data`] was given; the trap itself back if it is not of type
    /// `T`.
    ///
    /// # Errors
    ///
    /// The trap.
    pub fn into_data<T: Any>(mut self) -> Result<(Box<T>, Vec<Frame>), Trap> {
        match self.reason {
            Reason::Data(message, data) => match data.downcast() {
                Ok(data) => Ok((data, self.frames)),
                Err(data) => {
                    self.reason = Reason::Data(message, data);
                    Err(self)
                }
            },
            _ => Err(self),
        }
    }

    /// The trap as it passes through wasm.
    pub(super) fn into_host_error(self) -> HostError {
        let exception = self.exception.as_ref().map(|exception| exception.handle().clone());
        let traced = self.traced || !self.frames.is_empty();
        HostError { traced, exception, data: Box::new(self) }
    }

    /// The trap that the runtime has raised.
    pub(super) fn from_raised(raised: Raised) -> Trap {
        let mut trap = match raised.cause {
            Cause::Trap(code) => Trap::of(Reason::Code(code)),
            Cause::Internal(message) => Trap::new(message),
            Cause::Host(error) => from_host(error),
            Cause::Exception(handle) => Exception::from_handle(handle).into(),
        };
        // One that has come through a host function from a deeper entry has its frames already.
        if trap.frames.is_empty() {
            trap.frames = raised.frames.into_iter().map(Frame::from_vm).collect();
        }
        trap
    }
}

/// The trap in a host function's error.
fn from_host(error: HostError) -> Trap {
    let error = match error.data.downcast::<Trap>() {
        Ok(trap) => return *trap,
        Err(error) => error,
    };
    match error.downcast::<HostPanic>() {
        Ok(panic) => Trap::new(panic.0),
        Err(_) => Trap::new("a host function has failed"),
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Code(code) => code.fmt(f),
            Reason::Message(message) | Reason::Data(message, _) => f.write_str(message),
        }
    }
}

impl fmt::Debug for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        self.frames.iter().try_for_each(|frame| write!(f, "\n    at {frame}"))
    }
}

impl std::error::Error for Trap {}

impl From<TrapCode> for Trap {
    fn from(code: TrapCode) -> Trap {
        Trap::of(Reason::Code(code))
    }
}

/// A function that was running when a trap ended execution.
#[derive(Clone)]
pub struct Frame(trap::Frame);

impl Frame {
    pub(super) fn from_vm(frame: trap::Frame) -> Frame {
        Frame(frame)
    }

    pub(super) fn into_vm(self) -> trap::Frame {
        self.0
    }

    /// The instance whose function it is.
    pub fn instance(&self) -> Instance {
        Instance::from_handle(self.0.instance.clone())
    }

    /// The function's index in its module.
    pub fn func_index(&self) -> FuncIndex {
        self.instance().module().info().func_index(self.0.func)
    }

    /// The offset in bytes, from the start of the function's body, of the instruction that was
    /// being executed.
    pub fn func_offset(&self) -> usize {
        self.0.offset as usize
    }

    /// The offset in bytes, from the start of the module, of that instruction.
    pub fn module_offset(&self) -> usize {
        self.instance().module().info().bodies[self.0.func].start as usize + self.func_offset()
    }

    /// The function's name, if the module's name section has one.
    pub fn func_name(&self) -> Option<String> {
        self.instance().module().func_name(self.func_index()).map(str::to_owned)
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = self.func_index().as_u32();
        match self.func_name() {
            Some(name) => write!(f, "{name}")?,
            None => write!(f, "func[{index}]")?,
        }
        write!(f, " ({:#x})", self.module_offset())
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
