//! Every function of WASI's first preview, in both of its versions: one row each. Names, parameter
//! types and the thunk derive from the row; the body gets checked access to the guest's memory and
//! returns an errno.

use std::cell::RefCell;
use std::rc::Rc;

use super::Context;
use super::errno::Errno;
use super::guest::Guest;
use super::{Exit, args, clock, fs::dir, fs::file, poll, proc, random, sock};
use crate::engine::{Caller, Error, Func, Store, Trap};

/// The name that modules import the functions of [`Snapshot::Preview1`] from.
pub const MODULE: &str = Snapshot::Preview1.module();

/// A version of WASI's first preview. They differ in the layouts of `filestat` and `subscription`,
/// in the numbers of `whence`, and in `sock_accept`, which the older one does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Snapshot {
    /// `wasi_unstable`.
    Unstable,
    /// `wasi_snapshot_preview1`.
    Preview1,
}

impl Snapshot {
    /// Both.
    pub const ALL: [Snapshot; 2] = [Snapshot::Unstable, Snapshot::Preview1];

    /// The name that modules import the functions from.
    pub const fn module(self) -> &'static str {
        match self {
            Snapshot::Unstable => "wasi_unstable",
            Snapshot::Preview1 => "wasi_snapshot_preview1",
        }
    }

    /// The version whose functions are imported from this name, if one is.
    pub fn of(module: &str) -> Option<Snapshot> {
        Snapshot::ALL.into_iter().find(|snapshot| snapshot.module() == module)
    }

    /// Whether the version has this function.
    pub fn has(self, function: &str) -> bool {
        let known = FUNCTIONS.iter().any(|known| known.name == function);
        known && (self == Snapshot::Preview1 || function != "sock_accept")
    }
}

/// A function of WASI, as its module imports it.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Its parameters, in order.
    pub params: &'static [Param],
}

/// A parameter of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Param {
    /// A number of 32 bits that is none of the others: flags, an identifier, a status.
    U32,
    /// A number of 64 bits.
    U64,
    /// A signed number of 64 bits.
    I64,
    /// A descriptor.
    Fd,
    /// An address in the guest's memory.
    Ptr,
    /// How many bytes, or how many structs, are at the address before it.
    Len,
}

/// The parameters' types as the rows name them.
mod param {
    pub(super) type U32 = u32;
    pub(super) type U64 = u64;
    pub(super) type I64 = i64;
    pub(super) type Fd = u32;
    pub(super) type Ptr = u32;
    pub(super) type Len = u32;
}

macro_rules! wasi_functions {
    ($($name:ident($($param:ident: $ty:ident),*) = $module:ident;)*) => {
        /// All functions.
        pub const FUNCTIONS: &[Function] = &[
            $(Function { name: stringify!($name), params: &[$(Param::$ty),*] },)*
            Function { name: "proc_exit", params: &[Param::U32] },
        ];

        /// The function of this name, if the version has one.
        pub(super) fn function(
            store: &Store,
            context: &Rc<RefCell<Context>>,
            snapshot: Snapshot,
            name: &str,
        ) -> Option<Result<Func, Error>> {
            Some(match name {
                _ if !snapshot.has(name) => return None,
                $(stringify!($name) => {
                    let context = context.clone();
                    Func::wrap(
                        store,
                        move |caller: &Caller, $($param: param::$ty),*| -> Result<u32, Trap> {
                            call(&context, caller, snapshot, &mut |context, guest| {
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
    snapshot: Snapshot,
    body: &mut dyn FnMut(&mut Context, &Guest) -> Result<(), Errno>,
) -> Result<u32, Trap> {
    let Ok(mut context) = context.try_borrow_mut() else {
        return Ok(Errno::Again as u32);
    };
    let Some(memory) = caller.memory().or_else(|| context.memory()) else {
        return Err(Trap::new("a module without memory has called a WASI function"));
    };
    let guest = Guest::new(memory, snapshot);
    match body(&mut context, &guest) {
        Ok(()) => Ok(0),
        Err(errno) => guest.ended().map_or(Ok(errno as u32), Err),
    }
}

wasi_functions! {
    args_get(pointers: Ptr, buffer: Ptr) = args;
    args_sizes_get(count: Ptr, size: Ptr) = args;
    environ_get(pointers: Ptr, buffer: Ptr) = args;
    environ_sizes_get(count: Ptr, size: Ptr) = args;
    clock_res_get(id: U32, resolution: Ptr) = clock;
    clock_time_get(id: U32, precision: U64, time: Ptr) = clock;
    fd_advise(fd: Fd, offset: U64, len: U64, advice: U32) = file;
    fd_allocate(fd: Fd, offset: U64, len: U64) = file;
    fd_close(fd: Fd) = file;
    fd_datasync(fd: Fd) = file;
    fd_fdstat_get(fd: Fd, result: Ptr) = file;
    fd_fdstat_set_flags(fd: Fd, flags: U32) = file;
    fd_fdstat_set_rights(fd: Fd, base: U64, inheriting: U64) = file;
    fd_filestat_get(fd: Fd, result: Ptr) = file;
    fd_filestat_set_size(fd: Fd, size: U64) = file;
    fd_filestat_set_times(fd: Fd, atim: U64, mtim: U64, flags: U32) = file;
    fd_pread(fd: Fd, buffers: Ptr, count: Len, offset: U64, read: Ptr) = file;
    fd_prestat_get(fd: Fd, result: Ptr) = file;
    fd_prestat_dir_name(fd: Fd, buffer: Ptr, len: Len) = file;
    fd_pwrite(fd: Fd, buffers: Ptr, count: Len, offset: U64, written: Ptr) = file;
    fd_read(fd: Fd, buffers: Ptr, count: Len, read: Ptr) = file;
    fd_readdir(fd: Fd, buffer: Ptr, len: Len, cookie: U64, used: Ptr) = dir;
    fd_renumber(from: Fd, to: Fd) = file;
    fd_seek(fd: Fd, delta: I64, whence: U32, position: Ptr) = file;
    fd_sync(fd: Fd) = file;
    fd_tell(fd: Fd, position: Ptr) = file;
    fd_write(fd: Fd, buffers: Ptr, count: Len, written: Ptr) = file;
    path_create_directory(dir: Fd, path: Ptr, len: Len) = dir;
    path_filestat_get(dir: Fd, lookup: U32, path: Ptr, len: Len, result: Ptr) = dir;
    path_filestat_set_times(dir: Fd, lookup: U32, path: Ptr, len: Len, atim: U64, mtim: U64, flags: U32) = dir;
    path_link(old_dir: Fd, lookup: U32, old: Ptr, old_len: Len, new_dir: Fd, new: Ptr, new_len: Len) = dir;
    path_open(dir: Fd, lookup: U32, path: Ptr, len: Len, open: U32, base: U64, inheriting: U64, flags: U32, result: Ptr) = dir;
    path_readlink(dir: Fd, path: Ptr, len: Len, buffer: Ptr, buffer_len: Len, used: Ptr) = dir;
    path_remove_directory(dir: Fd, path: Ptr, len: Len) = dir;
    path_rename(old_dir: Fd, old: Ptr, old_len: Len, new_dir: Fd, new: Ptr, new_len: Len) = dir;
    path_symlink(target: Ptr, target_len: Len, dir: Fd, path: Ptr, len: Len) = dir;
    path_unlink_file(dir: Fd, path: Ptr, len: Len) = dir;
    poll_oneoff(subscriptions: Ptr, events: Ptr, count: Len, event_count: Ptr) = poll;
    proc_raise(signal: U32) = proc;
    random_get(buffer: Ptr, len: Len) = random;
    sched_yield() = proc;
    sock_accept(fd: Fd, flags: U32, result: Ptr) = sock;
    sock_recv(fd: Fd, buffers: Ptr, count: Len, flags: U32, received: Ptr, result_flags: Ptr) = sock;
    sock_send(fd: Fd, buffers: Ptr, count: Len, flags: U32, sent: Ptr) = sock;
    sock_shutdown(fd: Fd, how: U32) = sock;
}

#[cfg(test)]
mod tests {
    use super::{FUNCTIONS, Snapshot};

    #[test]
    fn all_functions_are_there() {
        let count = |snapshot: Snapshot| FUNCTIONS.iter().filter(|f| snapshot.has(f.name)).count();
        assert_eq!(count(Snapshot::Preview1), 46);
        assert_eq!(count(Snapshot::Unstable), 45);
    }
}
