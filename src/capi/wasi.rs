//! `wasi.h`: programs that talk to their system through WASI.

use std::ffi::{CStr, c_char};

use super::boundary::{Argument, ErrorCode, LastError, OrError, guard, refuse, set_error, shared};
use super::extern_::wasm_extern_vec_t;
use super::families::{Copied, own, vec};
use super::object::{wasm_extern_t, wasm_func_t, wasm_instance_t, wasm_memory_t, wasm_module_t};
use super::store::wasm_store_t;
use super::val::{wasm_byte_vec_t, wasm_name_t};
use super::wasi_streams::{tenon_wasi_config_capture, tenon_wasi_config_dir};
use crate::engine::{Error, Extern, Module, Store};
use crate::wasi::{Capture, Config, Snapshot, WASIX_MODULE, Wasi};

/// The standard streams (`tenon_wasi_stream_enum`).
pub(super) const STDIN: u8 = 0;
pub(super) const STDOUT: u8 = 1;
pub(super) const STDERR: u8 = 2;

/// The most bytes that captured streams keep unless another bound is set.
const CAPTURED: usize = 64 << 20;

/// What a program gets from its host: arguments, variables, directories, streams.
pub struct wasi_config_t {
    pub(super) config: Config,
    /// What keeps the output, where it is captured.
    pub(super) stdout: Option<Capture>,
    pub(super) stderr: Option<Capture>,
}

/// The state of a program's system: its open files, its captured output.
pub struct wasi_env_t {
    store: Store,
    wasi: Wasi,
    stdout: Option<Capture>,
    stderr: Option<Capture>,
}

impl wasi_env_t {
    /// None, and the last error, for another store than that of the state.
    fn check(&self, store: &Store) -> Option<()> {
        if self.store.is(store) {
            return Some(());
        }
        refuse("the state belongs to another store")
    }
}

impl wasi_config_t {
    /// The settings without the streams, to change.
    pub(super) fn config(&mut self) -> &mut Config {
        &mut self.config
    }
}

own! {
    wasi_config_t wasi_config_delete;
    wasi_env_t wasi_env_delete;
}

/// Text of C, without its zero byte.
///
/// # Safety
///
/// The text is terminated by a zero byte, or null.
pub(super) unsafe fn text<'a>(text: *const c_char, name: &str) -> Option<&'a [u8]> {
    if text.is_null() {
        return refuse(&format!("{name} is null"));
    }
    // SAFETY: the caller's contract.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// Settings to change.
///
/// # Safety
///
/// The settings are live or null, and nobody else uses them.
pub(super) unsafe fn settings<'a>(config: *mut wasi_config_t) -> Option<&'a mut wasi_config_t> {
    // SAFETY: the caller's contract.
    let settings = unsafe { config.as_mut() };
    if settings.is_none() { refuse("the settings are null") } else { settings }
}

/// Makes settings for a program of this name: no further arguments, no variables, no directories;
/// its standard streams are those of the host. Returns null when the name is.
///
/// Ownership: borrows the name; the caller owns the result and passes it to `wasi_env_new` or
/// releases it with `wasi_config_delete`.
///
/// # Safety
///
/// The name is terminated by a zero byte, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_config_new(
    program_name: *const c_char,
) -> Option<Box<wasi_config_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let name = unsafe { text(program_name, "the program's name") }?;
        let mut config = Config::new();
        config.arg(name).inherit_stdin().inherit_stdout().inherit_stderr();
        Some(Box::new(wasi_config_t { config, stdout: None, stderr: None }))
    })
}

/// Appends an argument.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The settings are live or null, the text is terminated by a zero byte or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_config_arg(config: *mut wasi_config_t, arg: *const c_char) {
    guard(None, || {
        // SAFETY: the contract of this function.
        let (config, arg) = unsafe { (settings(config)?, text(arg, "the argument")?) };
        config.config.arg(arg);
        Some(())
    });
}

/// Adds a variable to the environment.
///
/// Ownership: borrows all.
///
/// # Safety
///
/// The settings are live or null, the texts are terminated by a zero byte or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_config_env(
    config: *mut wasi_config_t,
    key: *const c_char,
    value: *const c_char,
) {
    guard(None, || {
        // SAFETY: the contract of this function.
        let (config, key) = unsafe { (settings(config)?, text(key, "the variable's name")?) };
        // SAFETY: the contract of this function.
        let value = unsafe { text(value, "the variable's value") }?;
        config.config.env(key, value);
        Some(())
    });
}

/// Gives the program a directory of the host, to read and to write, under the name that the host
/// has for it. Returns false when it cannot be opened.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The settings are live or null, the text is terminated by a zero byte or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_config_preopen_dir(
    config: *mut wasi_config_t,
    dir: *const c_char,
) -> bool {
    // SAFETY: the contract of this function.
    unsafe { wasi_config_mapdir(config, dir, dir) }
}

/// Gives the program a directory of the host, to read and to write, under a name of its own.
/// Returns false when it cannot be opened.
///
/// Ownership: borrows all.
///
/// # Safety
///
/// The settings are live or null, the texts are terminated by a zero byte or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_config_mapdir(
    config: *mut wasi_config_t,
    alias: *const c_char,
    dir: *const c_char,
) -> bool {
    // SAFETY: the contract of this function.
    unsafe { tenon_wasi_config_dir(config, dir, alias, true) }
}

/// Lets the program read the host's standard input, as it does by default.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_config_inherit_stdin(config: *mut wasi_config_t) {
    guard(None, || {
        // SAFETY: the contract of this function.
        unsafe { settings(config) }?.config.inherit_stdin();
        Some(())
    });
}

/// Lets the program write to the host's standard output, as it does by default.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_config_inherit_stdout(config: *mut wasi_config_t) {
    guard(None, || {
        // SAFETY: the contract of this function.
        let config = unsafe { settings(config) }?;
        config.config.inherit_stdout();
        config.stdout = None;
        Some(())
    });
}

/// Lets the program write to the host's standard error, as it does by default.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_config_inherit_stderr(config: *mut wasi_config_t) {
    guard(None, || {
        // SAFETY: the contract of this function.
        let config = unsafe { settings(config) }?;
        config.config.inherit_stderr();
        config.stderr = None;
        Some(())
    });
}

/// Keeps what the program writes to its standard output, for `wasi_env_read_stdout`: at
/// most 64 MiB that nobody has read yet, after which writing fails in the program. Another bound is
/// set by `tenon_wasi_config_capture`.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_config_capture_stdout(config: *mut wasi_config_t) {
    // SAFETY: the contract of this function.
    unsafe { tenon_wasi_config_capture(config, STDOUT, CAPTURED) };
}

/// Keeps what the program writes to its standard error, for `wasi_env_read_stderr`: at
/// most 64 MiB that nobody has read yet, after which writing fails in the program. Another bound is
/// set by `tenon_wasi_config_capture`.
///
/// Ownership: borrows the settings.
///
/// # Safety
///
/// The settings are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_config_capture_stderr(config: *mut wasi_config_t) {
    // SAFETY: the contract of this function.
    unsafe { tenon_wasi_config_capture(config, STDERR, CAPTURED) };
}

/// Makes the state of a program's system in a store. Returns null when an argument is null.
///
/// Ownership: borrows the store, takes the settings over; the caller owns the result and releases
/// it with `wasi_env_delete`. The functions got from it keep what they need.
///
/// # Safety
///
/// The store is live or null, the settings are owned or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_env_new(
    store: *mut wasm_store_t,
    config: Option<Box<wasi_config_t>>,
) -> Option<Box<wasi_env_t>> {
    guard(None, || {
        let Some(config) = config else { return refuse("the settings are null") };
        // SAFETY: the contract of this function.
        let store = unsafe { shared(store, "the store") }?.0.clone();
        let wasi_config_t { config, stdout, stderr } = *config;
        Some(Box::new(wasi_env_t { store, wasi: Wasi::new(config), stdout, stderr }))
    })
}

/// Takes bytes that the program has written out of a buffer.
///
/// # Safety
///
/// `len` bytes can be written to the buffer, or it is null.
unsafe fn read(capture: Option<&Capture>, buffer: *mut c_char, len: usize) -> isize {
    let Some(capture) = capture else {
        refuse::<()>("the stream is not captured");
        return -1;
    };
    if buffer.is_null() || len == 0 {
        return 0;
    }
    let bytes = capture.take(len);
    // SAFETY: the caller's contract; there are at most `len` bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast(), bytes.len()) };
    bytes.len().cast_signed()
}

/// Moves what the program has written to its captured standard output, and nobody has read yet, to
/// a buffer of `len` bytes. Returns how many bytes that were, 0 when there are none; -1 when the
/// stream is not captured.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The state is live or null, `len` bytes can be written to the buffer or it is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_env_read_stdout(
    env: *mut wasi_env_t,
    buffer: *mut c_char,
    len: usize,
) -> isize {
    guard(-1, || {
        // SAFETY: the contract of this function.
        let Some(env) = (unsafe { shared(env, "the state") }) else { return -1 };
        // SAFETY: the contract of this function.
        unsafe { read(env.stdout.as_ref(), buffer, len) }
    })
}

/// As `wasi_env_read_stdout`, for the standard error.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The state is live or null, `len` bytes can be written to the buffer or it is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_env_read_stderr(
    env: *mut wasi_env_t,
    buffer: *mut c_char,
    len: usize,
) -> isize {
    guard(-1, || {
        // SAFETY: the contract of this function.
        let Some(env) = (unsafe { shared(env, "the state") }) else { return -1 };
        // SAFETY: the contract of this function.
        unsafe { read(env.stderr.as_ref(), buffer, len) }
    })
}

/// Names the memory that the functions work on where the caller has none of its own. They use the
/// memory that the calling instance exports as `memory`, or its first one, so that nobody has to
/// call this.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_env_set_memory(env: *mut wasi_env_t, memory: Option<&wasm_memory_t>) {
    guard(None, || {
        // SAFETY: the contract of this function.
        let env = unsafe { shared(env, "the state") }?;
        let memory = memory.or_null_error("the memory")?.memory();
        env.check(&memory.store())?;
        env.wasi.set_memory(memory);
        Some(())
    });
}

/// As `wasi_env_set_memory`, with the memory that an instance exports as `memory`. Returns false
/// when it exports none.
///
/// Ownership: borrows all.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_env_initialize_instance(
    env: *mut wasi_env_t,
    store: *mut wasm_store_t,
    instance: *mut wasm_instance_t,
) -> bool {
    let initialize = || {
        // SAFETY: the contract of this function.
        let (env, store) = unsafe { (shared(env, "the state")?, shared(store, "the store")?) };
        // SAFETY: the contract of this function.
        let instance = unsafe { shared(instance, "the instance") }?.instance();
        env.check(&store.0)?;
        env.check(&instance.store())?;
        match instance.memory("memory") {
            Some(memory) => env.wasi.set_memory(&memory),
            None => return refuse("the instance exports no memory named `memory`"),
        }
        Some(())
    };
    guard(false, || initialize().is_some())
}

/// Gets what a module imports from WASI, in the order of its imports; for a standalone module of
/// Emscripten also what it imports from `env`. When it imports other things too, returns false with
/// null in their places, for the caller to fill; the last error names the first. Also returns false,
/// with an empty vector, when an argument is null.
///
/// Ownership: borrows store, state and module; the caller owns the vector.
///
/// # Safety
///
/// The pointers are live or null, `imports` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_get_imports(
    store: *const wasm_store_t,
    env: *mut wasi_env_t,
    module: Option<&wasm_module_t>,
    imports: *mut wasm_extern_vec_t,
) -> bool {
    let get = || {
        if imports.is_null() {
            return refuse("the result has no place");
        }
        // SAFETY: the contract of this function.
        unsafe { imports.write(wasm_extern_vec_t::of(Vec::new())) };
        // SAFETY: the contract of this function.
        let store = &unsafe { shared(store.cast_mut(), "the store") }?.0;
        // SAFETY: the contract of this function.
        let env = unsafe { shared(env, "the state") }?;
        let module = module.or_null_error("the module")?.module();
        env.check(store)?;
        let items = env.wasi.imports(store, module).or_error()?;
        let missing = report_missing(module, &items);
        let items = items.iter().map(|item| match item {
            Some(item) => Box::into_raw(wasm_extern_t::boxed(item.handle())),
            None => std::ptr::null_mut(),
        });
        // SAFETY: the contract of this function.
        unsafe { imports.write(wasm_extern_vec_t::of(items.collect())) };
        (!missing).then_some(())
    };
    guard(false, || get().is_some())
}

/// Whether some imports are missing: the last error then names the first.
fn report_missing(module: &Module, items: &[Option<Extern>]) -> bool {
    let mut missing = module.imports().zip(items).filter(|(_, item)| item.is_none());
    let Some((first, _)) = missing.next() else { return false };
    let others = match missing.count() {
        0 => String::new(),
        others => format!(", nor are {others} others"),
    };
    set_error(LastError::from(&Error::Link {
        module: first.module.to_owned(),
        name: first.name.to_owned(),
        message: format!("not a function of WASI{others}; expected {}", first.ty),
    }));
    true
}

/// Something with the names under which a module imports it.
pub struct wasmer_named_extern_t {
    module: wasm_name_t,
    name: wasm_name_t,
    item: Box<wasm_extern_t>,
}

impl Copied for wasmer_named_extern_t {
    fn copied(&self) -> Box<wasmer_named_extern_t> {
        Box::new(wasmer_named_extern_t {
            module: self.module.copied(),
            name: self.name.copied(),
            item: self.item.copied(),
        })
    }
}

vec! {
    /// A vector of named things.
    wasmer_named_extern_vec_t of *mut wasmer_named_extern_t: wasmer_named_extern_vec_new_empty
        wasmer_named_extern_vec_new_uninitialized wasmer_named_extern_vec_new
        wasmer_named_extern_vec_copy wasmer_named_extern_vec_delete;
}

/// Returns the name of the module that a thing is imported from; null for null.
///
/// Ownership: the result belongs to the argument.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmer_named_extern_module(
    named_extern: Option<&wasmer_named_extern_t>,
) -> Option<&wasm_name_t> {
    guard(None, || Some(&named_extern.or_null_error("the argument")?.module))
}

/// Returns the name that a thing is imported by; null for null.
///
/// Ownership: the result belongs to the argument.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmer_named_extern_name(
    named_extern: Option<&wasmer_named_extern_t>,
) -> Option<&wasm_name_t> {
    guard(None, || Some(&named_extern.or_null_error("the argument")?.name))
}

/// Returns the thing without its names; null for null.
///
/// Ownership: the result belongs to the argument.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmer_named_extern_unwrap(
    named_extern: Option<&wasmer_named_extern_t>,
) -> Option<&wasm_extern_t> {
    guard(None, || Some(&*named_extern.or_null_error("the argument")?.item))
}

/// Gets what a module imports from WASI, with names. Imports of other things are left out. Returns
/// false, with an empty vector, when an argument is null.
///
/// Ownership: borrows state and module; the caller owns the vector.
///
/// # Safety
///
/// The pointers are live or null, `imports` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_get_unordered_imports(
    env: *mut wasi_env_t,
    module: Option<&wasm_module_t>,
    imports: *mut wasmer_named_extern_vec_t,
) -> bool {
    let get = || {
        if imports.is_null() {
            return refuse("the result has no place");
        }
        // SAFETY: the contract of this function.
        unsafe { imports.write(wasmer_named_extern_vec_t::of(Vec::new())) };
        // SAFETY: the contract of this function.
        let env = unsafe { shared(env, "the state") }?;
        let module = module.or_null_error("the module")?.module();
        let items = env.wasi.imports(&env.store, module).or_error()?;
        let named = module.imports().zip(&items).filter_map(|(import, item)| {
            Some(Box::into_raw(Box::new(wasmer_named_extern_t {
                module: wasm_byte_vec_t::of_bytes(import.module.as_bytes()),
                name: wasm_byte_vec_t::of_bytes(import.name.as_bytes()),
                item: wasm_extern_t::boxed(item.as_ref()?.handle()),
            })))
        });
        // SAFETY: the contract of this function.
        unsafe { imports.write(wasmer_named_extern_vec_t::of(named.collect())) };
        Some(())
    };
    guard(false, || get().is_some())
}

/// Gets the function that runs a program: what its instance exports as `_start`. Returns null when
/// it exports no such function. A program ends by returning, or by a trap that
/// `tenon_trap_exit_status` knows.
///
/// Ownership: borrows the instance; the caller owns the function.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_get_start_function(
    instance: *mut wasm_instance_t,
) -> Option<Box<wasm_func_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let instance = unsafe { shared(instance, "the instance") }?.instance();
        let Some(func) = instance.func("_start") else {
            return refuse("the instance exports no function named `_start`");
        };
        Some(wasm_func_t::boxed(func.handle()))
    })
}

/// A version of WASI (`wasi_version_enum`).
pub type wasi_version_t = i32;

const INVALID: wasi_version_t = -1;
const SNAPSHOT0: wasi_version_t = 1;
const SNAPSHOT1: wasi_version_t = 2;
const WASIX32: wasi_version_t = 3;

/// Returns the version of WASI that a module is for, by the names of the modules it imports from;
/// `WASI_VERSION_INVALID` when it imports from none of them.
///
/// Ownership: borrows the module.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasi_get_wasi_version(module: Option<&wasm_module_t>) -> wasi_version_t {
    guard(INVALID, || {
        let Some(module) = module.or_null_error("the module") else { return INVALID };
        let mut version = None;
        for import in module.module().imports() {
            // A module for WASIX imports from preview 1 as well.
            if import.module == WASIX_MODULE {
                return WASIX32;
            }
            match Snapshot::of(import.module) {
                Some(Snapshot::Preview1) => version = version.or(Some(SNAPSHOT1)),
                Some(Snapshot::Unstable) => version = version.or(Some(SNAPSHOT0)),
                None => {}
            }
        }
        if let Some(version) = version {
            return version;
        }
        set_error(LastError::new(ErrorCode::Argument, "the module imports nothing of WASI"));
        INVALID
    })
}
