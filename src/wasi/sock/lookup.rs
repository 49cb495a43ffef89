//! WasmEdge's lookup of names: `sock_getaddrinfo`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::wasmedge::{ANY, DATAGRAM, INET4, INET6, STREAM, family};
use crate::wasi::Context;
use crate::wasi::errno::Errno;
use crate::wasi::guest::Guest;
use crate::wasi::types::Layout;

/// The longest name of a host or a service, with a zero byte.
const MAX_TEXT: u32 = 254;

/// The most results; longer lists of the guest's are not walked.
const MAX_RESULTS: usize = 64;

/// Flags: addresses to bind to, and all that there are.
const PASSIVE: u16 = 1;
const NUMERIC_HOST: u16 = 4;
const ALL_FLAGS: u16 = 127;

/// Protocols.
const IP: u8 = 0;
const TCP: u8 = 1;
const UDP: u8 = 2;

/// Services that are known by name. The host has no table that can be read without the C library.
const SERVICES: [(&str, u16); 8] = [
    ("ftp", 21),
    ("ssh", 22),
    ("smtp", 25),
    ("domain", 53),
    ("http", 80),
    ("ntp", 123),
    ("imap", 143),
    ("https", 443),
];

/// What is looked for.
struct Hints {
    flags: u16,
    family: Option<u8>,
    /// The types of sockets that are wanted, each with its protocol.
    types: &'static [(u8, u8)],
}

impl Hints {
    /// Reads the struct: flags, family, type, protocol; what follows means nothing in hints.
    fn parse(guest: &Guest, at: u32) -> Result<Hints, Errno> {
        let raw: [u8; 28] = guest.get(at)?;
        let flags = u16::from_le_bytes([raw[0], raw[1]]);
        if flags & !ALL_FLAGS != 0 {
            return Err(Errno::LookupFlags);
        }
        let family = match raw[2] {
            0 => None,
            family @ (INET4 | INET6) => Some(family),
            _ => return Err(Errno::LookupFamily),
        };
        let types: &[(u8, u8)] = match (raw[3], raw[4]) {
            (ANY, IP) => &[(STREAM, TCP), (DATAGRAM, UDP)],
            (STREAM, IP | TCP) | (ANY, TCP) => &[(STREAM, TCP)],
            (DATAGRAM, IP | UDP) | (ANY, UDP) => &[(DATAGRAM, UDP)],
            _ => return Err(Errno::LookupType),
        };
        Ok(Hints { flags, family, types })
    }
}

/// Text of the guest's, which may end with zero bytes.
fn text(guest: &Guest, at: u32, len: u32) -> Result<String, Errno> {
    guest.check(at, len)?;
    if len > MAX_TEXT {
        return Err(Errno::LookupName);
    }
    let bytes = guest.with(at, len, |bytes| bytes.to_vec())?;
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    String::from_utf8(bytes[..end].to_vec()).map_err(|_| Errno::LookupName)
}

fn port(service: &str) -> Result<u16, Errno> {
    if service.is_empty() {
        return Ok(0);
    }
    let known = SERVICES.iter().find(|(name, _)| *name == service).map(|(_, port)| *port);
    known.or_else(|| service.parse().ok()).ok_or(Errno::LookupService)
}

/// The addresses of a node; without one, those of the machine.
fn addresses(ctx: &Context, node: &str, port: u16, flags: u16) -> Result<Vec<IpAddr>, Errno> {
    if node.is_empty() {
        return Ok(if flags & PASSIVE != 0 {
            vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
        } else {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        });
    }
    if flags & NUMERIC_HOST != 0 && node.parse::<IpAddr>().is_err() {
        return Err(Errno::LookupName);
    }
    let found = ctx.net.resolve(node, (port != 0).then_some(port));
    found.map_err(|error| if error == Errno::Access { error } else { Errno::LookupName })
}

pub(super) fn sock_getaddrinfo(
    ctx: &mut Context,
    guest: &Guest,
    node: u32,
    node_len: u32,
    service: u32,
    service_len: u32,
    hints: u32,
    results: u32,
    max: u32,
    count: u32,
) -> Result<(), Errno> {
    guest.check(count, 4)?;
    let mut at = u32::from_le_bytes(guest.get(results)?);
    let hints = Hints::parse(guest, hints)?;
    let node = text(guest, node, node_len)?;
    let service = text(guest, service, service_len)?;
    if node.is_empty() && service.is_empty() {
        return Err(Errno::LookupName);
    }
    if max == 0 {
        return Err(Errno::LookupMemory);
    }
    let port = port(&service)?;
    let found = addresses(ctx, &node, port, hints.flags)?;
    let wanted = |ip: &IpAddr| hints.family.is_none_or(|wanted| wanted == family(*ip));
    let found = found.into_iter().filter(wanted);
    let found = found.flat_map(|ip| hints.types.iter().map(move |ty| (ip, *ty)));
    let mut written = 0;
    for (ip, ty) in found.take(MAX_RESULTS.min(max as usize)) {
        at = put(guest, at, hints.flags, ip, port, ty)?;
        written += 1;
    }
    if written == 0 {
        return Err(Errno::LookupName);
    }
    guest.put_u32(count, written)
}

/// Fills an entry of the list that the guest has prepared, and what it points to; the next entry.
fn put(
    guest: &Guest,
    at: u32,
    flags: u16,
    ip: IpAddr,
    port: u16,
    (ty, protocol): (u8, u8),
) -> Result<u32, Errno> {
    let entry: [u8; 28] = guest.get(at)?;
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| entry[at + i]));
    let (sockaddr, name, next) = (u32_at(12), u32_at(16), u32_at(24));
    let data = u32::from_le_bytes(guest.get(sockaddr.checked_add(8).ok_or(Errno::Fault)?)?);

    // As a `sockaddr` of the host lies after its family.
    let mut bytes = port.to_be_bytes().to_vec();
    let address_len = match ip {
        IpAddr::V4(ip) => {
            bytes.extend(ip.octets());
            bytes.resize(14, 0);
            16
        }
        IpAddr::V6(ip) => {
            bytes.extend([0; 4]);
            bytes.extend(ip.octets());
            bytes.resize(26, 0);
            28
        }
    };
    guest.put(data, &bytes)?;
    let header = Layout::<12>::new().u8(0, family(ip)).u32(4, bytes.len() as u32).u32(8, data);
    guest.put(sockaddr, &header.0)?;
    // There is no canonical name: its length is zero.
    let entry = Layout::<28>::new()
        .u16(0, flags)
        .u8(2, family(ip))
        .u8(3, ty)
        .u8(4, protocol)
        .u32(8, address_len)
        .u32(12, sockaddr)
        .u32(16, name)
        .u32(24, next);
    guest.put(at, &entry.0)?;
    Ok(next)
}
