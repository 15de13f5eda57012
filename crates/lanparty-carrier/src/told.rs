//! What docs/errors.md says about TCP and proxies.

use crate::{DialError, ProxyUrlError};
use lanparty_told::{Chapter, told};
use std::io;

#[test]
fn the_page_explains_why_tcp_does_not_help() {
    let proxy = || "proxy.example:3128".to_owned();
    let dial = told!(DialError {
        DialError::Unreached(_) = DialError::Unreached(io::ErrorKind::ConnectionRefused.into())
            => "Neither UDP nor TCP gets to the relay: it is not running, or your network lets neither out.", "Check the address; try another network; ask the host whether the relay runs.";
        DialError::NoTls(_) = DialError::NoTls(io::Error::other("received corrupt message of type InvalidContentType"))
            => "Something else listens at the relay's port, or your network answers in its place.", "What it says.";
        DialError::NotARelay(_) = DialError::NotARelay(404)
            => "A web server has the relay's port, and hands nothing on to the relay.", "Ask the host, or the relay's operator, to let TCP through as docs/relay-operator.md says.";
        DialError::Broken(_) = DialError::Broken(io::ErrorKind::ConnectionReset.into())
            => "Somebody cut the connection while it was made: the relay, or your network.", "Nothing; it is tried again. If it goes on, try another network.";
        DialError::ProxyUnreached(..) = DialError::ProxyUnreached(proxy(), io::ErrorKind::ConnectionRefused.into())
            => "Your settings name a proxy that is not there.", "Correct them, or start with --proxy and the right one.";
        DialError::ProxyWantsPassword(_) = DialError::ProxyWantsPassword(proxy())
            => "The proxy lets through only whom it knows.", "Ask who runs the network for a name and a password; give them as the sentence says, or in https_proxy, which other users do not see.";
        DialError::ProxyPassword(_) = DialError::ProxyPassword(proxy())
            => "The name or the password is wrong, or the proxy wants to be told in another way than this program knows.", "Correct them; what stands in them beside letters and digits is written as %XX.";
        DialError::ProxyRefused { .. } = DialError::ProxyRefused { proxy: proxy(), status: 403 }
            => "The proxy knows where you want to go and does not allow it.", "Ask who runs the network, or use another one.";
        DialError::NotAProxy(_) = DialError::NotAProxy(proxy())
            => "Something else listens where your settings say that a proxy is.", "Correct them, or start with --proxy and the right one.";
    });
    Chapter::new("carrier").with(dial).check();
}

#[test]
fn the_page_explains_what_is_no_proxy() {
    let url = told!(ProxyUrlError {
        ProxyUrlError = ProxyUrlError
            => "Only HTTP proxies are spoken to: no SOCKS, none that itself is behind TLS.", "Write it as the sentence says.";
    });
    Chapter::new("proxy-url").with(url).check();
}
