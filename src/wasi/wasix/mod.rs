//! The part of WASIX that programs of one thread need (`wasix_32v1`): a working directory, copies
//! of descriptors, pipes, sockets, names of hosts, what a terminal is like. There are no threads
//! and no other processes: what would make one is an error, or no function at all.

mod fds;
mod process;
mod sock;

use std::cell::RefCell;
use std::rc::Rc;

use super::{Context, functions};
use crate::engine::{Caller, Error, Func, FuncType, Store};

/// The name that modules import these functions from.
pub const MODULE: &str = "wasix_32v1";

/// What only these functions know of a guest.
pub(super) struct State {
    /// The working directory: an absolute path without `.`, `..` and slashes at the end.
    directory: String,
}

impl Default for State {
    fn default() -> State {
        State { directory: "/".to_owned() }
    }
}

mod rows {
    use super::{fds, process, sock};
    use crate::wasi::extension::extension_functions;

    extension_functions! {
        "chdir"(path: u32, len: u32) = process::chdir;
        "clock_time_set"(id: u32, time: u64) = process::clock_time_set;
        "fd_dup"(fd: u32, result: u32) = fds::fd_dup;
        "fd_dup2"(fd: u32, least: u32, cloexec: u32, result: u32) = fds::fd_dup2;
        "fd_event"(initial: u64, flags: u32, result: u32) = fds::fd_event;
        "fd_fdflags_get"(fd: u32, result: u32) = fds::fd_fdflags_get;
        "fd_fdflags_set"(fd: u32, flags: u32) = fds::fd_fdflags_set;
        "fd_pipe"(first: u32, second: u32) = fds::fd_pipe;
        "futex_wait"(address: u32, expected: u32, timeout: u32, result: u32) = process::futex_wait;
        "futex_wake"(address: u32, result: u32) = process::futex_wake;
        "futex_wake_all"(address: u32, result: u32) = process::futex_wake;
        "getcwd"(path: u32, len: u32) = process::getcwd;
        "path_open2"(dir: u32, lookup: u32, path: u32, len: u32, open: u32, base: u64, inheriting: u64, flags: u32, more_flags: u32, result: u32) = fds::path_open2;
        "proc_id"(result: u32) = process::proc_id;
        "proc_join"(pid: u32, flags: u32, result: u32) = process::proc_join;
        "proc_parent"(pid: u32, result: u32) = process::proc_parent;
        "proc_raise_interval"(signal: u32, interval: u64, repeat: u32) = process::proc_raise_interval;
        "proc_signal"(pid: u32, signal: u32) = process::proc_signal;
        "resolve"(host: u32, len: u32, port: u32, addresses: u32, max: u32, count: u32) = sock::resolve;
        "sock_accept_v2"(fd: u32, flags: u32, result: u32, address: u32) = sock::sock_accept_v2;
        "sock_addr_local"(fd: u32, address: u32) = sock::sock_addr_local;
        "sock_addr_peer"(fd: u32, address: u32) = sock::sock_addr_peer;
        "sock_bind"(fd: u32, address: u32) = sock::sock_bind;
        "sock_connect"(fd: u32, address: u32) = sock::sock_connect;
        "sock_get_opt_flag"(fd: u32, option: u32, result: u32) = sock::sock_get_opt_flag;
        "sock_get_opt_size"(fd: u32, option: u32, result: u32) = sock::sock_get_opt_size;
        "sock_get_opt_time"(fd: u32, option: u32, result: u32) = sock::sock_get_opt_time;
        "sock_listen"(fd: u32, backlog: u32) = sock::sock_listen;
        "sock_open"(family: u32, ty: u32, protocol: u32, result: u32) = sock::sock_open;
        "sock_pair"(family: u32, ty: u32, protocol: u32, first: u32, second: u32) = sock::sock_pair;
        "sock_recv_from"(fd: u32, buffers: u32, count: u32, flags: u32, len: u32, result_flags: u32, address: u32) = sock::sock_recv_from;
        "sock_send_file"(to: u32, from: u32, offset: u64, count: u64, sent: u32) = sock::sock_send_file;
        "sock_send_to"(fd: u32, buffers: u32, count: u32, flags: u32, address: u32, sent: u32) = sock::sock_send_to;
        "sock_set_opt_flag"(fd: u32, option: u32, on: u32) = sock::sock_set_opt_flag;
        "sock_set_opt_size"(fd: u32, option: u32, size: u64) = sock::sock_set_opt_size;
        "sock_set_opt_time"(fd: u32, option: u32, time: u32) = sock::sock_set_opt_time;
        "sock_status"(fd: u32, result: u32) = sock::sock_status;
        "thread_id"(result: u32) = process::proc_id;
        "thread_join"(thread: u32) = process::thread_join;
        "thread_parallelism"(result: u32) = process::thread_parallelism;
        "thread_signal"(thread: u32, signal: u32) = process::proc_signal;
        "thread_sleep"(duration: u64) = process::thread_sleep;
        "thread_spawn_v2"(start: u32, result: u32) = process::thread_spawn;
        "tty_get"(state: u32) = process::tty_get;
        "tty_set"(state: u32) = process::tty_set;
    }
}

/// The names of the functions.
pub(super) const NAMES: [&[&str]; 2] =
    [rows::NAMES, &["callback_signal", "proc_exit2", "thread_exit"]];

/// The function of this name, see `extension_functions!`.
pub(super) fn function(
    store: &Store,
    context: &Rc<RefCell<Context>>,
    name: &str,
    ty: Option<&FuncType>,
) -> Option<Result<Func, Error>> {
    match name {
        // The only thread takes the process with it.
        "proc_exit2" | "thread_exit" => Some(functions::exit(store)),
        // There are no signals, so that what is registered is never called.
        "callback_signal" => Some(Func::wrap(store, |_: &Caller, _name: u32, _len: u32| {})),
        _ => rows::function(store, context, name, ty),
    }
}
