//! The process: its working directory, terminal, only thread, and identity.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, isatty, tcgetattr, tcgetwinsize};

use crate::wasi::Context;
use crate::wasi::clock::Clock;
use crate::wasi::errno::Errno;
use crate::wasi::fs::path::GuestPath;
use crate::wasi::guest::Guest;
use crate::wasi::poll::sleep;
use crate::wasi::types::Layout;

/// The number of the only process, and of its only thread.
const OWN_ID: u32 = 1;

/// The size of what is no terminal.
const DEFAULT_COLUMNS: u16 = 80;
const DEFAULT_ROWS: u16 = 25;

/// An absolute path, taken apart by name: `..` leads back to where the name was found.
fn absolute(directory: &str, path: &str) -> String {
    let from = if path.starts_with('/') { "" } else { directory };
    let mut names: Vec<&str> = Vec::new();
    for name in from.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// What is left of an absolute path below a directory of the guest's.
fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    let directory = absolute("/", directory);
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// Sets the working directory, which has to be in a directory that was there from the start.
/// Functions on paths do not use it: their paths begin at the descriptor that they are given.
pub(super) fn chdir(ctx: &mut Context, guest: &Guest, path: u32, len: u32) -> Result<(), Errno> {
    let path = guest.path(path, len)?;
    if path.is_empty() {
        return Err(Errno::NoEntry);
    }
    let path = absolute(&ctx.wasix.directory, &path);
    let preopened = ctx.fds.preopened();
    let found = preopened.filter_map(|(name, directory)| Some((below(&path, name)?, directory)));
    // The directory with the longest name leaves the shortest rest.
    let (rest, directory) = found.min_by_key(|(rest, _)| rest.len()).ok_or(Errno::NoEntry)?;
    if !rest.is_empty() {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        GuestPath::new(rest)?.open(directory.fd.as_fd(), flags, Mode::empty())?;
    }
    ctx.wasix.directory = path;
    Ok(())
}

/// Writes the working directory, with a zero byte where there is room, and its length; fails when
/// there is too little room, or no place at all.
pub(super) fn getcwd(ctx: &mut Context, guest: &Guest, path: u32, len: u32) -> Result<(), Errno> {
    let room = u32::from_le_bytes(guest.get(len)?);
    let directory = ctx.wasix.directory.as_bytes();
    let needed = u32::try_from(directory.len()).map_err(|_| Errno::Overflow)?;
    if path == 0 || room < needed {
        guest.put_u32(len, needed)?;
        return Err(Errno::Range);
    }
    guest.check(path, room)?;
    guest.put_u32(len, needed)?;
    guest.put(path, directory)?;
    if room > needed { guest.put(path + needed, &[0]) } else { Ok(()) }
}

/// The host's clocks are not the guest's to set.
pub(super) fn clock_time_set(_: &mut Context, _: &Guest, id: u32, _time: u64) -> Result<(), Errno> {
    Clock::of(id)?;
    Err(Errno::NotPermitted)
}

/// Waits while a word has a value. Nobody could change it meanwhile: without a timeout the wait
/// would never end, and is refused.
pub(super) fn futex_wait(
    ctx: &mut Context,
    guest: &Guest,
    address: u32,
    expected: u32,
    timeout: u32,
    result: u32,
) -> Result<(), Errno> {
    guest.check(result, 1)?;
    let timeout = optional_time(guest, timeout)?;
    if u32::from_le_bytes(guest.get(address)?) != expected {
        return guest.put(result, &[1]);
    }
    let timeout = timeout.ok_or(Errno::Deadlock)?.as_nanos();
    sleep(ctx, guest, u64::try_from(timeout).unwrap_or(u64::MAX))?;
    guest.put(result, &[0])
}

/// A time that may be missing: a byte that says so, and nanoseconds.
pub(super) fn optional_time(guest: &Guest, at: u32) -> Result<Option<Duration>, Errno> {
    let raw: [u8; 16] = guest.get(at)?;
    let nanoseconds = u64::from_le_bytes(std::array::from_fn(|i| raw[8 + i]));
    match raw[0] {
        0 => Ok(None),
        1 => Ok(Some(Duration::from_nanos(nanoseconds))),
        _ => Err(Errno::Invalid),
    }
}

/// Wakes nobody: nobody waits.
pub(super) fn futex_wake(
    _: &mut Context,
    guest: &Guest,
    address: u32,
    result: u32,
) -> Result<(), Errno> {
    guest.check(address, 4)?;
    guest.put(result, &[0])
}

pub(super) fn proc_id(_: &mut Context, guest: &Guest, result: u32) -> Result<(), Errno> {
    guest.put_u32(result, OWN_ID)
}

/// Waits for a child, of which there is none.
pub(super) fn proc_join(
    _: &mut Context,
    guest: &Guest,
    pid: u32,
    _flags: u32,
    result: u32,
) -> Result<(), Errno> {
    guest.check(pid, 8)?;
    guest.check(result, 4)?;
    Err(Errno::NoChild)
}

pub(super) fn proc_parent(
    _: &mut Context,
    guest: &Guest,
    pid: u32,
    result: u32,
) -> Result<(), Errno> {
    guest.check(result, 4)?;
    if pid == OWN_ID { guest.put_u32(result, 0) } else { Err(Errno::NoProcess) }
}

/// There are no signals.
pub(super) fn proc_raise_interval(
    _: &mut Context,
    _: &Guest,
    _signal: u32,
    _interval: u64,
    _repeat: u32,
) -> Result<(), Errno> {
    Err(Errno::NotSupported)
}

/// There are no signals, but asking with signal 0 whether somebody is there works.
pub(super) fn proc_signal(_: &mut Context, _: &Guest, pid: u32, signal: u32) -> Result<(), Errno> {
    match (pid, signal) {
        (OWN_ID, 0) => Ok(()),
        (OWN_ID, _) => Err(Errno::NotSupported),
        _ => Err(Errno::NoProcess),
    }
}

pub(super) fn thread_join(_: &mut Context, _: &Guest, thread: u32) -> Result<(), Errno> {
    Err(if thread == OWN_ID { Errno::Deadlock } else { Errno::NoProcess })
}

pub(super) fn thread_parallelism(_: &mut Context, guest: &Guest, result: u32) -> Result<(), Errno> {
    guest.put_u32(result, 1)
}

pub(super) fn thread_sleep(ctx: &mut Context, guest: &Guest, duration: u64) -> Result<(), Errno> {
    sleep(ctx, guest, duration)
}

/// There is one thread.
pub(super) fn thread_spawn(
    _: &mut Context,
    _: &Guest,
    _start: u32,
    _result: u32,
) -> Result<(), Errno> {
    Err(Errno::NotSupported)
}

/// The terminal behind a descriptor.
fn terminal(ctx: &Context, fd: u32) -> Option<BorrowedFd<'_>> {
    ctx.fds.get(fd).ok()?.object.host_fd().filter(|fd| isatty(fd))
}

/// Writes what the terminal is like: columns, rows, their size in pixels, which standard streams
/// are terminals, whether input is echoed, whether it comes in lines, whether line feeds count.
pub(super) fn tty_get(ctx: &mut Context, guest: &Guest, state: u32) -> Result<(), Errno> {
    let terminals = [0, 1, 2].map(|fd| terminal(ctx, fd));
    let any = terminals[1].or(terminals[2]).or(terminals[0]);
    let size = any.and_then(|fd| tcgetwinsize(fd).ok());
    let size = size.map_or((DEFAULT_COLUMNS, DEFAULT_ROWS, 0, 0), |size| {
        (size.ws_col, size.ws_row, size.ws_xpixel, size.ws_ypixel)
    });
    let input = terminals[0].and_then(|fd| tcgetattr(fd).ok());
    let mode = |mode| input.as_ref().is_none_or(|input| input.local_modes.contains(mode));
    let layout = Layout::<24>::new()
        .u32(0, size.0.into())
        .u32(4, size.1.into())
        .u32(8, size.2.into())
        .u32(12, size.3.into())
        .u8(16, terminals[0].is_some().into())
        .u8(17, terminals[1].is_some().into())
        .u8(18, terminals[2].is_some().into())
        .u8(19, mode(LocalModes::ECHO).into())
        .u8(20, mode(LocalModes::ICANON).into());
    guest.put(state, &layout.0)
}

/// The terminal is the host's, and would stay as the guest leaves it.
pub(super) fn tty_set(_: &mut Context, guest: &Guest, state: u32) -> Result<(), Errno> {
    guest.check(state, 24)?;
    Err(Errno::NotSupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_absolute() {
        assert_eq!(absolute("/", "."), "/");
        assert_eq!(absolute("/a/b", "../c/./d//"), "/a/c/d");
        assert_eq!(absolute("/a", "/x/../../y"), "/y");
        assert_eq!(absolute("/a", "../../.."), "/");
    }

    #[test]
    fn paths_are_below_directories() {
        assert_eq!(below("/data/x", "/data"), Some("x"));
        assert_eq!(below("/data", "data/"), Some(""));
        assert_eq!(below("/data/x", "/"), Some("data/x"));
        assert_eq!(below("/data/x", "."), Some("data/x"));
        assert_eq!(below("/database", "/data"), None);
    }
}
