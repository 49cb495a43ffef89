//! The functions on sockets that WasmEdge has added to `wasi_snapshot_preview1`. Some come in two
//! versions under one name, told apart by their parameters; in version 2, which has a name of its
//! own too, addresses may lie in 128 bytes that begin with their family.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Flag, Size, Socket, Time, error_number, lookup, receive, roflags, send, socket};
use crate::wasi::Context;
use crate::wasi::errno::Errno;
use crate::wasi::extension::extension_functions;
use crate::wasi::guest::Guest;
use crate::wasi::types::Layout;

extension_functions! {
    "sock_accept"(fd: u32, result: u32) = accept_v1;
    "sock_accept_v2"(fd: u32, flags: u32, result: u32) = super::sock_accept;
    "sock_open"(family: u32, ty: u32, result: u32) = open;
    "sock_open_v2"(family: u32, ty: u32, result: u32) = open;
    "sock_bind"(fd: u32, address: u32, port: u32) = bind;
    "sock_bind_v2"(fd: u32, address: u32, port: u32) = bind;
    "sock_listen"(fd: u32, backlog: u32) = listen;
    "sock_listen_v2"(fd: u32, backlog: u32) = listen;
    "sock_connect"(fd: u32, address: u32, port: u32) = connect;
    "sock_connect_v2"(fd: u32, address: u32, port: u32) = connect;
    "sock_recv_v2"(fd: u32, buffers: u32, count: u32, flags: u32, len: u32, result_flags: u32) = super::sock_recv;
    "sock_recv_from"(fd: u32, buffers: u32, count: u32, address: u32, flags: u32, len: u32, result_flags: u32) = recv_from_v1;
    "sock_recv_from"(fd: u32, buffers: u32, count: u32, address: u32, flags: u32, port: u32, len: u32, result_flags: u32) = recv_from_v2;
    "sock_recv_from_v2"(fd: u32, buffers: u32, count: u32, address: u32, flags: u32, port: u32, len: u32, result_flags: u32) = recv_from_v2;
    "sock_send_v2"(fd: u32, buffers: u32, count: u32, flags: u32, sent: u32) = super::sock_send;
    "sock_send_to"(fd: u32, buffers: u32, count: u32, address: u32, port: u32, flags: u32, sent: u32) = send_to;
    "sock_send_to_v2"(fd: u32, buffers: u32, count: u32, address: u32, port: u32, flags: u32, sent: u32) = send_to;
    "sock_getlocaladdr"(fd: u32, address: u32, family: u32, port: u32) = local_address_v1;
    "sock_getlocaladdr"(fd: u32, address: u32, port: u32) = local_address_v2;
    "sock_getlocaladdr_v2"(fd: u32, address: u32, port: u32) = local_address_v2;
    "sock_getpeeraddr"(fd: u32, address: u32, family: u32, port: u32) = peer_address_v1;
    "sock_getpeeraddr"(fd: u32, address: u32, port: u32) = peer_address_v2;
    "sock_getpeeraddr_v2"(fd: u32, address: u32, port: u32) = peer_address_v2;
    "sock_getsockopt"(fd: u32, level: u32, name: u32, value: u32, len: u32) = get_option;
    "sock_setsockopt"(fd: u32, level: u32, name: u32, value: u32, len: u32) = set_option;
    "sock_getaddrinfo"(node: u32, node_len: u32, service: u32, service_len: u32, hints: u32, results: u32, max: u32, count: u32) = lookup::sock_getaddrinfo;
}

/// Families of addresses.
pub(super) const INET4: u8 = 1;
pub(super) const INET6: u8 = 2;

/// Types of sockets.
pub(super) const ANY: u8 = 0;
pub(super) const DATAGRAM: u8 = 1;
pub(super) const STREAM: u8 = 2;

/// The size of a buffer for an address of any family.
const STORAGE: u32 = 128;

/// Where the guest has an address, or wants one.
struct Place {
    address: u32,
    len: u32,
}

impl Place {
    /// Reads the struct that points to it.
    fn parse(guest: &Guest, at: u32) -> Result<Place, Errno> {
        let [a, b, c, d, e, f, g, h] = guest.get(at)?;
        let place = Place {
            address: u32::from_le_bytes([a, b, c, d]),
            len: u32::from_le_bytes([e, f, g, h]),
        };
        guest.check(place.address, place.len)?;
        match place.len {
            4 | 16 | STORAGE => Ok(place),
            _ => Err(Errno::Invalid),
        }
    }

    /// The address that is there.
    fn get(&self, guest: &Guest) -> Result<IpAddr, Errno> {
        let v4 = |at| guest.get(at).map(|octets: [u8; 4]| IpAddr::from(octets));
        let v6 = |at| guest.get(at).map(|octets: [u8; 16]| IpAddr::from(octets));
        match self.len {
            4 => v4(self.address),
            16 => v6(self.address),
            _ => match u16::from_le_bytes(guest.get(self.address)?) {
                family if family == u16::from(INET4) => v4(self.address + 2),
                family if family == u16::from(INET6) => v6(self.address + 2),
                _ => Err(Errno::AddressFamily),
            },
        }
    }

    /// Fails when addresses of a socket do not fit.
    fn check(&self, socket: &Socket) -> Result<(), Errno> {
        let too_small = self.len == 4 && socket.local()?.is_ipv6();
        if too_small { Err(Errno::Invalid) } else { Ok(()) }
    }

    /// Writes an address.
    fn put(&self, guest: &Guest, ip: IpAddr) -> Result<(), Errno> {
        let mut at = self.address;
        if self.len == STORAGE {
            guest.put(at, &u16::from(family(ip)).to_le_bytes())?;
            at += 2;
        }
        match ip {
            IpAddr::V4(ip) => guest.put(at, &ip.octets()),
            IpAddr::V6(_) if self.len == 4 => Err(Errno::Invalid),
            IpAddr::V6(ip) => guest.put(at, &ip.octets()),
        }
    }
}

pub(super) fn family(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { INET4 } else { INET6 }
}

/// The address at `address` with a port.
fn socket_address(guest: &Guest, address: u32, port: u32) -> Result<SocketAddr, Errno> {
    let ip = Place::parse(guest, address)?.get(guest)?;
    Ok(SocketAddr::new(ip, u16::try_from(port).map_err(|_| Errno::Invalid)?))
}

fn accept_v1(ctx: &mut Context, guest: &Guest, fd: u32, result: u32) -> Result<(), Errno> {
    super::sock_accept(ctx, guest, fd, 0, result)
}

fn open(ctx: &mut Context, guest: &Guest, family: u32, ty: u32, result: u32) -> Result<(), Errno> {
    guest.check(result, 4)?;
    // What is passed is a byte, whatever stands in the rest of the parameter.
    let v6 = match family as u8 {
        INET4 => false,
        INET6 => true,
        _ => return Err(Errno::AddressFamily),
    };
    let datagrams = match ty as u8 {
        DATAGRAM => true,
        STREAM => false,
        _ => return Err(Errno::Invalid),
    };
    let number = super::open(ctx, v6, datagrams)?;
    guest.put_u32(result, number)
}

fn bind(ctx: &mut Context, guest: &Guest, fd: u32, address: u32, port: u32) -> Result<(), Errno> {
    super::bind(ctx, fd, socket_address(guest, address, port)?)
}

fn listen(ctx: &mut Context, _: &Guest, fd: u32, backlog: u32) -> Result<(), Errno> {
    super::listen(ctx, fd, backlog)
}

fn connect(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    address: u32,
    port: u32,
) -> Result<(), Errno> {
    super::connect(ctx, fd, socket_address(guest, address, port)?)
}

/// Receives; who has sent it, which for a connected socket is its peer.
fn recv_from(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    address: u32,
    flags: u32,
    len: u32,
    result_flags: u32,
) -> Result<Option<SocketAddr>, Errno> {
    let socket = socket(ctx, fd, 0)?;
    guest.check(len, 4)?;
    guest.check(result_flags, 2)?;
    let place = Place::parse(guest, address)?;
    place.check(&socket)?;
    let received = receive(ctx, guest, fd, buffers, count, flags)?;
    let from = received.from.or_else(|| socket.peer().ok());
    if let Some(from) = from {
        place.put(guest, from.ip())?;
    }
    guest.put_u32(len, received.len)?;
    guest.put(result_flags, &roflags(&received).to_le_bytes())?;
    Ok(from)
}

fn recv_from_v1(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    address: u32,
    flags: u32,
    len: u32,
    result_flags: u32,
) -> Result<(), Errno> {
    recv_from(ctx, guest, fd, buffers, count, address, flags, len, result_flags).map(drop)
}

fn recv_from_v2(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    address: u32,
    flags: u32,
    port: u32,
    len: u32,
    result_flags: u32,
) -> Result<(), Errno> {
    // WasmEdge writes two bytes here, other than for the ports of local and peer addresses.
    guest.check(port, 2)?;
    let from = recv_from(ctx, guest, fd, buffers, count, address, flags, len, result_flags)?;
    match from {
        Some(from) => guest.put(port, &from.port().to_le_bytes()),
        None => Ok(()),
    }
}

fn send_to(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    address: u32,
    port: u32,
    flags: u32,
    sent: u32,
) -> Result<(), Errno> {
    socket(ctx, fd, 0)?;
    guest.check(sent, 4)?;
    let to = socket_address(guest, address, port)?;
    let len = send(ctx, guest, fd, buffers, count, Some(to), flags)?;
    guest.put_u32(sent, len)
}

/// Writes an address as version 1 has it: family 4 or 6.
fn put_v1(
    guest: &Guest,
    of: SocketAddr,
    address: u32,
    family: u32,
    port: u32,
) -> Result<(), Errno> {
    let place = Place::parse(guest, address)?;
    if place.len == STORAGE {
        return Err(Errno::Invalid);
    }
    guest.check(family, 4)?;
    guest.check(port, 4)?;
    place.put(guest, of.ip())?;
    guest.put_u32(family, if of.is_ipv4() { 4 } else { 6 })?;
    guest.put_u32(port, of.port().into())
}

/// Writes an address as version 2 has it.
fn put_v2(guest: &Guest, of: SocketAddr, address: u32, port: u32) -> Result<(), Errno> {
    let place = Place::parse(guest, address)?;
    if place.len != STORAGE {
        return Err(Errno::Invalid);
    }
    guest.check(port, 4)?;
    place.put(guest, of.ip())?;
    guest.put_u32(port, of.port().into())
}

fn local_address_v1(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    address: u32,
    family: u32,
    port: u32,
) -> Result<(), Errno> {
    put_v1(guest, socket(ctx, fd, 0)?.local()?, address, family, port)
}

fn local_address_v2(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    address: u32,
    port: u32,
) -> Result<(), Errno> {
    put_v2(guest, socket(ctx, fd, 0)?.local()?, address, port)
}

fn peer_address_v1(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    address: u32,
    family: u32,
    port: u32,
) -> Result<(), Errno> {
    put_v1(guest, socket(ctx, fd, 0)?.peer()?, address, family, port)
}

fn peer_address_v2(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    address: u32,
    port: u32,
) -> Result<(), Errno> {
    put_v2(guest, socket(ctx, fd, 0)?.peer()?, address, port)
}

/// A setting by its numbers.
enum Setting {
    Flag(Flag),
    Size(Size),
    /// A timeout: seconds and microseconds.
    Timeout(Time),
    /// Whether, and how many seconds.
    Linger,
    Type,
    Error,
}

impl Setting {
    fn new(level: u32, name: u32) -> Result<Setting, Errno> {
        Ok(match (level, name) {
            (0, 0) => Setting::Flag(Flag::ReuseAddress),
            (0, 1) => Setting::Type,
            (0, 2) => Setting::Error,
            (0, 4) => Setting::Flag(Flag::Broadcast),
            (0, 5) => Setting::Size(Size::SendBuffer),
            (0, 6) => Setting::Size(Size::ReceiveBuffer),
            (0, 7) => Setting::Flag(Flag::KeepAlive),
            (0, 8) => Setting::Flag(Flag::OutOfBandInline),
            (0, 9) => Setting::Linger,
            (0, 11) => Setting::Timeout(Time::ReceiveTimeout),
            (0, 12) => Setting::Timeout(Time::SendTimeout),
            (0, 13) => Setting::Flag(Flag::Listening),
            // Of guests that are linked against the C library which has level 6.
            (6, 15) => Setting::Flag(Flag::NoDelay),
            // Routing, low-water marks, devices.
            (0, 3 | 10 | 14) => return Err(Errno::NoSuchOption),
            _ => return Err(Errno::Invalid),
        })
    }
}

fn get_option(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    level: u32,
    name: u32,
    value: u32,
    len: u32,
) -> Result<(), Errno> {
    let socket = socket(ctx, fd, 0)?;
    let room = u32::from_le_bytes(guest.get(len)?);
    guest.check(value, room)?;
    let whole = |time: Option<Duration>| time.map_or(0, |time| time.as_secs());
    let bytes = match Setting::new(level, name)? {
        Setting::Flag(flag) => u32::from(flag.get(&socket)?).to_le_bytes().to_vec(),
        Setting::Size(size) => size.get(&socket)?.to_le_bytes().to_vec(),
        Setting::Timeout(timeout) => {
            let time = timeout.get(&socket)?;
            let micros = time.map_or(0, |time| time.subsec_micros());
            Layout::<16>::new().u64(0, whole(time)).u64(8, micros.into()).0.to_vec()
        }
        Setting::Linger => {
            let time = Time::Linger.get(&socket)?;
            let seconds = u32::try_from(whole(time)).unwrap_or(u32::MAX);
            Layout::<8>::new().u32(0, time.is_some().into()).u32(4, seconds).0.to_vec()
        }
        Setting::Type => {
            let ty = if socket.has_datagrams() { DATAGRAM } else { STREAM };
            u32::from(ty).to_le_bytes().to_vec()
        }
        Setting::Error => {
            // Reading the error takes it out.
            if room < 4 {
                return Err(Errno::Invalid);
            }
            error_number(&socket)?.to_le_bytes().to_vec()
        }
    };
    if (room as usize) < bytes.len() {
        return Err(Errno::Invalid);
    }
    guest.put(value, &bytes)?;
    guest.put_u32(len, bytes.len() as u32)
}

fn set_option(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    level: u32,
    name: u32,
    value: u32,
    len: u32,
) -> Result<(), Errno> {
    let socket = socket(ctx, fd, 0)?;
    guest.check(value, len)?;
    let setting = Setting::new(level, name)?;
    let needed = match setting {
        Setting::Timeout(_) => 16,
        Setting::Linger => 8,
        _ => 4,
    };
    if len < needed {
        return Err(Errno::Invalid);
    }
    let number = |at: u32| guest.get(value + at).map(u32::from_le_bytes);
    match setting {
        Setting::Flag(flag) => flag.set(&socket, number(0)? != 0),
        Setting::Size(size) => size.set(&socket, number(0)?),
        Setting::Timeout(timeout) => {
            let seconds = u64::from_le_bytes(guest.get(value)?);
            let micros = number(8)?;
            // A negative time is a very large one here.
            if i64::try_from(seconds).is_err() || micros >= 1_000_000 {
                return Err(Errno::Invalid);
            }
            timeout.set(&socket, Some(Duration::new(seconds, micros * 1000)))
        }
        Setting::Linger => {
            let time = Duration::from_secs(number(4)?.into());
            Time::Linger.set(&socket, (number(0)? != 0).then_some(time))
        }
        Setting::Type | Setting::Error => Err(Errno::NoSuchOption),
    }
}
