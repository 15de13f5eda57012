//! What docs/errors.md says about links, trust and listening.

use crate::close::{Closed, HandshakeError, Unsent, WrongTime};
use crate::endpoint::ListenError;
use crate::tls::{IdentityError, TrustError};
use lanparty_obs::Utc;
use lanparty_told::{Chapter, told};
use std::io;

fn missing() -> io::Error {
    io::Error::from_raw_os_error(2)
}

#[test]
fn the_page_explains_why_a_handshake_fails_and_how_a_link_ends() {
    let handshake = told!(HandshakeError {
        HandshakeError::NoAnswer = HandshakeError::NoAnswer
            => "Packets leave, and none comes back: the relay is off, its port is closed or not forwarded, the address is wrong, or a network on the way blocks UDP.",
            "Ask the host whether the relay runs and which address and port it has; try another network, such as a phone's.";
        HandshakeError::Certificate(_) = HandshakeError::Certificate("its key is not the pinned one".into())
            => "Who answers there is not the relay of the invite: the relay has a new key, another one took its address, or somebody is in between.",
            "Ask the host for a new invite. Do not go around it.";
        HandshakeError::NotARelay = HandshakeError::NotARelay
            => "Something else answers at that port, such as a web server.", "Check address and port with the host.";
        HandshakeError::Failed(_) = HandshakeError::Failed("the server refused to accept a new connection".into())
            => "QUIC or TLS broke off; the cause is in their words.", "Update both sides; report it if it stays.";
    } elsewhere HandshakeError::Unsent(_), HandshakeError::Clock(_));
    let unsent = told!(Unsent {
        Unsent::Firewall = Unsent::Firewall
            => "The system refuses to send (EPERM): a rule of the own firewall, of a VPN's “kill switch” or of a security program.",
            "Allow this program, or UDP to the relay's port.";
        Unsent::NoNetwork = Unsent::NoNetwork
            => "There is no route (ENETUNREACH): no cable, no Wi-Fi, or no internet behind it.", "Look at your own network; the relay has nothing to do with it.";
        Unsent::Other(_) = Unsent::Other(105)
            => "The system refuses to send for another reason, which is named.", "Look at your own network.";
    });
    let clock = told!(WrongTime {
        WrongTime::Early { .. } = WrongTime::Early { from: Utc(1_796_000_000), now: Utc(0) }
            => "This machine's clock is behind; one without a battery begins in 1970.", "Set the clock; the program goes on by itself.";
        WrongTime::Late { .. } = WrongTime::Late { until: Utc(1_796_000_000), now: Utc(1_800_000_000) }
            => "This machine's clock is ahead, or the relay's certificate was not renewed.", "Compare the clock with a phone's; if it is right, tell the operator.";
    });
    let closed = told!(Closed {
        Closed::TimedOut = Closed::TimedOut
            => "The relay, or the way to it, is gone.", "Nothing; it is tried again.";
        Closed::ByPeer(_) = Closed::ByPeer("bye".into())
            => "The other side ended the link, in its words.", "Nothing; it is tried again.";
        Closed::ByUs = Closed::ByUs
            => "This program ended the link.", "Nothing.";
        Closed::Forgotten = Closed::Forgotten
            => "The relay was started anew.", "Nothing; the link is made anew at once.";
        Closed::Broken(_) = Closed::Broken("connection reset".into())
            => "QUIC itself broke, in its words.", "Nothing; report it if it comes again and again.";
    });
    Chapter::new("link")
        .with(handshake)
        .with(unsent)
        .with(clock)
        .with(closed)
        .check();
}

#[test]
fn the_page_explains_whom_to_trust_and_where_nobody_can_listen() {
    let trust = told!(TrustError {
        TrustError::Unreadable(..) = TrustError::Unreadable("relay.der".into(), missing())
            => "The file behind --relay-ca-cert cannot be opened.", "Name one that is there and that you may read.";
        TrustError::NoCertificate(_) = TrustError::NoCertificate("relay.der".into())
            => "That file is something else, such as a key.", "Give the certificate.";
        TrustError::NoSystemRoots = TrustError::NoSystemRoots
            => "Without a pin or a file the system's authorities are trusted, and it has none.", "Install ca-certificates, or use an invite with a pin.";
        TrustError::BadServerName(_) = TrustError::BadServerName("a b".into())
            => "No certificate can carry that name.", "Correct --server-name.";
    });
    let identity = told!(IdentityError {
        IdentityError::Certificate(_) = IdentityError::Certificate(rcgen::Error::CouldNotParseCertificate)
            => "The relay cannot make a certificate for the name behind --server-name.", "Give a DNS name.";
        IdentityError::BrokenKey = IdentityError::BrokenKey
            => "The file with the relay's key was changed or cut off.", "Put it back from a backup; a new key makes old invites with its pin worthless.";
        IdentityError::NoCertificate = IdentityError::NoCertificate
            => "The file behind --cert holds no certificate.", "Give the whole chain.";
        IdentityError::NoKey = IdentityError::NoKey
            => "The file behind --key holds no private key.", "Give the key of that certificate.";
        IdentityError::Tls(_) = IdentityError::Tls(rustls::Error::General("no pair".into()))
            => "--cert and --key are not a pair.", "Give those that belong together.";
    });
    let address = |text: &str| text.parse().unwrap();
    let listen = told!(ListenError {
        ListenError::InUse(_) = ListenError::InUse(address("[::]:443"))
            => "A web server with HTTP/3, another relay or a VPN has the port.", "`ss -ulpn` shows which; end it, or take another port.";
        ListenError::Privileged(_) = ListenError::Privileged(address("[::]:443"))
            => "Ports below 1024 are for privileged programs.", "Give the program that one capability, or take a higher port.";
        ListenError::Foreign(_) = ListenError::Foreign(address("203.0.113.7:443"))
            => "The address is the router's or another machine's.", "Listen on the machine's own address, or on all, and forward the port in the router.";
        ListenError::Bind(..) = ListenError::Bind(address("[::]:443"), io::Error::from_raw_os_error(24))
            => "The system refuses for the reason in brackets.", "What the reason says.";
    } elsewhere ListenError::Identity(_));
    Chapter::new("trust")
        .with(trust)
        .with(identity)
        .with(listen)
        .check();
}
