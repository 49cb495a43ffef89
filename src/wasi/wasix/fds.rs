//! Copies of descriptors, and descriptors of nothing in the file system.

use std::rc::Rc;

use rustix::event::{EventfdFlags, eventfd};

use crate::wasi::Context;
use crate::wasi::errno::Errno;
use crate::wasi::fds::{Entry, File, Object};
use crate::wasi::fs::dir::path_open;
use crate::wasi::guest::Guest;
use crate::wasi::sock::{self, Socket};
use crate::wasi::types::rights;

/// The descriptor is closed when another program is started. None is ever started.
const CLOSE_ON_EXEC: u32 = 1;

/// Reading takes one from the number of an event.
const SEMAPHORE: u32 = 1;

pub(super) fn fd_dup(ctx: &mut Context, guest: &Guest, fd: u32, result: u32) -> Result<(), Errno> {
    fd_dup2(ctx, guest, fd, 0, 0, result)
}

/// A second descriptor of the same thing, with the lowest free number that is at least `least`.
pub(super) fn fd_dup2(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    least: u32,
    _cloexec: u32,
    result: u32,
) -> Result<(), Errno> {
    guest.check(result, 4)?;
    let copy = ctx.fds.get(fd)?.clone();
    let number = ctx.fds.add_from(least, copy)?;
    guest.put_u32(result, number)
}

pub(super) fn fd_event(
    ctx: &mut Context,
    guest: &Guest,
    initial: u64,
    flags: u32,
    result: u32,
) -> Result<(), Errno> {
    guest.check(result, 4)?;
    if flags & !SEMAPHORE != 0 {
        return Err(Errno::Invalid);
    }
    let mut host = EventfdFlags::CLOEXEC;
    host.set(EventfdFlags::SEMAPHORE, flags & SEMAPHORE != 0);
    let fd = eventfd(u32::try_from(initial).map_err(|_| Errno::Invalid)?, host)?;
    let object = Object::File(Rc::new(File { fd, regular: false }));
    let number = ctx.fds.add(Entry { object, rights: rights::STREAM, inheriting: 0 })?;
    guest.put_u32(result, number)
}

pub(super) fn fd_fdflags_get(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    result: u32,
) -> Result<(), Errno> {
    ctx.fds.get(fd)?;
    guest.put(result, &(CLOSE_ON_EXEC as u16).to_le_bytes())
}

pub(super) fn fd_fdflags_set(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    flags: u32,
) -> Result<(), Errno> {
    ctx.fds.get(fd)?;
    if flags & !CLOSE_ON_EXEC != 0 { Err(Errno::Invalid) } else { Ok(()) }
}

/// Two descriptors: what is written to one is read from the other, both ways.
pub(super) fn fd_pipe(
    ctx: &mut Context,
    guest: &Guest,
    first: u32,
    second: u32,
) -> Result<(), Errno> {
    add_pair(ctx, guest, false, first, second)
}

/// Adds the descriptors of two sockets that are connected with each other.
pub(super) fn add_pair(
    ctx: &mut Context,
    guest: &Guest,
    datagrams: bool,
    first: u32,
    second: u32,
) -> Result<(), Errno> {
    guest.check(first, 4)?;
    guest.check(second, 4)?;
    let (a, b) = Socket::pair(datagrams)?;
    let a = sock::add(ctx, a)?;
    let b = match sock::add(ctx, b) {
        Ok(b) => b,
        Err(error) => {
            ctx.fds.remove(a)?;
            return Err(error);
        }
    };
    guest.put_u32(first, a)?;
    guest.put_u32(second, b)
}

pub(super) fn path_open2(
    ctx: &mut Context,
    guest: &Guest,
    dir: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    open: u32,
    base: u64,
    inheriting: u64,
    flags: u32,
    more_flags: u32,
    result: u32,
) -> Result<(), Errno> {
    if more_flags & !CLOSE_ON_EXEC != 0 {
        return Err(Errno::Invalid);
    }
    path_open(ctx, guest, dir, lookup, path, path_len, open, base, inheriting, flags, result)
}
