//! Every function of `wasi_snapshot_preview1`: one row each. Names, parameter types and the thunk
//! derive from the row; the body gets checked access to the guest's memory and returns an errno.

use std::cell::RefCell;
use std::rc::Rc;

use super::Context;
use super::errno::Errno;
use super::guest::Guest;
use super::{Exit, args, clock, fs::dir, fs::file, poll, proc, random, sock};
use crate::engine::{Caller, Error, Func, Store, Trap};

/// The name that modules import these functions from.
pub const MODULE: &str = "wasi_snapshot_preview1";

macro_rules! wasi_functions {
    ($($name:ident($($param:ident: $ty:ty),*) = $module:ident;)*) => {
        /// The names of the functions.
        pub(super) const NAMES: &[&str] = &[$(stringify!($name),)* "proc_exit"];

        /// The function of this name, if there is one.
        pub(super) fn function(
            store: &Store,
            context: &Rc<RefCell<Context>>,
            name: &str,
        ) -> Option<Result<Func, Error>> {
            Some(match name {
                $(stringify!($name) => {
                    let context = context.clone();
                    Func::wrap(
                        store,
                        move |caller: &Caller, $($param: $ty),*| -> Result<u32, Trap> {
                            call(&context, caller, |context, guest| {
                                $module::$name(context, guest, $($param),*)
                            })
                        },
                    )
                })*
                "proc_exit" => exit(store),
                _ => return None,
            })
        }
    };
}

/// A function that ends execution with the exit code that it gets.
pub(super) fn exit(store: &Store) -> Result<Func, Error> {
    Func::wrap(store, |_: &Caller, code: u32| -> Result<(), Trap> {
        Err(Trap::with_data(format!("exit with status {code}"), Exit(code)))
    })
}

/// Runs a function's body; its errno.
pub(super) fn call(
    context: &RefCell<Context>,
    caller: &Caller,
    body: impl FnOnce(&mut Context, &Guest) -> Result<(), Errno>,
) -> Result<u32, Trap> {
    let Ok(mut context) = context.try_borrow_mut() else {
        return Ok(Errno::Again as u32);
    };
    let Some(memory) = caller.memory().or_else(|| context.memory()) else {
        return Err(Trap::new("a module without memory has called a WASI function"));
    };
    match body(&mut context, &Guest::new(memory)) {
        Ok(()) => Ok(0),
        Err(errno) => Ok(errno as u32),
    }
}

wasi_functions! {
    args_get(pointers: u32, buffer: u32) = args;
    args_sizes_get(count: u32, size: u32) = args;
    environ_get(pointers: u32, buffer: u32) = args;
    environ_sizes_get(count: u32, size: u32) = args;
    clock_res_get(id: u32, resolution: u32) = clock;
    clock_time_get(id: u32, precision: u64, time: u32) = clock;
    fd_advise(fd: u32, offset: u64, len: u64, advice: u32) = file;
    fd_allocate(fd: u32, offset: u64, len: u64) = file;
    fd_close(fd: u32) = file;
    fd_datasync(fd: u32) = file;
    fd_fdstat_get(fd: u32, result: u32) = file;
    fd_fdstat_set_flags(fd: u32, flags: u32) = file;
    fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) = file;
    fd_filestat_get(fd: u32, result: u32) = file;
    fd_filestat_set_size(fd: u32, size: u64) = file;
    fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, flags: u32) = file;
    fd_pread(fd: u32, buffers: u32, count: u32, offset: u64, read: u32) = file;
    fd_prestat_get(fd: u32, result: u32) = file;
    fd_prestat_dir_name(fd: u32, buffer: u32, len: u32) = file;
    fd_pwrite(fd: u32, buffers: u32, count: u32, offset: u64, written: u32) = file;
    fd_read(fd: u32, buffers: u32, count: u32, read: u32) = file;
    fd_readdir(fd: u32, buffer: u32, len: u32, cookie: u64, used: u32) = dir;
    fd_renumber(from: u32, to: u32) = file;
    fd_seek(fd: u32, delta: i64, whence: u32, position: u32) = file;
    fd_sync(fd: u32) = file;
    fd_tell(fd: u32, position: u32) = file;
    fd_write(fd: u32, buffers: u32, count: u32, written: u32) = file;
    path_create_directory(dir: u32, path: u32, len: u32) = dir;
    path_filestat_get(dir: u32, lookup: u32, path: u32, len: u32, result: u32) = dir;
    path_filestat_set_times(dir: u32, lookup: u32, path: u32, len: u32, atim: u64, mtim: u64, flags: u32) = dir;
    path_link(old_dir: u32, lookup: u32, old: u32, old_len: u32, new_dir: u32, new: u32, new_len: u32) = dir;
    path_open(dir: u32, lookup: u32, path: u32, len: u32, open: u32, base: u64, inheriting: u64, flags: u32, result: u32) = dir;
    path_readlink(dir: u32, path: u32, len: u32, buffer: u32, buffer_len: u32, used: u32) = dir;
    path_remove_directory(dir: u32, path: u32, len: u32) = dir;
    path_rename(old_dir: u32, old: u32, old_len: u32, new_dir: u32, new: u32, new_len: u32) = dir;
    path_symlink(target: u32, target_len: u32, dir: u32, path: u32, len: u32) = dir;
    path_unlink_file(dir: u32, path: u32, len: u32) = dir;
    poll_oneoff(subscriptions: u32, events: u32, count: u32, event_count: u32) = poll;
    proc_raise(signal: u32) = proc;
    random_get(buffer: u32, len: u32) = random;
    sched_yield() = proc;
    sock_accept(fd: u32, flags: u32, result: u32) = sock;
    sock_recv(fd: u32, buffers: u32, count: u32, flags: u32, received: u32, result_flags: u32) = sock;
    sock_send(fd: u32, buffers: u32, count: u32, flags: u32, sent: u32) = sock;
    sock_shutdown(fd: u32, how: u32) = sock;
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_46_functions_are_there() {
        assert_eq!(super::NAMES.len(), 46);
    }
}
