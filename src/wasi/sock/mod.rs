//! Sockets: the functions of preview 1, and what all functions on sockets share. A guest gets
//! listeners from the start, and makes sockets itself as far as [`Grants`] allow.

mod grants;
mod lookup;
mod options;
mod socket;
pub(super) mod wasmedge;

use std::net::SocketAddr;
use std::rc::Rc;

use rustix::net::{RecvFlags, SendFlags, Shutdown};

use super::Context;
use super::errno::Errno;
use super::fds::{Entry, Object};
use super::guest::Guest;
use super::types::{fdflags, rights};

pub(super) use grants::Grants;
pub(super) use options::{Flag, Size, Time, error_number};
pub(super) use socket::{Received, Socket};

/// Flags of receiving; the last two are WASIX's.
mod riflags {
    pub const PEEK: u32 = 1;
    pub const WAITALL: u32 = 2;
    /// A datagram is cut to the room that there is, as it always is.
    pub const TRUNCATE: u32 = 4;
    /// Fails where it would wait.
    pub const DONT_WAIT: u32 = 8;
    pub const ALL: u32 = PEEK | WAITALL | TRUNCATE | DONT_WAIT;
}

/// The flag of sending, WASIX's: fails where it would wait.
const SEND_DONT_WAIT: u32 = 1;

/// What has happened while receiving: the datagram was longer than the buffers.
const TRUNCATED: u16 = 1;

/// Directions to shut down.
mod sdflags {
    pub const READ: u32 = 1;
    pub const WRITE: u32 = 2;
}

/// The descriptor of a listener that is there from the start.
pub(super) fn listener(socket: Socket) -> Entry {
    let object = Object::Socket(Rc::new(socket));
    Entry { object, rights: rights::LISTENER, inheriting: rights::SOCKET }
}

/// Adds the descriptor of a socket that the guest has made.
pub(super) fn add(ctx: &mut Context, socket: Socket) -> Result<u32, Errno> {
    let object = Object::Socket(Rc::new(socket));
    let all = rights::SOCKET | rights::LISTENER;
    ctx.fds.add(Entry { object, rights: all, inheriting: rights::SOCKET })
}

/// Makes a socket. A guest that may reach nothing has no use for one.
pub(super) fn open(ctx: &mut Context, v6: bool, datagrams: bool) -> Result<u32, Errno> {
    if ctx.net.is_empty() {
        return Err(Errno::Access);
    }
    add(ctx, Socket::open(v6, datagrams)?)
}

/// The socket that a descriptor with these rights stands for.
pub(super) fn socket(ctx: &Context, fd: u32, rights: u64) -> Result<Rc<Socket>, Errno> {
    match &ctx.fds.get(fd)?.object {
        Object::Socket(socket) => {
            let socket = socket.clone();
            ctx.fds.with_rights(fd, rights).map(|_| socket)
        }
        _ => Err(Errno::NotSocket),
    }
}

/// Accepts a connection; its descriptor, and where it comes from.
pub(super) fn accept(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    flags: u32,
) -> Result<(u32, Option<SocketAddr>), Errno> {
    let listener = socket(ctx, fd, rights::SOCK_ACCEPT)?;
    if flags & !u32::from(fdflags::NONBLOCK) != 0 {
        return Err(Errno::Invalid);
    }
    let inherited = ctx.fds.get(fd)?.inheriting;
    // A connection that there is no descriptor for stays in the queue.
    ctx.fds.next()?;
    let (socket, from) = listener.accept(guest, flags != 0)?;
    let object = Object::Socket(Rc::new(socket));
    let number = ctx.fds.add(Entry { object, rights: inherited, inheriting: inherited })?;
    Ok((number, from))
}

/// Connects a socket to an address, if that is granted.
pub(super) fn connect(ctx: &Context, fd: u32, to: SocketAddr) -> Result<(), Errno> {
    let socket = socket(ctx, fd, 0)?;
    socket.connect(ctx.net.peer(to)?)
}

/// Binds a socket to an address, if that is granted.
pub(super) fn bind(ctx: &Context, fd: u32, at: SocketAddr) -> Result<(), Errno> {
    let socket = socket(ctx, fd, 0)?;
    ctx.net.bind(at)?;
    socket.bind(at)
}

/// Lets connections come to a socket. One that is not bound the system would bind to all addresses
/// of the machine: that takes the same grant as doing it by name.
pub(super) fn listen(ctx: &Context, fd: u32, backlog: u32) -> Result<(), Errno> {
    let socket = socket(ctx, fd, rights::SOCK_ACCEPT)?;
    let local = socket.local()?;
    if local.port() == 0 {
        ctx.net.bind(local)?;
    }
    socket.listen(backlog)
}

/// Receives into the buffers at `buffers`.
pub(super) fn receive(
    ctx: &Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    flags: u32,
) -> Result<Received, Errno> {
    let socket = socket(ctx, fd, rights::FD_READ)?;
    if flags & !riflags::ALL != 0 {
        return Err(Errno::Invalid);
    }
    let mut host = RecvFlags::empty();
    host.set(RecvFlags::PEEK, flags & riflags::PEEK != 0);
    host.set(RecvFlags::WAITALL, flags & riflags::WAITALL != 0);
    host.set(RecvFlags::DONTWAIT, flags & riflags::DONT_WAIT != 0);
    let buffers = guest.buffers(buffers, count)?;
    socket.receive(guest, &buffers, host)
}

/// Sends the buffers at `buffers`, to an address if one is given and granted.
pub(super) fn send(
    ctx: &Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    to: Option<SocketAddr>,
    flags: u32,
) -> Result<u32, Errno> {
    let socket = socket(ctx, fd, rights::FD_WRITE)?;
    let flags = match flags {
        0 => SendFlags::empty(),
        SEND_DONT_WAIT => SendFlags::DONTWAIT,
        _ => return Err(Errno::Invalid),
    };
    let to = to.map(|to| ctx.net.peer(to)).transpose()?;
    let buffers = guest.buffers(buffers, count)?;
    socket.send(guest, &buffers, to, flags)
}

/// The flags of what has been received.
pub(super) fn roflags(received: &Received) -> u16 {
    if received.truncated { TRUNCATED } else { 0 }
}

pub(super) fn sock_accept(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    flags: u32,
    result: u32,
) -> Result<(), Errno> {
    socket(ctx, fd, 0)?;
    guest.check(result, 4)?;
    let (number, _) = accept(ctx, guest, fd, flags)?;
    guest.put_u32(result, number)
}

pub(super) fn sock_recv(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    flags: u32,
    len: u32,
    result_flags: u32,
) -> Result<(), Errno> {
    socket(ctx, fd, 0)?;
    guest.check(len, 4)?;
    guest.check(result_flags, 2)?;
    let received = receive(ctx, guest, fd, buffers, count, flags)?;
    guest.put_u32(len, received.len)?;
    guest.put(result_flags, &roflags(&received).to_le_bytes())
}

pub(super) fn sock_send(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    flags: u32,
    sent: u32,
) -> Result<(), Errno> {
    socket(ctx, fd, 0)?;
    guest.check(sent, 4)?;
    let len = send(ctx, guest, fd, buffers, count, None, flags)?;
    guest.put_u32(sent, len)
}

pub(super) fn sock_shutdown(ctx: &mut Context, _: &Guest, fd: u32, how: u32) -> Result<(), Errno> {
    let socket = socket(ctx, fd, rights::SOCK_SHUTDOWN)?;
    socket.shutdown(match how {
        sdflags::READ => Shutdown::Read,
        sdflags::WRITE => Shutdown::Write,
        both if both == sdflags::READ | sdflags::WRITE => Shutdown::Both,
        _ => return Err(Errno::Invalid),
    })
}
