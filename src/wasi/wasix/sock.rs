//! Sockets. Addresses lie in 20 bytes: the family, a byte of nothing, the port, the address; or in
//! 18 without the port.

use std::net::{IpAddr, SocketAddr};

use rustix::event::PollFlags;

use super::fds::add_pair;
use super::process::optional_time;
use crate::wasi::Context;
use crate::wasi::errno::Errno;
use crate::wasi::fds::Object;
use crate::wasi::guest::Guest;
use crate::wasi::sock::{
    self, Flag, Size, Socket, Time, accept, error_number, receive, roflags, send, socket,
};
use crate::wasi::types::{Layout, rights};

const INET4: u8 = 1;
const INET6: u8 = 2;
const UNIX: u8 = 3;

const STREAM: u8 = 1;
const DATAGRAM: u8 = 2;

const TCP: u32 = 6;
const UDP: u32 = 17;

/// States of a socket.
const OPENING: u8 = 0;
const OPENED: u8 = 1;
const FAILED: u8 = 3;

/// The bytes of an address with its port.
const ADDRESS_SIZE: u32 = 20;

/// Bytes of a file that are read at once.
const FILE_CHUNK: u64 = 1 << 16;

/// Reads an address with its port.
fn get(guest: &Guest, at: u32) -> Result<SocketAddr, Errno> {
    let [family, _, low, high]: [u8; 4] = guest.get(at)?;
    let port = u16::from_le_bytes([low, high]);
    let ip: IpAddr = match family {
        INET4 => guest.get::<8>(at)?.last_chunk::<4>().copied().ok_or(Errno::Fault)?.into(),
        INET6 => guest.get::<20>(at)?.last_chunk::<16>().copied().ok_or(Errno::Fault)?.into(),
        _ => return Err(Errno::AddressFamily),
    };
    Ok(SocketAddr::new(ip, port))
}

/// Writes an address with its port.
fn put(guest: &Guest, at: u32, address: SocketAddr) -> Result<(), Errno> {
    let mut layout = Layout::<{ ADDRESS_SIZE as usize }>::new().u16(2, address.port());
    put_ip(&mut layout.0, 4, address.ip());
    guest.put(at, &layout.0)
}

/// Writes family and address into a struct.
fn put_ip(bytes: &mut [u8], at: usize, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            bytes[0] = INET4;
            bytes[at..at + 4].copy_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            bytes[0] = INET6;
            bytes[at..at + 16].copy_from_slice(&ip.octets());
        }
    }
}

/// Whether sockets of this type are for datagrams; the protocol has to be the type's own.
fn has_datagrams(ty: u32, protocol: u32) -> Result<bool, Errno> {
    match (ty as u8, protocol) {
        (STREAM, 0 | TCP) => Ok(false),
        (DATAGRAM, 0 | UDP) => Ok(true),
        (STREAM | DATAGRAM, _) => Err(Errno::ProtocolNotSupported),
        _ => Err(Errno::ProtocolType),
    }
}

pub(super) fn sock_open(
    ctx: &mut Context,
    guest: &Guest,
    family: u32,
    ty: u32,
    protocol: u32,
    result: u32,
) -> Result<(), Errno> {
    guest.check(result, 4)?;
    let v6 = match family as u8 {
        INET4 => false,
        INET6 => true,
        _ => return Err(Errno::AddressFamily),
    };
    let number = sock::open(ctx, v6, has_datagrams(ty, protocol)?)?;
    guest.put_u32(result, number)
}

/// Two sockets connected with each other. They reach nothing else and need no grant.
pub(super) fn sock_pair(
    ctx: &mut Context,
    guest: &Guest,
    family: u32,
    ty: u32,
    protocol: u32,
    first: u32,
    second: u32,
) -> Result<(), Errno> {
    if !matches!(family as u8, INET4 | INET6 | UNIX) {
        return Err(Errno::AddressFamily);
    }
    add_pair(ctx, guest, has_datagrams(ty, protocol)?, first, second)
}

pub(super) fn sock_bind(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    address: u32,
) -> Result<(), Errno> {
    sock::bind(ctx, fd, get(guest, address)?)
}

pub(super) fn sock_listen(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    backlog: u32,
) -> Result<(), Errno> {
    sock::listen(ctx, fd, backlog)
}

pub(super) fn sock_accept_v2(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    flags: u32,
    result: u32,
    address: u32,
) -> Result<(), Errno> {
    guest.check(result, 4)?;
    guest.check(address, ADDRESS_SIZE)?;
    let (number, from) = accept(ctx, guest, fd, flags)?;
    guest.put_u32(result, number)?;
    from.map_or(Ok(()), |from| put(guest, address, from))
}

pub(super) fn sock_connect(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    address: u32,
) -> Result<(), Errno> {
    sock::connect(ctx, fd, get(guest, address)?)
}

pub(super) fn sock_addr_local(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    address: u32,
) -> Result<(), Errno> {
    put(guest, address, socket(ctx, fd, 0)?.local()?)
}

pub(super) fn sock_addr_peer(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    address: u32,
) -> Result<(), Errno> {
    put(guest, address, socket(ctx, fd, 0)?.peer()?)
}

pub(super) fn sock_recv_from(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    flags: u32,
    len: u32,
    result_flags: u32,
    address: u32,
) -> Result<(), Errno> {
    guest.check(len, 4)?;
    guest.check(result_flags, 2)?;
    guest.check(address, ADDRESS_SIZE)?;
    let received = receive(ctx, guest, fd, buffers, count, flags)?;
    let from = received.from.or_else(|| socket(ctx, fd, 0).ok()?.peer().ok());
    guest.put_u32(len, received.len)?;
    guest.put(result_flags, &roflags(&received).to_le_bytes())?;
    from.map_or(Ok(()), |from| put(guest, address, from))
}

pub(super) fn sock_send_to(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    flags: u32,
    address: u32,
    sent: u32,
) -> Result<(), Errno> {
    guest.check(sent, 4)?;
    let len = send(ctx, guest, fd, buffers, count, Some(get(guest, address)?), flags)?;
    guest.put_u32(sent, len)
}

/// Sends what is in a file, from an offset on, at most so many bytes; how many were sent.
pub(super) fn sock_send_file(
    ctx: &mut Context,
    guest: &Guest,
    to: u32,
    from: u32,
    offset: u64,
    count: u64,
    sent: u32,
) -> Result<(), Errno> {
    guest.check(sent, 8)?;
    let socket = socket(ctx, to, rights::FD_WRITE)?;
    let file = match &ctx.fds.with_rights(from, rights::FD_READ | rights::FD_SEEK)?.object {
        Object::File(file) => file.clone(),
        _ => return Err(Errno::Invalid),
    };
    let end = offset.checked_add(count).filter(|end| i64::try_from(*end).is_ok());
    let end = end.ok_or(Errno::Invalid)?;
    let mut chunk = vec![0; count.min(FILE_CHUNK) as usize];
    let mut at = offset;
    while at < end {
        let room = (end - at).min(FILE_CHUNK) as usize;
        let len =
            rustix::io::retry_on_intr(|| rustix::io::pread(&file.fd, &mut chunk[..room], at))?;
        if len == 0 {
            break;
        }
        match socket.send_bytes(&chunk[..len]) {
            Ok(sent) => at += u64::from(sent),
            // What has been sent before the error is not lost.
            Err(_) if at > offset => break,
            Err(error) => return Err(error),
        }
    }
    guest.put_u64(sent, at - offset)
}

pub(super) fn sock_status(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    result: u32,
) -> Result<(), Errno> {
    let socket = socket(ctx, fd, 0)?;
    guest.put(result, &[status(&socket)?])
}

fn status(socket: &Socket) -> Result<u8, Errno> {
    let ready = socket.has_datagrams() || Flag::Listening.get(socket)?;
    Ok(match socket.peer() {
        Err(Errno::NotConnected) if ready => OPENED,
        Err(Errno::NotConnected) if socket.state()?.contains(PollFlags::ERR) => FAILED,
        Err(Errno::NotConnected) => OPENING,
        _ => OPENED,
    })
}

fn flag(option: u32) -> Result<Flag, Errno> {
    Ok(match option {
        1 => Flag::ReusePort,
        2 => Flag::ReuseAddress,
        3 => Flag::NoDelay,
        5 => Flag::OnlyV6,
        6 => Flag::Broadcast,
        10 => Flag::Listening,
        12 => Flag::KeepAlive,
        14 => Flag::OutOfBandInline,
        _ => return Err(Errno::NoSuchOption),
    })
}

fn time(option: u32) -> Result<Time, Errno> {
    Ok(match option {
        13 => Time::Linger,
        19 => Time::ReceiveTimeout,
        20 => Time::SendTimeout,
        _ => return Err(Errno::NoSuchOption),
    })
}

fn size(option: u32) -> Result<Size, Errno> {
    Ok(match option {
        15 => Size::ReceiveBuffer,
        16 => Size::SendBuffer,
        23 => Size::TimeToLive,
        _ => return Err(Errno::NoSuchOption),
    })
}

pub(super) fn sock_get_opt_flag(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    option: u32,
    result: u32,
) -> Result<(), Errno> {
    let on = flag(option)?.get(&*socket(ctx, fd, 0)?)?;
    guest.put(result, &[on.into()])
}

pub(super) fn sock_set_opt_flag(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    option: u32,
    on: u32,
) -> Result<(), Errno> {
    let socket = socket(ctx, fd, 0)?;
    match on as u8 {
        on @ (0 | 1) => flag(option)?.set(&socket, on == 1),
        _ => Err(Errno::Invalid),
    }
}

pub(super) fn sock_get_opt_time(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    option: u32,
    result: u32,
) -> Result<(), Errno> {
    let time = time(option)?.get(&*socket(ctx, fd, 0)?)?;
    let nanoseconds = time.map_or(Ok(0), |time| u64::try_from(time.as_nanos()));
    let nanoseconds = nanoseconds.map_err(|_| Errno::Overflow)?;
    guest.put(result, &Layout::<16>::new().u8(0, time.is_some().into()).u64(8, nanoseconds).0)
}

pub(super) fn sock_set_opt_time(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    option: u32,
    value: u32,
) -> Result<(), Errno> {
    let socket = socket(ctx, fd, 0)?;
    time(option)?.set(&socket, optional_time(guest, value)?)
}

pub(super) fn sock_get_opt_size(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    option: u32,
    result: u32,
) -> Result<(), Errno> {
    guest.check(result, 8)?;
    let socket = socket(ctx, fd, 0)?;
    let value = match option {
        // What has gone wrong, and the type, are numbers like sizes.
        11 => error_number(&socket)?,
        25 => (if socket.has_datagrams() { DATAGRAM } else { STREAM }).into(),
        option => size(option)?.get(&socket)?,
    };
    guest.put_u64(result, value.into())
}

pub(super) fn sock_set_opt_size(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    option: u32,
    value: u64,
) -> Result<(), Errno> {
    let socket = socket(ctx, fd, 0)?;
    size(option)?.set(&socket, u32::try_from(value).map_err(|_| Errno::Invalid)?)
}

/// Writes the granted addresses of a name, as many as there is room for.
pub(super) fn resolve(
    ctx: &mut Context,
    guest: &Guest,
    host: u32,
    len: u32,
    port: u32,
    addresses: u32,
    max: u32,
    count: u32,
) -> Result<(), Errno> {
    const SIZE: u32 = 18;
    guest.check(count, 4)?;
    let host = guest.path(host, len)?;
    let port = u16::try_from(port).map_err(|_| Errno::Invalid)?;
    let found = ctx.net.resolve(&host, (port != 0).then_some(port))?;
    let mut written = 0;
    for ip in found.iter().take(max as usize) {
        let at = addresses.checked_add(written * SIZE).ok_or(Errno::Fault)?;
        let mut bytes = [0; SIZE as usize];
        put_ip(&mut bytes, 2, *ip);
        guest.put(at, &bytes)?;
        written += 1;
    }
    guest.put_u32(count, written)
}
