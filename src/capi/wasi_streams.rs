//! What `wasi.h` has beyond Wasmer's functions: directories to read only; standard streams that are
//! descriptors, bytes, bounded buffers or callbacks; clocks and random bytes of the embedder's.

use std::ffi::{OsStr, c_char, c_void};
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;

use super::boundary::{guard, refuse};
use super::func::Environment;
use super::wasi::{STDERR, STDIN, STDOUT, settings, text, wasi_config_t};
use crate::wasi::{Capture, Clock, Stream};

/// A standard stream (`tenon_wasi_stream_enum`).
pub type tenon_wasi_stream_t = u8;

/// Fills a buffer of `len` bytes, which is never empty; returns how many bytes those are, 0 at the
/// end, or a negative number when that fails. Must return, and must not use the guest's store.
pub type tenon_wasi_read_t =
    Option<unsafe extern "C" fn(env: *mut c_void, buffer: *mut c_char, len: usize) -> isize>;

/// Takes `len` bytes, of which there is at least one; returns how many were taken, or a negative
/// number when that fails; 0 tells the guest that there is no space. Must return, and must not use
/// the guest's store.
pub type tenon_wasi_write_t =
    Option<unsafe extern "C" fn(env: *mut c_void, bytes: *const c_char, len: usize) -> isize>;

/// Tells what a clock shows, in nanoseconds: 0 is the time of day, since 1970; 1 never goes back;
/// 2 and 3 are the processor's time of process and thread. Must return, and must not use the
/// guest's store.
pub type tenon_wasi_clock_t = Option<unsafe extern "C" fn(env: *mut c_void, clock: u32) -> u64>;

/// Fills `len` bytes by chance. Must return, and must not use the guest's store.
pub type tenon_wasi_random_t =
    Option<unsafe extern "C" fn(env: *mut c_void, bytes: *mut c_char, len: usize)>;

/// A callback that reads, as a reader.
struct Reading {
    read: unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> isize,
    environment: Environment,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // SAFETY: the callback keeps to its contract; the buffer is as long as it is told.
        let read =
            unsafe { (self.read)(self.environment.env, buffer.as_mut_ptr().cast(), buffer.len()) };
        usize::try_from(read).map_err(|_| io::ErrorKind::Other.into())
    }
}

/// A callback that writes, as a writer.
struct Writing {
    write: unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> isize,
    environment: Environment,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        // SAFETY: the callback keeps to its contract; there are as many bytes as it is told.
        let written =
            unsafe { (self.write)(self.environment.env, bytes.as_ptr().cast(), bytes.len()) };
        usize::try_from(written).map_err(|_| io::ErrorKind::Other.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sets one of the streams; fails for what is none.
fn set(config: &mut wasi_config_t, number: tenon_wasi_stream_t, stream: Stream) -> Option<()> {
    match number {
        STDIN => config.config.stdin(stream),
        STDOUT => {
            config.stdout = None;
            config.config.stdout(stream)
        }
        STDERR => {
            config.stderr = None;
            config.config.stderr(stream)
        }
        _ => return refuse("there is no such standard stream"),
    };
    Some(())
}

/// Gives the program a directory of the host under a name of its own, to read, and to write if
/// `writable`. What is opened below it has no more rights than that. Returns false when it cannot
/// be opened.
///
/// Ownership: borrows all.
///
/// # Safety
///
/// The settings are live or null, the texts are terminated by a zero byte or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wasi_config_dir(
    config: *mut wasi_config_t,
    host: *const c_char,
    guest: *const c_char,
    writable: bool,
) -> bool {
    let give = || {
        // SAFETY: the contract of this function.
        let (config, guest) = unsafe { (settings(config)?, text(guest, "the guest's name")?) };
        // SAFETY: the contract of this function.
        let host = OsStr::from_bytes(unsafe { text(host, "the directory") }?);
        let Ok(guest) = std::str::from_utf8(guest) else {
            return refuse("the guest's name is not UTF-8");
        };
        match config.config.dir(host, guest, writable) {
            Ok(_) => Some(()),
            Err(error) => refuse(&format!("{}: {error}", host.display())),
        }
    };
    guard(false, || give().is_some())
}

/// Lets a standard stream lead nowhere: reads end at once, writes vanish. Returns false when there
/// is no such stream.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wasi_config_null(
    config: *mut wasi_config_t,
    stream: tenon_wasi_stream_t,
) -> bool {
    // SAFETY: the contract of this function.
    guard(false, || (|| set(unsafe { settings(config) }?, stream, Stream::null()))().is_some())
}

/// Lets a standard stream be a descriptor of the host's: a file, a pipe, a socket. Writing to a pipe
/// that nobody reads fails in the program; the host gets no SIGPIPE. Returns false when the
/// descriptor is not open or there is no such stream.
///
/// Ownership: borrows the settings; the descriptor is duplicated, so that the caller closes its own.
///
/// # Safety
///
/// The settings are live or null; the descriptor is not closed meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wasi_config_fd(
    config: *mut wasi_config_t,
    stream: tenon_wasi_stream_t,
    fd: i32,
) -> bool {
    let lead = || {
        // SAFETY: the contract of this function.
        let config = unsafe { settings(config) }?;
        if fd < 0 {
            return refuse("the descriptor is negative");
        }
        // SAFETY: it is only duplicated, which fails for one that is not open.
        match unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned() {
            Ok(fd) => set(config, stream, Stream::fd(fd)),
            Err(error) => refuse(&format!("the descriptor {fd}: {error}")),
        }
    };
    guard(false, || lead().is_some())
}

/// Lets the program read `len` bytes from its standard input. Returns false when there are bytes
/// but the pointer to them is null.
///
/// Ownership: borrows the settings; the bytes are copied.
///
/// # Safety
///
/// The settings are live or null, `len` bytes can be read or the pointer is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wasi_config_stdin_bytes(
    config: *mut wasi_config_t,
    bytes: *const c_char,
    len: usize,
) -> bool {
    let lead = || {
        // SAFETY: the contract of this function.
        let config = unsafe { settings(config) }?;
        let bytes = match (bytes.is_null(), len) {
            (_, 0) => &[],
            (true, _) => return refuse("the bytes are null"),
            // SAFETY: the contract of this function.
            (false, _) => unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), len) },
        };
        set(config, STDIN, Stream::bytes(bytes))
    };
    guard(false, || lead().is_some())
}

/// Keeps what the program writes to its standard output or error, at most `bound` bytes that nobody
/// has read yet (`wasi_env_read_stdout`, `wasi_env_read_stderr`); writing more fails in the program.
/// Returns false when there is no such stream.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wasi_config_capture(
    config: *mut wasi_config_t,
    stream: tenon_wasi_stream_t,
    bound: usize,
) -> bool {
    let capture = || {
        // SAFETY: the contract of this function.
        let config = unsafe { settings(config) }?;
        if stream == STDIN {
            return refuse("the standard input is not written to");
        }
        let capture = Capture::new(Some(bound));
        set(config, stream, Stream::capture(&capture))?;
        let kept = if stream == STDOUT { &mut config.stdout } else { &mut config.stderr };
        *kept = Some(capture);
        Some(())
    };
    guard(false, || capture().is_some())
}

/// Calls a function whenever the program reads from its standard input. Returns false when
/// settings or callback are null; the finalizer has run then.
///
/// Ownership: borrows the settings, takes the environment over: the finalizer, unless it is null,
/// runs when nothing can call the callback any more.
///
/// # Safety
///
/// The settings are live or null; callback and finalizer keep to their contracts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wasi_config_read(
    config: *mut wasi_config_t,
    read: tenon_wasi_read_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
) -> bool {
    let lead = |environment| {
        // SAFETY: the contract of this function.
        let config = unsafe { settings(config) }?;
        let Some(read) = read else { return refuse("the callback is null") };
        set(config, STDIN, Stream::reader(Reading { read, environment }))
    };
    guard(false, || lead(Environment { env, finalizer }).is_some())
}

/// Calls a function whenever the program writes to its standard output or error. Returns false when
/// settings or callback are null or there is no such stream; the finalizer has run then.
///
/// Ownership: borrows the settings, takes the environment over: the finalizer, unless it is null,
/// runs when nothing can call the callback any more.
///
/// # Safety
///
/// The settings are live or null; callback and finalizer keep to their contracts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wasi_config_write(
    config: *mut wasi_config_t,
    stream: tenon_wasi_stream_t,
    write: tenon_wasi_write_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
) -> bool {
    let lead = |environment| {
        // SAFETY: the contract of this function.
        let config = unsafe { settings(config) }?;
        let Some(write) = write else { return refuse("the callback is null") };
        if stream == STDIN {
            return refuse("the standard input is not written to");
        }
        set(config, stream, Stream::writer(Writing { write, environment }))
    };
    guard(false, || lead(Environment { env, finalizer }).is_some())
}

/// Gives the program clocks of the host's making, for instance such that show the same in every
/// run. When the program waits for one of them, it waits for the difference to what the clock shows
/// then. Returns false when settings or callback are null; the finalizer has run then.
///
/// Ownership: borrows the settings, takes the environment over: the finalizer, unless it is null,
/// runs when nothing can call the callback any more.
///
/// # Safety
///
/// The settings are live or null; callback and finalizer keep to their contracts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wasi_config_clock(
    config: *mut wasi_config_t,
    clock: tenon_wasi_clock_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
) -> bool {
    let give = |environment: Environment| {
        // SAFETY: the contract of this function.
        let config = unsafe { settings(config) }?;
        let Some(show) = clock else { return refuse("the callback is null") };
        config.config.clock(move |clock: Clock| {
            let environment = &environment;
            // SAFETY: the callback keeps to its contract.
            unsafe { show(environment.env, clock as u32) }
        });
        Some(())
    };
    guard(false, || give(Environment { env, finalizer }).is_some())
}

/// Gives the program random bytes of the host's making, for instance the same in every run. Returns
/// false when settings or callback are null; the finalizer has run then.
///
/// Ownership: borrows the settings, takes the environment over: the finalizer, unless it is null,
/// runs when nothing can call the callback any more.
///
/// # Safety
///
/// The settings are live or null; callback and finalizer keep to their contracts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wasi_config_random(
    config: *mut wasi_config_t,
    random: tenon_wasi_random_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
) -> bool {
    let give = |environment: Environment| {
        // SAFETY: the contract of this function.
        let config = unsafe { settings(config) }?;
        let Some(fill) = random else { return refuse("the callback is null") };
        config.config.random(move |bytes: &mut [u8]| {
            let environment = &environment;
            // SAFETY: the callback keeps to its contract; there are as many bytes as it is told.
            unsafe { fill(environment.env, bytes.as_mut_ptr().cast(), bytes.len()) };
        });
        Some(())
    };
    guard(false, || give(Environment { env, finalizer }).is_some())
}
