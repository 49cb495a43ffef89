//! What modules of Emscripten's import: one row each. A row says how it fails, its name, its type
//! and its body. A name has several rows where releases differ in its type.

use std::rc::Rc;

use super::call::{Call, Sys};
use super::{State, exceptions, export, file, invoke, memory, path, process, time};
use crate::engine::{Caller, Error, Func, FuncType, HostFunc, Store, Trap, Val};
use crate::wasi::clock::clock_time_get;
use crate::wasi::errno::Errno;
use crate::wasi::fs::file::{fd_pread, fd_pwrite};
use crate::wasi::random;

/// `env` rows return what they compute or trap, `sys` rows a negative errno when they fail, `wasi`
/// rows a positive one, `libc` rows -1 after setting the guest's `errno`. `caught` rows are there
/// for modules whose exceptions the host handles.
macro_rules! functions {
    ($($form:ident $name:ident($($param:ident: $ty:ty),*) = $body:expr;)*) => {
        /// The function that has this name in `env`, if there is one of this type.
        pub(super) fn of_env(
            store: &Store,
            state: &Rc<State>,
            name: &str,
            ty: &FuncType,
        ) -> Option<Result<Func, Error>> {
            let wanted = Wanted { store, state, name, ty };
            $(functions!(@env $form wanted, $name, ($($param: $ty),*), $body);)*
            let matching = exceptions::find_matching_catch(store, state, name, ty);
            matching.or_else(|| invoke::function(store, state, name, ty))
        }

        /// The function that has this name in WASI, if there is one of this type that WASI itself
        /// does not have.
        pub(super) fn of_wasi(
            store: &Store,
            state: &Rc<State>,
            name: &str,
            ty: &FuncType,
        ) -> Option<Result<Func, Error>> {
            let wanted = Wanted { store, state, name, ty };
            $(functions!(@wasi $form wanted, $name, ($($param: $ty),*), $body);)*
            None
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
    (@env env $wanted:ident, $name:ident, ($($param:ident: $ty:ty),*), $body:expr) => {
        if $wanted.name == stringify!($name) {
            let state = $wanted.state.clone();
            let body = move |caller: &Caller, $($param: $ty),*| {
                ($body)(&Call { caller, state: &state }, $($param),*)
            };
            if let Some(func) = $wanted.of_type(body) {
                return Some(func);
            }
        }
    };
    (@env caught $wanted:ident, $name:ident, $params:tt, $body:expr) => {
        if $wanted.state.exceptions.are_handled() {
            functions!(@env env $wanted, $name, $params, $body);
        }
    };
    (@env sys $wanted:ident, $name:ident, $params:tt, $body:expr) => {
        functions!(@on_descriptors $wanted, $name, $params, $body,
            |_: &Call, result: Result<i32, Errno>| Ok(result.unwrap_or_else(|errno| -number(errno))));
    };
    (@env libc $wanted:ident, $name:ident, $params:tt, $body:expr) => {
        functions!(@on_descriptors $wanted, $name, $params, $body, fail);
    };
    (@wasi wasi $wanted:ident, $name:ident, $params:tt, $body:expr) => {
        functions!(@on_descriptors $wanted, $name, $params, $body,
            |_: &Call, result: Result<(), Errno>| Ok(result.map_or_else(number, |()| 0)));
    };
    (@on_descriptors $wanted:ident, $name:ident, ($($param:ident: $ty:ty),*), $body:expr,
        $result:expr) => {
        if $wanted.name == stringify!($name) {
            let state = $wanted.state.clone();
            let body = move |caller: &Caller, $($param: $ty),*| -> Result<i32, Trap> {
                let call = Call { caller, state: &state };
                let result = on_descriptors(&call, &mut |sys| ($body)(sys, $($param),*))?;
                ($result)(&call, result)
            };
            if let Some(func) = $wanted.of_type(body) {
                return Some(func);
            }
        }
    };
    (@env wasi $($ignored:tt)*) => {};
    (@wasi env $($ignored:tt)*) => {};
    (@wasi caught $($ignored:tt)*) => {};
    (@wasi sys $($ignored:tt)*) => {};
    (@wasi libc $($ignored:tt)*) => {};
}

/// A function that a module imports.
struct Wanted<'a> {
    store: &'a Store,
    state: &'a Rc<State>,
    name: &'a str,
    ty: &'a FuncType,
}

impl Wanted<'_> {
    /// The function of a row, if it is of the type that is wanted.
    fn of_type<P, R>(&self, body: impl HostFunc<P, R>) -> Option<Result<Func, Error>> {
        let func = Func::wrap(self.store, body);
        if func.as_ref().is_ok_and(|func| func.ty() != self.ty) { None } else { Some(func) }
    }
}

/// Runs the body of a function that works on descriptors.
fn on_descriptors<T>(
    call: &Call,
    body: &mut dyn FnMut(&mut Sys) -> Result<T, Errno>,
) -> Result<Result<T, Errno>, Trap> {
    let Ok(mut ctx) = call.state.wasi.try_borrow_mut() else {
        return Ok(Err(Errno::Again));
    };
    let guest = call.guest()?;
    let result = body(&mut Sys { ctx: &mut ctx, guest: &guest, state: call.state });
    guest.ended().map_or(Ok(result), Err)
}

/// What a function of the C library returns.
fn fail(call: &Call, result: Result<i32, Errno>) -> Result<i32, Trap> {
    let errno = match result {
        Ok(result) => return Ok(result),
        Err(errno) => errno,
    };
    // A module that does not export where its errors are does not look at them.
    if let Some(func) = export(&call.instance()?, &["__errno_location"])
        && let Some(Val::I32(address)) = super::call::call(&func, &[])?.first()
    {
        let written = call.guest()?.put_u32(address.cast_unsigned(), number(errno) as u32);
        written.map_err(|_| Trap::new("errno is outside of the module's memory"))?;
    }
    Ok(-1)
}

/// The number of an error in Emscripten's C library: WASI's, but for two that it does not know.
fn number(errno: Errno) -> i32 {
    match errno {
        Errno::NotSupported => 138,
        Errno::NotCapable => Errno::Access as i32,
        errno => errno as i32,
    }
}

/// What is there by name and type, but cannot be done.
fn unsupported(_: &mut Sys) -> Result<i32, Errno> {
    Err(Errno::NotImplemented)
}

/// A 64-bit integer of its halves.
fn whole(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

functions! {
    // Memory.
    env emscripten_memcpy_big(to: u32, from: u32, len: u32) = memory::copy;
    env emscripten_memcpy_big(to: u32, from: u32, len: u32) = memory::copied;
    env emscripten_memcpy_js(to: u32, from: u32, len: u32) = memory::copy;
    env _emscripten_memcpy_js(to: u32, from: u32, len: u32) = memory::copy;
    env emscripten_resize_heap(size: u32) = memory::emscripten_resize_heap;
    env emscripten_get_heap_max() = memory::emscripten_get_heap_max;
    env emscripten_notify_memory_growth(memory: u32) = memory::emscripten_notify_memory_growth;
    env setTempRet0(value: u32) = memory::setTempRet0;
    env getTempRet0() = memory::getTempRet0;

    // The program.
    env exit(status: u32) = process::exit;
    env _exit(status: u32) = process::exit_now;
    env emscripten_force_exit(status: u32) = process::exit_now;
    env abort() = process::abort;
    env _abort_js() = process::abort;
    env __assert_fail(condition: u32, file: u32, line: u32, func: u32) = process::__assert_fail;
    env __handle_stack_overflow(pointer: u32) = process::__handle_stack_overflow;
    env system(command: u32) = process::system;
    env _emscripten_system(command: u32) = process::system;
    libc getentropy(buffer: u32, len: u32) = |sys: &mut Sys, buffer, len| {
        random::random_get(sys.ctx, sys.guest, buffer, len).map(|()| 0)
    };

    // longjmp, signals and C++ exceptions; besides `invoke_…` and `__cxa_find_matching_catch_…`.
    env _emscripten_throw_longjmp() = invoke::_emscripten_throw_longjmp;
    env __call_sighandler(handler: u32, signal: u32) = invoke::__call_sighandler;
    env __cxa_throw(exception: u32, ty: u32, destructor: u32) = exceptions::__cxa_throw;
    caught __cxa_allocate_exception(size: u32) = exceptions::__cxa_allocate_exception;
    caught __cxa_free_exception(exception: u32) = exceptions::__cxa_free_exception;
    caught __cxa_rethrow() = exceptions::__cxa_rethrow;
    caught __cxa_begin_catch(catch: u32) = exceptions::__cxa_begin_catch;
    caught __cxa_end_catch() = exceptions::__cxa_end_catch;
    caught __cxa_get_exception_ptr(catch: u32) = exceptions::__cxa_get_exception_ptr;
    caught __cxa_uncaught_exceptions() = exceptions::__cxa_uncaught_exceptions;
    caught __cxa_call_unexpected(exception: u32) = exceptions::__cxa_call_unexpected;
    caught __cxa_increment_exception_refcount(exception: u32) = exceptions::__cxa_increment_exception_refcount;
    caught __cxa_decrement_exception_refcount(exception: u32) = exceptions::__cxa_decrement_exception_refcount;
    caught __cxa_current_primary_exception() = exceptions::__cxa_current_primary_exception;
    caught __cxa_rethrow_primary_exception(exception: u32) = exceptions::__cxa_rethrow_primary_exception;
    caught __resumeException(catch: u32) = exceptions::__resumeException;
    caught llvm_eh_typeid_for(ty: u32) = exceptions::llvm_eh_typeid_for;

    // Time.
    env emscripten_date_now() = time::emscripten_date_now;
    env emscripten_get_now() = time::emscripten_get_now;
    env emscripten_get_now_res() = time::emscripten_get_now_res;
    env emscripten_get_now_is_monotonic() = time::emscripten_get_now_is_monotonic;
    env _emscripten_get_now_is_monotonic() = time::emscripten_get_now_is_monotonic;
    env emscripten_thread_sleep(milliseconds: f64) = time::emscripten_thread_sleep;
    env difftime(end: u32, start: u32) = time::difftime;
    env clock() = time::processor_time;
    libc time(result: u32) = time::time;
    libc gettimeofday(result: u32, zone: u32) = time::gettimeofday;
    libc clock_gettime(id: u32, result: u32) = time::clock_gettime;
    libc __clock_gettime(id: u32, result: u32) = time::clock_gettime;
    libc clock_getres(id: u32, result: u32) = time::clock_getres;
    env _tzset_js(timezone: u32, daylight: u32, standard: u32, summer: u32) = time::_tzset_js;
    env _tzset_js(timezone: u32, daylight: u32, names: u32) = time::tzset_with_array;
    env _gmtime_js(time: i64, result: u32) = time::write_date;
    env _gmtime_js(time: u32, result: u32) = time::gmtime_of_stored;
    env _gmtime_js(low: u32, high: u32, result: u32) = |call: &Call, low, high, result| {
        time::write_date(call, whole(low, high).cast_signed(), result)
    };
    env _localtime_js(time: i64, result: u32) = time::write_local_date;
    env _localtime_js(time: u32, result: u32) = time::localtime_of_stored;
    env _localtime_js(low: u32, high: u32, result: u32) = |call: &Call, low, high, result| {
        time::write_local_date(call, whole(low, high).cast_signed(), result)
    };
    env _mktime_js(date: u32) = time::moment;
    env _mktime_js(date: u32) = time::narrow_moment;
    env _timegm_js(date: u32) = time::moment;
    env _timegm_js(date: u32) = time::narrow_moment;
    env strftime(result: u32, size: u32, pattern: u32, date: u32) = time::strftime;
    env strftime_l(result: u32, size: u32, pattern: u32, date: u32, locale: u32) = time::strftime_l;

    // Paths.
    sys __syscall_open(path: u32, how: u32, args: u32) = path::__syscall_open;
    sys __syscall_openat(dir: i32, path: u32, how: u32, args: u32) = path::__syscall_openat;
    sys __syscall_mkdir(path: u32, mode: u32) = path::__syscall_mkdir;
    sys __syscall_mkdirat(dir: i32, path: u32, mode: u32) = path::__syscall_mkdirat;
    sys __syscall_rmdir(path: u32) = path::__syscall_rmdir;
    sys __syscall_unlink(path: u32) = path::__syscall_unlink;
    sys __syscall_unlinkat(dir: i32, path: u32, how: u32) = path::__syscall_unlinkat;
    sys __syscall_rename(old: u32, new: u32) = path::__syscall_rename;
    sys __syscall_renameat(old_dir: i32, old: u32, new_dir: i32, new: u32) = path::__syscall_renameat;
    sys __syscall_linkat(old_dir: i32, old: u32, new_dir: i32, new: u32, how: u32) = path::__syscall_linkat;
    sys __syscall_symlink(target: u32, path: u32) = path::__syscall_symlink;
    sys __syscall_symlinkat(target: u32, dir: i32, path: u32) = path::__syscall_symlinkat;
    sys __syscall_readlink(path: u32, buffer: u32, len: u32) = path::__syscall_readlink;
    sys __syscall_readlinkat(dir: i32, path: u32, buffer: u32, len: u32) = path::__syscall_readlinkat;
    sys __syscall_access(path: u32, wanted: u32) = path::__syscall_access;
    sys __syscall_faccessat(dir: i32, path: u32, wanted: u32, how: u32) = path::__syscall_faccessat;
    sys __syscall_stat64(path: u32, result: u32) = path::__syscall_stat64;
    sys __syscall_lstat64(path: u32, result: u32) = path::__syscall_lstat64;
    sys __syscall_fstatat64(dir: i32, path: u32, result: u32, how: u32) = path::__syscall_fstatat64;
    sys __syscall_newfstatat(dir: i32, path: u32, result: u32, how: u32) = path::__syscall_fstatat64;
    sys __syscall_truncate64(path: u32, len: u64) = path::__syscall_truncate64;
    sys __syscall_truncate64(path: u32, low: u32, high: u32) = |sys: &mut Sys, path, low, high| {
        path::__syscall_truncate64(sys, path, whole(low, high))
    };
    sys __syscall_utimensat(dir: i32, path: u32, times: u32, how: u32) = path::__syscall_utimensat;
    sys __syscall_getcwd(buffer: u32, size: u32) = path::__syscall_getcwd;
    sys __syscall_chdir(path: u32) = path::__syscall_chdir;
    sys __syscall_fchdir(fd: u32) = path::__syscall_fchdir;
    sys __syscall_chmod(path: u32, mode: u32) = |sys: &mut Sys, path, _| path::refuse(sys, path::AT_FDCWD, path);
    sys __syscall_fchmodat(dir: i32, path: u32, mode: u32, args: u32) = |sys: &mut Sys, dir, path, _, _| path::refuse(sys, dir, path);
    sys __syscall_fchmodat2(dir: i32, path: u32, mode: u32, how: u32) = |sys: &mut Sys, dir, path, _, _| path::refuse(sys, dir, path);
    sys __syscall_chown32(path: u32, user: u32, group: u32) = |sys: &mut Sys, path, _, _| path::refuse(sys, path::AT_FDCWD, path);
    sys __syscall_lchown32(path: u32, user: u32, group: u32) = |sys: &mut Sys, path, _, _| path::refuse(sys, path::AT_FDCWD, path);
    sys __syscall_fchownat(dir: i32, path: u32, user: u32, group: u32, how: u32) = |sys: &mut Sys, dir, path, _, _, _| path::refuse(sys, dir, path);

    // Descriptors.
    sys __syscall_dup(fd: u32) = file::__syscall_dup;
    sys __syscall_dup3(from: u32, to: u32, how: u32) = file::__syscall_dup3;
    sys __syscall_pipe(result: u32) = file::__syscall_pipe;
    sys __syscall_fcntl64(fd: u32, cmd: u32, args: u32) = file::__syscall_fcntl64;
    sys __syscall_ioctl(fd: u32, request: u32, args: u32) = file::__syscall_ioctl;
    sys __syscall_fstat64(fd: u32, result: u32) = file::__syscall_fstat64;
    sys __syscall_ftruncate64(fd: u32, len: u64) = file::__syscall_ftruncate64;
    sys __syscall_ftruncate64(fd: u32, low: u32, high: u32) = |sys: &mut Sys, fd, low, high| {
        file::__syscall_ftruncate64(sys, fd, whole(low, high))
    };
    sys __syscall_fallocate(fd: u32, mode: u32, at: u64, len: u64) = file::__syscall_fallocate;
    sys __syscall_fallocate(fd: u32, mode: u32, at: u32, at_high: u32, len: u32, len_high: u32) =
        |sys: &mut Sys, fd, mode, at, at_high, len, len_high| {
            file::__syscall_fallocate(sys, fd, mode, whole(at, at_high), whole(len, len_high))
        };
    sys __syscall_fadvise64(fd: u32, at: u64, len: u64, advice: u32) = file::__syscall_fadvise64;
    sys __syscall_fadvise64(fd: u32, at: u32, at_high: u32, len: u32, len_high: u32, advice: u32) =
        |sys: &mut Sys, fd, at, at_high, len, len_high, advice| {
            file::__syscall_fadvise64(sys, fd, whole(at, at_high), whole(len, len_high), advice)
        };
    sys __syscall_fadvise64_64(fd: u32, at: u32, at_high: u32, len: u32, len_high: u32, advice: u32) =
        |sys: &mut Sys, fd, at, at_high, len, len_high, advice| {
            file::__syscall_fadvise64(sys, fd, whole(at, at_high), whole(len, len_high), advice)
        };
    sys __syscall_fdatasync(fd: u32) = file::__syscall_fdatasync;
    sys __syscall_fchmod(fd: u32, mode: u32) = |sys: &mut Sys, fd, _| file::refuse(sys, fd);
    sys __syscall_fchown32(fd: u32, user: u32, group: u32) = |sys: &mut Sys, fd, _, _| file::refuse(sys, fd);
    sys __syscall_getdents64(fd: u32, buffer: u32, len: u32) = file::__syscall_getdents64;
    sys __syscall_poll(fds: u32, count: u32, timeout: i32) = file::__syscall_poll;
    env __syscall_getuid32() = process::nobody;
    env __syscall_getgid32() = process::nobody;
    env __syscall_geteuid32() = process::nobody;
    env __syscall_getegid32() = process::nobody;

    // Functions of WASI that get 64-bit integers as halves, and one that is also for directories.
    wasi fd_seek(fd: u32, delta: u64, whence: u32, result: u32) = file::fd_seek;
    wasi fd_seek(fd: u32, low: u32, high: u32, whence: u32, result: u32) =
        |sys: &mut Sys, fd, low, high, whence, result| {
            file::fd_seek(sys, fd, whole(low, high), whence, result)
        };
    wasi fd_pread(fd: u32, buffers: u32, count: u32, low: u32, high: u32, result: u32) =
        |sys: &mut Sys, fd, buffers, count, low, high, result| {
            fd_pread(sys.ctx, sys.guest, fd, buffers, count, whole(low, high), result)
        };
    wasi fd_pwrite(fd: u32, buffers: u32, count: u32, low: u32, high: u32, result: u32) =
        |sys: &mut Sys, fd, buffers, count, low, high, result| {
            fd_pwrite(sys.ctx, sys.guest, fd, buffers, count, whole(low, high), result)
        };
    wasi clock_time_get(id: u32, low: u32, high: u32, result: u32) =
        |sys: &mut Sys, id, low, high, result| {
            clock_time_get(sys.ctx, sys.guest, id, whole(low, high), result)
        };

    // What has no meaning here; each fails when it is called.
    sys __syscall_mknod(path: u32, mode: u32, dev: u32) = |sys: &mut Sys, _, _, _| unsupported(sys);
    sys __syscall_mknodat(dir: u32, path: u32, mode: u32, dev: u32) = |sys: &mut Sys, _, _, _, _| unsupported(sys);
    sys __syscall_statfs64(path: u32, size: u32, result: u32) = |sys: &mut Sys, _, _, _| unsupported(sys);
    sys __syscall_fstatfs64(fd: u32, size: u32, result: u32) = |sys: &mut Sys, _, _, _| unsupported(sys);
    sys __syscall__newselect(count: u32, read: u32, write: u32, except: u32, timeout: u32) = |sys: &mut Sys, _, _, _, _, _| unsupported(sys);
    sys __syscall_socket(domain: u32, ty: u32, protocol: u32, a: u32, b: u32, c: u32) = |sys: &mut Sys, _, _, _, _, _, _| unsupported(sys);
    sys _mmap_js(a: u32, len: u32, prot: u32, flags: u32, fd: u32, at: u32, allocated: u32) = |sys: &mut Sys, _, _, _, _, _, _, _| unsupported(sys);
    sys _mmap_js(len: u32, prot: u32, flags: u32, fd: u32, at: u64, allocated: u32, address: u32) = |sys: &mut Sys, _, _, _, _, _, _, _| unsupported(sys);
    sys _munmap_js(address: u32, len: u32, prot: u32, flags: u32, fd: u32, at: u32) = |sys: &mut Sys, _, _, _, _, _, _| unsupported(sys);
    sys _munmap_js(address: u32, len: u32, prot: u32, flags: u32, fd: u32, at: u64) = |sys: &mut Sys, _, _, _, _, _, _| unsupported(sys);
    sys _msync_js(address: u32, len: u32, prot: u32, flags: u32, fd: u32, at: u64) = |sys: &mut Sys, _, _, _, _, _, _| unsupported(sys);
}

#[cfg(test)]
mod tests {
    #[test]
    fn functions_are_documented() {
        let document = include_str!("../../../docs/emscripten.md");
        for name in super::NAMES {
            assert!(document.contains(&format!("`{name}`")), "{name}");
        }
    }
}
