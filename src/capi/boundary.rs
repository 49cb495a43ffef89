//! The boundary to C: panics stop here, errors become the thread's last error.

use std::cell::RefCell;
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::engine::Error;

/// Runs the body of an exported function. A panic becomes `default` and the last error.
pub(super) fn guard<T>(default: T, body: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(panic) => {
            let message = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
                (Some(message), _) => message,
                (_, Some(message)) => message.as_str(),
                (None, None) => "no message",
            };
            set_error(LastError::new(ErrorCode::Internal, format!("internal error: {message}")));
            default
        }
    }
}

/// Keeps the library's panics, which [`guard`] turns into errors, off the standard error stream.
pub(super) fn silence_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
}

/// What has gone wrong last on a thread.
#[derive(Clone)]
pub(super) struct LastError {
    /// What kind of error it is.
    pub(super) code: ErrorCode,
    /// The text.
    pub(super) message: CString,
    /// The offset into the module's bytes, for an invalid module.
    pub(super) offset: Option<usize>,
    /// The module and name of the import, for a link error.
    pub(super) import: Option<(CString, CString)>,
}

/// Kinds of errors; the numbers are those of `tenon_error_code_t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum ErrorCode {
    /// No error.
    None = 0,
    /// An argument is null or makes no sense.
    Argument = 1,
    /// The bytes are no valid module.
    Invalid = 2,
    /// The module cannot be compiled.
    Compile = 3,
    /// An import is missing or does not fit.
    Link = 4,
    /// A value or an object is of the wrong type or store.
    Type = 5,
    /// A limit is reached, or the system has no more of something.
    Limit = 6,
    /// The bytes are no artifact of this engine.
    Artifact = 7,
    /// A setting is wrong.
    Config = 8,
    /// Execution has ended by a trap.
    Trap = 9,
    /// The library has failed.
    Internal = 10,
}

impl LastError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> LastError {
        LastError { code, message: c_string(message.into()), offset: None, import: None }
    }
}

/// Text as C wants it; what follows a zero byte is lost.
fn c_string(text: String) -> CString {
    CString::new(text).unwrap_or_else(|error| {
        let end = error.nul_position();
        let mut bytes = error.into_vec();
        bytes.truncate(end);
        CString::new(bytes).expect("it was cut before the first zero byte")
    })
}

impl From<&Error> for LastError {
    fn from(error: &Error) -> LastError {
        let message = error.to_string();
        let code = match error {
            Error::Invalid { .. } => ErrorCode::Invalid,
            Error::Compile(_) => ErrorCode::Compile,
            Error::Link { .. } => ErrorCode::Link,
            Error::Type(_) => ErrorCode::Type,
            Error::Limit(_) => ErrorCode::Limit,
            Error::Artifact(_) => ErrorCode::Artifact,
            Error::Config(_) => ErrorCode::Config,
            Error::Trap(_) => ErrorCode::Trap,
        };
        let mut last = LastError::new(code, message);
        match error {
            Error::Invalid { offset, .. } => last.offset = *offset,
            Error::Link { module, name, .. } => {
                last.import = Some((c_string(module.clone()), c_string(name.clone())));
            }
            _ => {}
        }
        last
    }
}

thread_local! {
    static LAST: RefCell<Option<Box<LastError>>> = const { RefCell::new(None) };
}

/// Makes `error` the thread's last.
pub(super) fn set_error(error: LastError) {
    // A thread that is exiting has no last error any more.
    let _ = LAST.try_with(|last| *last.borrow_mut() = Some(Box::new(error)));
}

/// Calls `read` with the thread's last error.
pub(super) fn with_error<T>(read: impl FnOnce(Option<&LastError>) -> T) -> T {
    let last = LAST.try_with(|last| last.borrow().clone()).ok().flatten();
    read(last.as_deref())
}

/// Forgets the thread's last error.
pub(super) fn clear_error() {
    let _ = LAST.try_with(|last| *last.borrow_mut() = None);
}

/// The body of an exported function that says by a code whether it has succeeded: none is a failure
/// that has set the last error.
pub(super) fn outcome(body: impl FnOnce() -> Option<()>) -> u8 {
    guard(ErrorCode::Internal as u8, || match body() {
        Some(()) => ErrorCode::None as u8,
        None => with_error(|error| error.map_or(ErrorCode::Internal, |error| error.code) as u8),
    })
}

/// None, after the last error has been set to say that an argument makes no sense.
pub(super) fn refuse<T>(message: &str) -> Option<T> {
    set_error(LastError::new(ErrorCode::Argument, message));
    None
}

/// What results and options become on their way to C: a value, or none and the last error.
pub(super) trait OrError<T> {
    /// The value, or none after the last error has been set.
    fn or_error(self) -> Option<T>;
}

impl<T> OrError<T> for Result<T, Error> {
    fn or_error(self) -> Option<T> {
        self.map_err(|error| set_error(LastError::from(&error))).ok()
    }
}

/// Pointers that C passes: the value that they point to, or none and the last error.
pub(super) trait Argument<'a, T> {
    /// What it points to; none, and the last error, when it is null.
    fn or_null_error(self, name: &str) -> Option<&'a T>;
}

impl<'a, T> Argument<'a, T> for Option<&'a T> {
    fn or_null_error(self, name: &str) -> Option<&'a T> {
        if self.is_none() {
            set_error(LastError::new(ErrorCode::Argument, format!("{name} is null")));
        }
        self
    }
}

/// What a pointer that C passes as not constant points to.
///
/// # Safety
///
/// The pointer is null or to a live value that nobody changes meanwhile but by shared means.
pub(super) unsafe fn shared<'a, T>(pointer: *mut T, name: &str) -> Option<&'a T> {
    // SAFETY: the caller's contract.
    unsafe { pointer.as_ref() }.or_null_error(name)
}
