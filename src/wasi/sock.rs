//! Sockets. A guest has none yet, so that every descriptor is something else.

use super::Context;
use super::errno::Errno;
use super::guest::Guest;

pub(super) fn sock_accept(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    _flags: u32,
    _result: u32,
) -> Result<(), Errno> {
    not_a_socket(ctx, fd)
}

pub(super) fn sock_recv(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    _buffers: u32,
    _count: u32,
    _flags: u32,
    _received: u32,
    _result_flags: u32,
) -> Result<(), Errno> {
    not_a_socket(ctx, fd)
}

pub(super) fn sock_send(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    _buffers: u32,
    _count: u32,
    _flags: u32,
    _sent: u32,
) -> Result<(), Errno> {
    not_a_socket(ctx, fd)
}

pub(super) fn sock_shutdown(ctx: &mut Context, _: &Guest, fd: u32, _how: u32) -> Result<(), Errno> {
    not_a_socket(ctx, fd)
}

fn not_a_socket(ctx: &Context, fd: u32) -> Result<(), Errno> {
    ctx.fds.get(fd)?;
    Err(Errno::NotSocket)
}
