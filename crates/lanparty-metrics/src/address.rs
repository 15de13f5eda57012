//! Where metrics are served.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// An address and port of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsAddress(pub SocketAddr);

/// The text is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be an address of this machine and a port, like 127.0.0.1:9464 or [::1]:9464")]
pub struct NoMetricsAddress;

impl MetricsAddress {
    /// A sentence for operators whose metrics others may read.
    pub fn warning(self) -> Option<String> {
        let ip = self.0.ip().to_canonical();
        (!ip.is_loopback()).then(|| {
            format!(
                "Metrics are at {self} as plain HTTP without a password: whoever reaches that address reads them; let a \
                 firewall pass your Prometheus alone, or use 127.0.0.1"
            )
        })
    }
}

impl FromStr for MetricsAddress {
    type Err = NoMetricsAddress;

    fn from_str(text: &str) -> Result<Self, NoMetricsAddress> {
        let here = |port: &str| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?)));
        match text.strip_prefix("localhost:") {
            Some(port) => here(port),
            None => text.parse().ok(),
        }
        .map(MetricsAddress)
        .ok_or(NoMetricsAddress)
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_is_warned_of_where_others_reach_it() {
        for (text, is_warned_of) in [
            ("127.0.0.1:9464", false),
            ("localhost:9464", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("0.0.0.0:9464", true),
            ("[::]:9464", true),
            ("192.0.2.1:9464", true),
        ] {
            let address: MetricsAddress = text.parse().unwrap();
            assert_eq!(address.warning().is_some(), is_warned_of, "{text}");
        }
        for text in [
            "",
            "9464",
            ":9464",
            "127.0.0.1",
            "localhost:x",
            "host:1",
            "127.0.0.1:99999",
        ] {
            assert_eq!(
                text.parse::<MetricsAddress>(),
                Err(NoMetricsAddress),
                "{text}"
            );
        }
    }
}
