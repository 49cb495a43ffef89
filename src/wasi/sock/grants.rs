//! What a guest may reach over the network: addresses and ports. A name is looked up when it is
//! granted and never again, so that whoever answers for the name later cannot move the grant.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;

use crate::wasi::errno::Errno;

/// The longest name of a host (RFC 1035, 2.3.4).
const MAX_NAME: usize = 253;

/// The grants of a guest; none at first.
#[derive(Clone, Debug, Default)]
pub(in crate::wasi) struct Grants(Vec<Grant>);

#[derive(Clone, Debug)]
struct Grant {
    hosts: Hosts,
    ports: RangeInclusive<u16>,
}

#[derive(Clone, Debug)]
enum Hosts {
    /// Every address, and the right to look up every name.
    Any,
    /// The addresses that begin with so many bits of this one.
    Block(IpAddr, u32),
    /// What a name has led to when it was granted.
    Name(String, Vec<IpAddr>),
}

impl Hosts {
    fn contain(&self, address: IpAddr) -> bool {
        match self {
            Hosts::Any => true,
            Hosts::Block(block, bits) => same_prefix(*block, address, *bits),
            Hosts::Name(_, addresses) => addresses.contains(&address),
        }
    }
}

/// Whether two addresses of one family begin with the same bits.
fn same_prefix(a: IpAddr, b: IpAddr, bits: u32) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// A name as it is compared: names know no case, and may end with the root's dot.
fn canonical_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn invalid(grant: &str, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("`{grant}`: {why}"))
}

impl Grants {
    /// Adds what `HOST:PORT` says. HOST is an address (version 6 in brackets), a block of
    /// addresses `ADDRESS/BITS`, a name, or `*`; PORT a number, a range `FIRST-LAST`, or `*`.
    pub(in crate::wasi) fn add(&mut self, grant: &str) -> io::Result<()> {
        let Some((host, ports)) = grant.rsplit_once(':') else {
            return Err(invalid(grant, "a grant is HOST:PORT"));
        };
        let Some(ports) = parse_ports(ports) else {
            return Err(invalid(grant, "the port is a number, a range FIRST-LAST, or *"));
        };
        let hosts = parse_hosts(host).map_err(|why| invalid(grant, &why))?;
        self.0.push(Grant { hosts, ports });
        Ok(())
    }

    /// Whether nothing is granted.
    pub(in crate::wasi) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn allow(&self, address: IpAddr, port: u16) -> bool {
        let grants = |grant: &Grant| grant.hosts.contain(address) && grant.ports.contains(&port);
        self.0.iter().any(grants)
    }

    /// The address to connect or to send to, if that is granted. The system takes the unspecified
    /// address for the machine itself; here that is spelled out, so that what is checked is what
    /// is used.
    pub(in crate::wasi) fn peer(&self, to: SocketAddr) -> Result<SocketAddr, Errno> {
        let address = match to.ip().to_canonical() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        if !self.allow(address, to.port()) {
            return Err(Errno::Access);
        }
        Ok(SocketAddr::new(address, to.port()))
    }

    /// Whether a socket may be bound to an address. The unspecified address is every address of
    /// the machine and needs a grant that names it or everything.
    pub(in crate::wasi) fn bind(&self, at: SocketAddr) -> Result<(), Errno> {
        let allowed = self.allow(at.ip().to_canonical(), at.port());
        if allowed { Ok(()) } else { Err(Errno::Access) }
    }

    /// The granted addresses that a name leads to: with `port`, those granted with this port.
    /// A name that is not granted is looked up only under `*`, because the question alone carries
    /// data out.
    pub(in crate::wasi) fn resolve(
        &self,
        name: &str,
        port: Option<u16>,
    ) -> Result<Vec<IpAddr>, Errno> {
        if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') {
            return Err(Errno::Invalid);
        }
        let mut found = self.candidates(name)?;
        let granted = |address: &IpAddr| match port {
            Some(port) => self.allow(*address, port),
            None => self.0.iter().any(|grant| grant.hosts.contain(*address)),
        };
        found.retain(granted);
        let mut unique = Vec::with_capacity(found.len());
        for address in found {
            if !unique.contains(&address) {
                unique.push(address);
            }
        }
        if unique.is_empty() { Err(Errno::Access) } else { Ok(unique) }
    }

    /// The addresses that a name leads to, granted or not.
    fn candidates(&self, name: &str) -> Result<Vec<IpAddr>, Errno> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let name = canonical_name(name);
        let named = self.0.iter().filter_map(|grant| match &grant.hosts {
            Hosts::Name(granted, addresses) if *granted == name => Some(addresses),
            _ => None,
        });
        let named: Vec<_> = named.flatten().copied().collect();
        if !named.is_empty() {
            return Ok(named);
        }
        if name == "localhost" {
            // It means the machine itself, whatever a name server says (RFC 6761, 6.3).
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        if !self.0.iter().any(|grant| matches!(grant.hosts, Hosts::Any)) {
            return Err(Errno::Access);
        }
        look_up(&name).map_err(|_| Errno::NoEntry)
    }
}

/// Asks the system for the addresses of a name.
fn look_up(name: &str) -> io::Result<Vec<IpAddr>> {
    let addresses: Vec<_> =
        (name, 0).to_socket_addrs()?.map(|address| address.ip().to_canonical()).collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(addresses)
}

fn parse_ports(text: &str) -> Option<RangeInclusive<u16>> {
    if text == "*" {
        return Some(0..=u16::MAX);
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse::<u16>().ok() } else { None }
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    (first <= last).then_some(first..=last)
}

fn parse_hosts(text: &str) -> Result<Hosts, String> {
    if text == "*" {
        return Ok(Hosts::Any);
    }
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let plain = bracketed.unwrap_or(text);
    let (address, bits) = match plain.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (plain, None),
    };
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) if bracketed.is_none() => {
            Err("an address of version 6 stands in brackets".to_owned())
        }
        Ok(IpAddr::V4(_)) if bracketed.is_some() => {
            Err("only an address of version 6 stands in brackets".to_owned())
        }
        Ok(address) => block(address, bits),
        Err(_) if bracketed.is_some() || bits.is_some() => Err("no such address".to_owned()),
        Err(_) if plain.is_empty() || plain.len() > MAX_NAME => Err("no such host".to_owned()),
        Err(_) if plain.contains([':', '*', '\0', ' ']) => Err("no such host".to_owned()),
        Err(_) => {
            let name = canonical_name(plain);
            let addresses = look_up(&name).map_err(|error| error.to_string())?;
            Ok(Hosts::Name(name, addresses))
        }
    }
}

/// The block of addresses that begin with these bits, all of them when no number is given.
fn block(address: IpAddr, bits: Option<&str>) -> Result<Hosts, String> {
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => all,
        Some(bits) => bits
            .parse()
            .ok()
            .filter(|bits| *bits <= all)
            .ok_or_else(|| format!("the number of bits of a block is between 0 and {all}"))?,
    };
    let canonical = address.to_canonical();
    match (address, canonical) {
        // Version 4 in the clothes of version 6: the prefix counts the clothes.
        (IpAddr::V6(_), IpAddr::V4(_)) if bits >= 96 => Ok(Hosts::Block(canonical, bits - 96)),
        (IpAddr::V6(_), IpAddr::V4(_)) => Err("the block mixes versions of addresses".to_owned()),
        _ => Ok(Hosts::Block(address, bits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(all: &[&str]) -> Grants {
        let mut grants = Grants::default();
        for grant in all {
            grants.add(grant).expect("it is a grant");
        }
        grants
    }

    fn connects(grants: &Grants, to: &str) -> bool {
        grants.peer(to.parse().expect("it is an address")).is_ok()
    }

    #[test]
    fn nothing_is_granted_by_default() {
        let none = Grants::default();
        assert!(!connects(&none, "127.0.0.1:80"));
        assert_eq!(none.bind("[::1]:0".parse().expect("an address")), Err(Errno::Access));
        assert_eq!(none.resolve("localhost", None), Err(Errno::Access));
        assert_eq!(none.resolve("127.0.0.1", None), Err(Errno::Access));
    }

    #[test]
    fn addresses_blocks_and_ports_are_compared() {
        let some = grants(&["10.1.0.0/16:80", "192.0.2.1:8000-8010", "[2001:db8::/32]:*"]);
        for to in ["10.1.2.3:80", "192.0.2.1:8010", "[2001:db8:1::1]:9", "[::ffff:10.1.0.9]:80"] {
            assert!(connects(&some, to), "{to}");
        }
        for to in ["10.2.2.3:80", "10.1.2.3:81", "192.0.2.1:7999", "[2001:db9::1]:9", "0.0.0.0:80"]
        {
            assert!(!connects(&some, to), "{to}");
        }
        let every = grants(&["0.0.0.0/0:1", "[::/0]:2"]);
        assert!(connects(&every, "203.0.113.9:1") && connects(&every, "[fe80::1]:2"));
        assert!(!connects(&every, "203.0.113.9:2") && !connects(&every, "[fe80::1]:1"));
        assert!(connects(&grants(&["*:*"]), "203.0.113.9:65535"));
    }

    #[test]
    fn the_unspecified_address_is_the_machine_or_all_of_it() {
        let own = grants(&["127.0.0.1:80", "[::1]:80"]);
        let peer = |text: &str| own.peer(text.parse().expect("an address"));
        assert_eq!(peer("0.0.0.0:80"), Ok("127.0.0.1:80".parse().expect("an address")));
        assert_eq!(peer("[::ffff:0.0.0.0]:80"), Ok("127.0.0.1:80".parse().expect("an address")));
        assert_eq!(peer("[::]:80"), Ok("[::1]:80".parse().expect("an address")));
        assert_eq!(own.bind("0.0.0.0:80".parse().expect("an address")), Err(Errno::Access));
        assert_eq!(own.bind("[::]:80".parse().expect("an address")), Err(Errno::Access));
        let all = grants(&["0.0.0.0:80"]);
        assert_eq!(all.bind("0.0.0.0:80".parse().expect("an address")), Ok(()));
    }

    #[test]
    fn names_lead_to_what_is_granted() {
        let own = grants(&["127.0.0.0/8:80"]);
        assert_eq!(own.resolve("localhost", Some(80)), Ok(vec![Ipv4Addr::LOCALHOST.into()]));
        assert_eq!(own.resolve("LOCALHOST.", None), Ok(vec![Ipv4Addr::LOCALHOST.into()]));
        assert_eq!(own.resolve("localhost", Some(81)), Err(Errno::Access));
        // Not asked for: nobody has granted the name.
        assert_eq!(own.resolve("example.com", None), Err(Errno::Access));
        assert_eq!(own.resolve("", None), Err(Errno::Invalid));
        assert_eq!(own.resolve(&"a".repeat(254), None), Err(Errno::Invalid));
        let named = grants(&["localhost:*"]);
        assert!(named.resolve("localhost", Some(1)).is_ok_and(|found| !found.is_empty()));
        assert!(connects(&named, "127.0.0.1:9") || connects(&named, "[::1]:9"));
    }

    #[test]
    fn nonsense_is_refused() {
        let wrong = [
            "",
            ":",
            "80",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:x",
            "127.0.0.1:+1",
            "127.0.0.1:65536",
            "127.0.0.1:9-8",
            "127.0.0.1/33:80",
            "127.0.0.1/:80",
            "127.0.0.1/-1:80",
            "::1:80",
            "[::1:80",
            "[127.0.0.1]:80",
            "[::1/129]:80",
            "[::ffff:1.2.3.4/95]:80",
            "*.example.com:80",
            ":80",
            "a b:80",
            "[name]:80",
            "1.2.3.4/8/8:80",
            "127.0.0.1:1-2-3",
        ];
        for grant in wrong {
            let error = Grants::default().add(grant).expect_err(grant);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{grant}");
        }
        assert!(connects(&grants(&["[::ffff:10.0.0.0/104]:1"]), "10.9.9.9:1"));
    }
}
