//! Which addresses the vault calls. The rule is an allow list: what the IANA registries call globally reachable unicast,
//! and beyond it only what the operator listed.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The networks that an operator opened beside the public Internet.
#[derive(Clone, Debug, Default)]
pub struct AllowedNetworks(Vec<IpNet>);

impl AllowedNetworks {
    /// Allows `networks`. An entry in the IPv4-mapped form (`::ffff:10.0.0.0/104`) never matches: addresses are judged
    /// in their own form.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Tells whether the vault may connect to `address`.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if METADATA.contains(&address) {
            // A cloud's metadata service hands out the host's own credentials to whoever asks. A wide entry, meant for
            // a private network, does not open it; only its own address does.
            return self.0.contains(&IpNet::from(address));
        }
        is_public(address) || self.0.iter().any(|network| network.contains(&address))
    }
}

/// Tells whether `address` is globally reachable unicast.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if NAT64.contains(&address) {
        // A host without IPv4 reaches all of it this way (RFC 6052 §2.1), so what is inside decides.
        let [.., a, b, c, d] = address.octets();
        let embedded = IpAddr::from([a, b, c, d]);
        return is_public(embedded) && !METADATA.contains(&embedded);
    }
    GLOBAL_UNICAST.contains(&address) && !NOT_PUBLIC_V6.iter().any(|network| network.contains(&address))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(first: u16, second: u16, third: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), length)
}

/// IANA IPv4 Special-Purpose Address Registry (RFC 6890), where not globally reachable, with multicast and class E.
const NOT_PUBLIC_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),       // this network; Linux takes 0.0.0.0 for the host itself
    v4(10, 0, 0, 0, 8),      // private, RFC 1918
    v4(100, 64, 0, 0, 10),   // carrier-grade NAT, RFC 6598
    v4(127, 0, 0, 0, 8),     // loopback
    v4(169, 254, 0, 0, 16),  // link-local
    v4(172, 16, 0, 0, 12),   // private
    v4(192, 0, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 0, 24),    // documentation
    v4(192, 88, 99, 0, 24),  // 6to4 relays, RFC 7526
    v4(192, 168, 0, 0, 16),  // private
    v4(198, 18, 0, 0, 15),   // benchmarks
    v4(198, 51, 100, 0, 24), // documentation
    v4(203, 0, 113, 0, 24),  // documentation
    v4(224, 0, 0, 0, 4),     // multicast
    v4(240, 0, 0, 0, 4),     // reserved, and broadcast
];

/// All that IANA has given out as global unicast. What lies outside is refused without being named: loopback, unique
/// local, link-local, multicast, IPv4-compatible (`::a.b.c.d`), discard-only, local NAT64 (64:ff9b:1::/48), SRv6.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);

/// IANA IPv6 Special-Purpose Address Registry, inside 2000::/3.
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 0, 23),     // protocol assignments: Teredo (which embeds IPv4), benchmarks, ORCHID
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x2002, 0, 0, 16),     // 6to4, which embeds any IPv4 address; RFC 7526 retired it
    v6(0x3fff, 0, 0, 20),     // documentation, RFC 9637
];

/// Addresses of clouds' metadata and host services. The fourth is a public address by number, not by nature.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), // AWS, Google, Azure, and most others
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), // Alibaba
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),     // Oracle
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),   // Azure's host agent
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), // AWS
];

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(allowed: &[&str], address: &str) -> bool {
        let allowed = allowed.iter().map(|network| network.parse().unwrap()).collect();
        AllowedNetworks::new(allowed).admits(address.parse().unwrap())
    }

    #[test]
    fn nothing_but_global_unicast_is_called() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "100.100.100.200",
            "::",
            "::1",
            "::7f00:1",
            "::10.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "64:ff9b::7f00:1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b::168.63.129.16",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!admits(&[], address), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_called() {
        for address in [
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "2600:1f18::1",
            "2a05:d018::1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(admits(&[], address), "{address}");
        }
    }

    #[test]
    fn a_listed_network_is_called_in_every_form_and_its_neighbour_is_not() {
        assert!(admits(&["127.0.0.0/8"], "127.0.0.1"));
        assert!(admits(&["127.0.0.0/8"], "::ffff:127.0.0.1"));
        assert!(admits(&["fd12::/16"], "fd12::5"));
        assert!(!admits(&["127.0.0.0/8"], "::1"));
        assert!(!admits(&["10.1.0.0/16"], "10.2.0.1"));
        assert!(!admits(&["10.0.0.0/8"], "64:ff9b::10.0.0.1"));
    }

    #[test]
    fn a_wide_network_does_not_open_the_metadata_service() {
        assert!(!admits(&["169.254.0.0/16"], "169.254.169.254"));
        assert!(!admits(&["0.0.0.0/0", "::/0"], "169.254.169.254"));
        assert!(!admits(&["::/0"], "fd00:ec2::254"));
        assert!(admits(&["169.254.169.254/32"], "169.254.169.254"));
    }
}
