//! `tenon.h`: what Tenon adds to the standard.

use std::ffi::{CStr, CString, OsStr, c_char};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::boundary::{
    Argument, ErrorCode, LastError, OrError, clear_error, guard, refuse, set_error, shared,
    with_error,
};
use super::engine::{wasm_config_t, wasm_engine_t};
use super::frame::wasm_frame_t;
use super::module::module_from;
use super::object::{wasm_module_t, wasm_trap_t};
use super::store::wasm_store_t;
use super::trap::StoredTrap;
use super::val::{wasm_byte_vec_t, wasm_name_t};
use crate::engine::{Compilation, Config, Error, Feature, Features, Module};
use crate::wasi::Exit;

/// Whether a call has succeeded, or what kind of error it has met (`tenon_error_code_enum`): 0 for
/// success. The thread's last error says more.
pub type tenon_error_code_t = u8;

/// Returns the version of the library, as in `"1.2.3"`.
///
/// Ownership: the text lives as long as the library.
#[unsafe(no_mangle)]
pub extern "C" fn tenon_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// Returns the kind of the last error on this thread, 0 if there was none. Whatever returns null or
/// false sets the last error; what succeeds leaves it as it is.
#[unsafe(no_mangle)]
pub extern "C" fn tenon_last_error_code() -> tenon_error_code_t {
    guard(0, || with_error(|error| error.map_or(ErrorCode::None, |error| error.code) as u8))
}

/// Copies the text of the last error on this thread to a buffer, cut to its size and terminated by
/// a zero byte. Returns the size that the whole text takes, its zero byte included; 0 if there was
/// no error.
///
/// Ownership: borrows the buffer.
///
/// # Safety
///
/// `size` bytes can be written to the buffer, or it is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_last_error_message(buffer: *mut c_char, size: usize) -> usize {
    guard(0, || {
        // SAFETY: the contract of this function.
        with_error(|error| unsafe { copy_text(error.map(|e| &e.message), buffer, size) })
    })
}

/// Returns whether the last error on this thread is about a place in a module's bytes, and writes
/// the place's offset to `out` unless that is null.
///
/// Ownership: borrows `out`.
///
/// # Safety
///
/// `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_last_error_offset(out: *mut usize) -> bool {
    guard(false, || {
        let offset = with_error(|error| error.and_then(|error| error.offset));
        if let Some(offset) = offset
            && !out.is_null()
        {
            // SAFETY: the contract of this function.
            unsafe { out.write(offset) };
        }
        offset.is_some()
    })
}

/// As `tenon_last_error_message`, the module name of the import that the last error is about.
///
/// Ownership: borrows the buffer.
///
/// # Safety
///
/// `size` bytes can be written to the buffer, or it is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_last_error_import_module(buffer: *mut c_char, size: usize) -> usize {
    guard(0, || {
        let import = with_error(|error| error.and_then(|error| error.import.clone()));
        // SAFETY: the contract of this function.
        unsafe { copy_text(import.as_ref().map(|import| &import.0), buffer, size) }
    })
}

/// As `tenon_last_error_message`, the name of the import that the last error is about.
///
/// Ownership: borrows the buffer.
///
/// # Safety
///
/// `size` bytes can be written to the buffer, or it is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_last_error_import_name(buffer: *mut c_char, size: usize) -> usize {
    guard(0, || {
        let import = with_error(|error| error.and_then(|error| error.import.clone()));
        // SAFETY: the contract of this function.
        unsafe { copy_text(import.as_ref().map(|import| &import.1), buffer, size) }
    })
}

/// Forgets the last error on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn tenon_last_error_clear() {
    guard((), clear_error);
}

/// # Safety
///
/// `size` bytes can be written to the buffer, or it is null.
unsafe fn copy_text(text: Option<&CString>, buffer: *mut c_char, size: usize) -> usize {
    let Some(text) = text else { return 0 };
    let bytes = text.as_bytes_with_nul();
    if !buffer.is_null() && size > 0 {
        let len = bytes.len().min(size);
        // SAFETY: the caller's contract.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), buffer, len);
            buffer.add(len - 1).write(0);
        }
    }
    bytes.len()
}

/// Returns the name of a WebAssembly feature that can be switched on and off; null when `index` is
/// not below their number. Features are numbered from 0 on.
///
/// Ownership: the text lives as long as the library.
#[unsafe(no_mangle)]
pub extern "C" fn tenon_feature_name(index: usize) -> *const c_char {
    use std::sync::OnceLock;
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    guard(std::ptr::null(), || {
        let names = NAMES.get_or_init(|| {
            let names = Feature::ALL.iter().map(|feature| feature.name());
            names.map(|name| CString::new(name).expect("names have no zero bytes")).collect()
        });
        names.get(index).map_or(std::ptr::null(), |name| name.as_ptr())
    })
}

/// Returns whether a feature (see `tenon_feature_name`) is on unless it is switched off; false for
/// numbers that no feature has.
#[unsafe(no_mangle)]
pub extern "C" fn tenon_feature_is_default(index: usize) -> bool {
    let feature = Feature::ALL.get(index);
    guard(false, || feature.is_some_and(|feature| Features::default().has(*feature)))
}

/// Changes settings; the kind of error when that fails.
///
/// # Safety
///
/// The settings are live or null, and nobody else uses them.
pub(super) unsafe fn configure(
    config: *mut wasm_config_t,
    change: impl FnOnce(&mut Config) -> Option<()>,
) -> tenon_error_code_t {
    let failed = || with_error(|error| error.map_or(ErrorCode::Internal, |error| error.code) as u8);
    guard(ErrorCode::Internal as u8, || {
        // SAFETY: the caller's contract.
        let Some(config) = (unsafe { config.as_mut() }) else {
            refuse::<()>("the settings are null");
            return failed();
        };
        change(&mut config.0).map_or_else(failed, |()| ErrorCode::None as u8)
    })
}

/// Switches a WebAssembly feature on or off by its name (see `tenon_feature_name`). Modules that
/// need a feature that is off are invalid.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The settings are live or null, the name is terminated by a zero byte or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_feature_set(
    config: *mut wasm_config_t,
    name: *const c_char,
    on: bool,
) -> tenon_error_code_t {
    let change = |config: &mut Config| {
        if name.is_null() {
            return refuse("the name is null");
        }
        // SAFETY: the contract of this function.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        config.feature_by_name(&name, on).map(drop).or_error()
    };
    // SAFETY: the contract of this function.
    unsafe { configure(config, change) }
}

/// Sets whether every condition that traps is checked by code, so that no signal handler is needed
/// and none is installed. Off by default.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_explicit_checks_set(
    config: *mut wasm_config_t,
    on: bool,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.explicit_checks(on);
            Some(())
        })
    }
}

/// Sets how many bytes of address space to reserve for each memory. With 4 GiB (the default) or
/// more, code needs no bounds checks; with less, accesses are checked, and memories move when they
/// grow beyond what is reserved.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_memory_reservation_set(
    config: *mut wasm_config_t,
    bytes: u64,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.memory_reservation(bytes);
            Some(())
        })
    }
}

/// Sets how many bytes of stack wasm may use, counted from where the host calls it; 1 MiB by
/// default. Smaller stacks of threads are respected in any case.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_max_stack_set(
    config: *mut wasm_config_t,
    bytes: usize,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.max_stack(bytes);
            Some(())
        })
    }
}

/// Sets whether every NaN that an operation makes is the canonical one, so that results do not
/// depend on the machine. Includes `tenon_config_relaxed_simd_deterministic_set`. Off by default.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_nan_canonicalization_set(
    config: *mut wasm_config_t,
    on: bool,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.canonicalize_nans(on);
            Some(())
        })
    }
}

/// Sets whether relaxed vector instructions have the results of the specification's deterministic
/// profile, the same on every machine, instead of those that are the fastest on this one. Off by
/// default.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_relaxed_simd_deterministic_set(
    config: *mut wasm_config_t,
    on: bool,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.relaxed_simd_deterministic(on);
            Some(())
        })
    }
}

/// Sets whether code uses only what every supported processor has, so that serialized modules can
/// be used on others than this one, by engines with the same setting. Off by default.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_baseline_cpu_set(
    config: *mut wasm_config_t,
    on: bool,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.baseline_cpu(on);
            Some(())
        })
    }
}

/// Sets whether `wasm_module_serialize` and `tenon_module_serialize_file` keep the bytes that a
/// module was made of. Off by default: compiled modules are smaller without the bodies of
/// functions. What needs them is an instance for whose memory there is no address space to reserve
/// (see `tenon_config_memory_reservation_set`): with the source, other code is compiled for it;
/// without, `wasm_instance_new` fails.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_serialize_source_set(
    config: *mut wasm_config_t,
    on: bool,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.serialize_source(on);
            Some(())
        })
    }
}

/// When functions are compiled (`tenon_compilation_enum`).
pub type tenon_compilation_t = u8;

/// Sets when functions are compiled: `TENON_COMPILATION_ADAPTIVE` by default.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_compilation_set(
    config: *mut wasm_config_t,
    when: tenon_compilation_t,
) -> tenon_error_code_t {
    let when = match when {
        0 => Some(Compilation::Adaptive),
        1 => Some(Compilation::Eager),
        2 => Some(Compilation::Lazy),
        3 => Some(Compilation::Ahead),
        _ => None,
    };
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            let Some(when) = when else { return refuse("there is no such time to compile") };
            config.compilation(when);
            Some(())
        })
    }
}

/// Sets after how many calls of a function, and turns of its loops, it is compiled again, to optimized
/// code; until then it runs baseline code, which is made in half the time and takes about twice as
/// long. With 0, functions are optimized at once, as they are where they are compiled before they are
/// called (`TENON_COMPILATION_EAGER`, small modules). 1000 by default.
///
/// Threads of the engine make optimized code, or the calling thread with `TENON_COMPILATION_LAZY`.
/// Loops go on in it. What code does is the same, but for how much stack it takes.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_tier_up_after_set(
    config: *mut wasm_config_t,
    count: u32,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.tier_up_after(count);
            Some(())
        })
    }
}

/// Sets whether each function is compiled when it is called for the first time, instead of all when
/// their module is made: `TENON_COMPILATION_LAZY` or `TENON_COMPILATION_EAGER`.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_config_lazy_compilation_set(
    config: *mut wasm_config_t,
    on: bool,
) -> tenon_error_code_t {
    let when = if on { Compilation::Lazy } else { Compilation::Eager };
    // SAFETY: the contract of this function.
    unsafe {
        configure(config, |config| {
            config.compilation(when);
            Some(())
        })
    }
}

/// Puts the signal handlers of the library back where the host has replaced them since the engine
/// was made. Traps of wasm then work again, and the host's handlers get all other signals.
///
/// Ownership: borrows the engine.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_engine_reinstall_signal_handlers(engine: *mut wasm_engine_t) {
    guard((), || {
        // SAFETY: the contract of this function.
        if let Some(engine) = unsafe { shared(engine, "the engine") } {
            engine.0.reinstall_signal_handlers();
        }
    });
}

/// Frees everything in a store that nothing reaches, now; without it that happens often enough to
/// keep the garbage a small part of the store. While code of the store runs, that is, in a callback,
/// only objects are freed: structs, arrays, exceptions, and those of the host.
///
/// Ownership: borrows the store.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_collect(store: *mut wasm_store_t) {
    guard((), || {
        // SAFETY: the contract of this function.
        if let Some(store) = unsafe { shared(store, "the store") } {
            store.0.collect();
        }
    });
}

/// Makes a module of text in the text format, or of bytes in the binary format. Returns null when
/// they are neither.
///
/// Ownership: borrows store and text; the caller owns the result and releases it with
/// `wasm_module_delete`.
///
/// # Safety
///
/// The store is live or null, the vector is whole or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_module_new_wat(
    store: *mut wasm_store_t,
    text: Option<&wasm_byte_vec_t>,
) -> Option<Box<wasm_module_t>> {
    // SAFETY: the contract of this function.
    unsafe { module_from(store, text, |store, text| Module::from_text(store.engine(), text)) }
}

/// Writes what `wasm_module_serialize` returns to a file, for `tenon_module_deserialize_file`. A file
/// of this name is replaced, which modules that have been made of it do not notice.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The module is live or null, the path is terminated by a zero byte or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_module_serialize_file(
    module: Option<&wasm_module_t>,
    path: *const c_char,
) -> tenon_error_code_t {
    let written = || {
        let module = module.or_null_error("the module")?.module();
        // SAFETY: the contract of this function.
        module.serialize_file(unsafe { path_of(path) }?).or_error()
    };
    let failed = || with_error(|error| error.map_or(ErrorCode::Internal, |error| error.code));
    guard(ErrorCode::Internal as u8, || written().map_or_else(failed, |()| ErrorCode::None) as u8)
}

/// Makes a module of a file that `tenon_module_serialize_file` has written, or of one with the
/// bytes of `wasm_module_serialize`. The file is used where it is: what is not needed of it is not
/// read, and processes that use the same file share its memory. Returns null when the file cannot
/// be read, or as `wasm_module_deserialize` does.
///
/// For as long as the module, or an instance of it, is there, nobody may write to the file or make
/// it shorter; a process that runs code of such a file ends by SIGBUS. The file may be removed, and
/// replaced by another of its name.
///
/// Ownership: borrows both; the caller owns the result and releases it with `wasm_module_delete`.
///
/// # Safety
///
/// The store is live or null, the path is terminated by a zero byte or null, and the file is
/// trusted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_module_deserialize_file(
    store: *mut wasm_store_t,
    path: *const c_char,
) -> Option<Box<wasm_module_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = &unsafe { shared(store, "the store") }?.0;
        // SAFETY: the contract of this function.
        let path = unsafe { path_of(path) }?;
        let unreadable = |error| Error::Artifact(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(unreadable).or_error()?;
        // SAFETY: the contract of this function.
        let module = unsafe { Module::deserialize_file(store.engine(), &file) }.or_error()?;
        Some(wasm_module_t::stored(store, module))
    })
}

/// A path of C's.
///
/// # Safety
///
/// The path is terminated by a zero byte, and lives as long as the result, or is null.
unsafe fn path_of<'a>(path: *const c_char) -> Option<&'a Path> {
    if path.is_null() {
        return refuse("the path is null");
    }
    // SAFETY: the caller's contract.
    let path = unsafe { CStr::from_ptr(path) };
    Some(Path::new(OsStr::from_bytes(path.to_bytes())))
}

/// Translates text in the text format to the binary format; bytes in the binary format are copied.
/// Writes an empty vector when it fails.
///
/// Ownership: borrows the text; the caller owns the vector.
///
/// # Safety
///
/// The text is whole or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wat2wasm(
    text: Option<&wasm_byte_vec_t>,
    out: *mut wasm_byte_vec_t,
) -> tenon_error_code_t {
    guard(ErrorCode::Internal as u8, || {
        if out.is_null() {
            refuse::<()>("the result has no place");
            return ErrorCode::Argument as u8;
        }
        let translated = text.or_null_error("the text").and_then(|text| {
            // SAFETY: the contract of this function.
            Module::text_to_binary(unsafe { text.as_bytes() }).or_error()
        });
        let code = match &translated {
            Some(_) => ErrorCode::None,
            None => with_error(|error| error.map_or(ErrorCode::Internal, |error| error.code)),
        };
        // SAFETY: the contract of this function.
        unsafe { out.write(wasm_byte_vec_t::of_bytes(&translated.unwrap_or_default())) };
        code as u8
    })
}

/// Returns whether a module's name section names it, and writes the name to `out`, an empty one if
/// not.
///
/// Ownership: borrows the module; the caller owns the name.
///
/// # Safety
///
/// The module is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_module_name(
    module: Option<&wasm_module_t>,
    out: *mut wasm_name_t,
) -> bool {
    guard(false, || {
        let name = module.or_null_error("the module").and_then(|module| module.module().name());
        if name.is_none() && module.is_some() {
            set_error(LastError::new(ErrorCode::Argument, "the module has no name"));
        }
        if !out.is_null() {
            // SAFETY: the contract of this function.
            unsafe { out.write(wasm_name_t::of_bytes(name.unwrap_or_default().as_bytes())) };
        }
        name.is_some()
    })
}

/// Returns the name of the function that was running, if its module's name section has one; else
/// null.
///
/// Ownership: the result belongs to the frame.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_frame_func_name(frame: Option<&wasm_frame_t>) -> *const wasm_name_t {
    guard(std::ptr::null(), || {
        let name = frame.or_null_error("the frame").and_then(wasm_frame_t::func_name);
        name.map_or(std::ptr::null(), std::ptr::from_ref)
    })
}

/// One of the traps of `tenon_trap_code_enum`; 0 for any other.
pub type tenon_trap_code_t = u8;

/// Returns which of the traps of `tenon_trap_code_enum` it is; 0 for any other trap, and for null.
///
/// Ownership: borrows the trap.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_trap_code(trap: Option<&wasm_trap_t>) -> tenon_trap_code_t {
    guard(0, || {
        let stored: Option<&StoredTrap> = trap.and_then(|trap| trap.object().data());
        stored.and_then(StoredTrap::code).map_or(0, |code| code as u8)
    })
}

/// Returns whether a trap is the end of a program by WASI's `proc_exit`, and writes the program's
/// exit status to `out` unless that is null.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The trap is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_trap_exit_status(trap: Option<&wasm_trap_t>, out: *mut u32) -> bool {
    let status = || {
        let stored: &StoredTrap = trap.or_null_error("the trap")?.object().data()?;
        match stored.data::<Exit>() {
            Some(exit) => Some(exit.0),
            None => refuse("the trap is not the end of a program"),
        }
    };
    guard(false, || {
        let Some(status) = status() else { return false };
        if !out.is_null() {
            // SAFETY: the contract of this function.
            unsafe { out.write(status) };
        }
        true
    })
}
