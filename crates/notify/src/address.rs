//! Where a sink may lie: looked up once, every address checked, and connected to as it was checked.
//!
//! The addresses that are refused are those of the IANA registries of special-purpose addresses
//! (RFC 6890 and its updates): a URL in a settings file must not make the server ask its own
//! machine, its neighbours or a cloud's metadata service.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc;
use std::time::Duration;

use crate::limits::{ADDRESSES, LOOKUP};

/// Looks names up.
pub trait Lookup: Send + Sync {
    /// The addresses of a name or of an address as text.
    fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        within(LOOKUP, (host.to_owned(), port))
    }
}

/// Which networks a sink may lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Networks {
    /// The public one.
    Public,
    /// Any: the sink says so.
    Any,
    /// None but private ones: what is sent is not encrypted.
    Private,
}

/// Why a host is not connected to.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The name could not be looked up.
    #[error("`{host}` could not be looked up: {error}")]
    Lookup {
        /// The name.
        host: String,
        /// What the system said.
        error: io::Error,
    },
    /// The name has no address.
    #[error("`{0}` has no address")]
    None(String),
    /// An address is private.
    #[error("`{host}` has the address {address}, which is not a public one")]
    Private {
        /// The name.
        host: String,
        /// The address.
        address: IpAddr,
    },
    /// An address is public, and nothing would be encrypted.
    #[error("`{host}` has the public address {address}, and nothing goes there unencrypted")]
    Public {
        /// The name.
        host: String,
        /// The address.
        address: IpAddr,
    },
}

/// Looks a host up once and checks every address of it. One that may not be connected to refuses
/// all: whoever answers for the name must not choose.
pub fn resolve(
    lookup: &dyn Lookup,
    host: &str,
    port: u16,
    networks: Networks,
) -> Result<Vec<SocketAddr>, AddressError> {
    let found = lookup.lookup(host, port);
    let mut found = found.map_err(|error| AddressError::Lookup {
        host: host.to_owned(),
        error,
    })?;
    for address in &found {
        let (host, address) = (host.to_owned(), address.ip());
        match networks {
            Networks::Public if !is_public(address) => {
                return Err(AddressError::Private { host, address });
            }
            Networks::Private if is_public(address) => {
                return Err(AddressError::Public { host, address });
            }
            _ => {}
        }
    }
    found.truncate(ADDRESSES);
    match found.is_empty() {
        true => Err(AddressError::None(host.to_owned())),
        false => Ok(found),
    }
}

/// Whether an address is one of the public Internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    const SPECIAL: [([u8; 4], u32); 14] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        // Multicast, and what is reserved after it, broadcast included.
        ([224, 0, 0, 0], 3),
    ];
    let bits = u32::from(address);
    !SPECIAL.iter().any(|(net, length)| {
        let shift = 32_u32.saturating_sub(*length);
        bits.checked_shr(shift) == u32::from_be_bytes(*net).checked_shr(shift)
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    const SPECIAL: [(u128, u32); 4] = [
        // IETF protocol assignments, Teredo and ORCHID among them.
        (0x2001_0000 << 96, 23),
        // Documentation.
        (0x2001_0db8 << 96, 32),
        // 6to4, which carries an IPv4 address.
        (0x2002_0000 << 96, 16),
        // Documentation.
        (0x3fff_0000 << 96, 20),
    ];
    const GLOBAL: (u128, u32) = (0x2000_0000 << 96, 3);
    // NAT64 with the well-known prefix (RFC 6052): the IPv4 address in it is what is reached.
    const NAT64: (u128, u32) = (0x0064_ff9b << 96, 96);
    let bits = u128::from(address);
    let lies_in = |(net, length): (u128, u32)| {
        let shift = 128_u32.saturating_sub(length);
        bits.checked_shr(shift) == net.checked_shr(shift)
    };
    if lies_in(NAT64) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // ISATAP (RFC 5214) carries an IPv4 address in any network.
    let [.., five, six, _, _] = address.segments();
    let is_isatap = six == 0x5efe && five & 0xfdff == 0;
    lies_in(GLOBAL) && !SPECIAL.into_iter().any(lies_in) && !is_isatap
}

/// Asks the system on a thread: it has no time limit of its own.
fn within(limit: Duration, asked: (String, u16)) -> io::Result<Vec<SocketAddr>> {
    let (send, answer) = mpsc::sync_channel(1);
    std::thread::Builder::new()
        .name("notify-lookup".to_owned())
        .spawn(move || {
            let (host, port) = asked;
            let found = (host.as_str(), port).to_socket_addrs();
            // Nobody waits any more.
            let _ = send.send(found.map(Iterator::collect));
        })?;
    match answer.recv_timeout(limit) {
        Ok(found) => found,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
            "5f00::1",
            "2606:4700::5efe:a00:1",
            "2606:4700::200:5efe:7f00:1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    struct Fixed(Vec<&'static str>);

    impl Lookup for Fixed {
        fn lookup(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
            let addresses = self.0.iter().map(|text| text.parse().unwrap());
            Ok(addresses
                .map(|ip: IpAddr| SocketAddr::new(ip, port))
                .collect())
        }
    }

    #[test]
    fn one_private_address_refuses_all() {
        let mixed = Fixed(vec!["8.8.8.8", "10.0.0.1"]);
        let refused = resolve(&mixed, "mixed.example", 443, Networks::Public);
        assert!(matches!(refused, Err(AddressError::Private { .. })));
        let refused = resolve(&mixed, "mixed.example", 80, Networks::Private);
        assert!(matches!(refused, Err(AddressError::Public { .. })));
        assert_eq!(resolve(&mixed, "m", 443, Networks::Any).unwrap().len(), 2);
        assert!(matches!(
            resolve(&Fixed(vec![]), "none.example", 443, Networks::Any),
            Err(AddressError::None(_))
        ));
    }

    #[test]
    fn literal_addresses_are_checked_as_names_are() {
        for host in ["127.0.0.1", "169.254.169.254", "::1", "0.0.0.0"] {
            let refused = resolve(&SystemLookup, host, 443, Networks::Public);
            assert!(
                matches!(refused, Err(AddressError::Private { .. })),
                "{host}"
            );
        }
    }
}
