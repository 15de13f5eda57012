//! A relay without a network: peers are numbers, the clock is a field.

use crate::registry::{Admission, Limits, Registry, Seat};
use crate::room::{Departure, Rates, Step, Verdict};
use bytes::Bytes;
use lanparty_ctrl::message::{Entry, Invitation, Newcomer};
use lanparty_ctrl::{
    AccessToken, AdmissionKey, Challenge, ChannelBinding, Fingerprint, HostId, HostOrder,
    LeaveReason, RejectReason, RelayMessage, ResumeToken, Role, RoomKey, SignedTerm,
};
use lanparty_obs::DropReason;
use lanparty_proto::{DatagramBudget, Header, MacAddr, VirtualMac};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How tests reach a peer.
pub(crate) type Link = u8;

pub(crate) struct Relay {
    pub(crate) now: Instant,
    pub(crate) registry: Registry<Link>,
    pub(crate) source: IpAddr,
    pub(crate) budget: u16,
    pub(crate) token: Option<ResumeToken>,
    pub(crate) invitation: Option<Invitation>,
    pub(crate) identity: Option<Fingerprint>,
    pub(crate) host_challenge: Option<Challenge>,
    pub(crate) takes_new_keys: bool,
    pub(crate) orders: Vec<HostOrder>,
    pub(crate) access_token: Option<AccessToken>,
    pub(crate) yields: bool,
    pub(crate) term: Option<SignedTerm>,
    pub(crate) takes_notices: bool,
    pub(crate) takes_pings: bool,
    pub(crate) knows_doors: bool,
    admitted: u8,
}

impl Relay {
    pub(crate) fn new() -> Self {
        Relay::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Relay {
            now: Instant::now(),
            registry: Registry::new(limits, Rates::default()),
            source: [192, 0, 2, 1].into(),
            budget: 1312,
            token: None,
            invitation: None,
            identity: None,
            host_challenge: None,
            takes_new_keys: false,
            orders: Vec::new(),
            access_token: None,
            yields: false,
            term: None,
            takes_notices: true,
            takes_pings: true,
            knows_doors: true,
            admitted: 0,
        }
    }

    pub(crate) fn admit(
        &mut self,
        link: Link,
        room: &str,
        who: Newcomer,
    ) -> Result<Admission<Link>, RejectReason> {
        self.admitted = self.admitted.wrapping_add(1);
        let entry = self.entry(room, who);
        let token = ResumeToken::from_random([self.admitted; 16]);
        self.registry
            .admit(self.now, &entry, self.source, token, link)
    }

    /// Enters room LANPARTY with the room key of this number. A client may say whose room it means, a gateway
    /// have proved whose it is.
    pub(crate) fn invited(
        &mut self,
        link: Link,
        who: Newcomer,
        key: u8,
        host: Option<u8>,
    ) -> Result<Seat, RejectReason> {
        Ok(self.invited_to("lanparty", link, who, key, host)?.place)
    }

    pub(crate) fn invited_to(
        &mut self,
        room: &str,
        link: Link,
        who: Newcomer,
        key: u8,
        host: Option<u8>,
    ) -> Result<Admission<Link>, RejectReason> {
        self.invitation = Some(Invitation {
            host: host.map(host_id),
            ..self.invitation(room, link, who, key)
        });
        self.admit(link, room, who)
    }

    /// What somebody shows who has the room key of this number, and names no host.
    pub(crate) fn invitation(&self, room: &str, link: Link, who: Newcomer, key: u8) -> Invitation {
        let (key, channel) = (admission_key(key), ChannelBinding([link; 32]));
        Invitation {
            proof: key.prove(&channel, &room.parse().unwrap(), who),
            channel,
            host: None,
            admission_key: (who == Newcomer::Gateway).then_some(key),
        }
    }

    /// What somebody wants who shows the token and the invitation that lie ready.
    pub(crate) fn entry(&mut self, room: &str, who: Newcomer) -> Entry {
        let budget = DatagramBudget::new(self.budget).unwrap();
        Entry {
            resume_token: self.token.take(),
            identity: self.identity,
            host_challenge: self.host_challenge.filter(|_| who != Newcomer::Gateway),
            takes_new_keys: self.takes_new_keys,
            invitation: self.invitation.take(),
            orders: std::mem::take(&mut self.orders),
            access_token: self.access_token.clone(),
            yields: self.yields,
            term: self.term.filter(|_| who == Newcomer::Gateway),
            takes_notices: self.takes_notices,
            takes_pings: self.takes_pings,
            takes_drains: self.takes_pings,
            knows_doors: self.knows_doors,
            takes_redirects: true,
            ..Entry::new(room.parse().unwrap(), who, budget)
        }
    }

    /// A client in room LANPARTY, with the MAC [`client_mac`] of its link.
    pub(crate) fn client(&mut self, link: Link) -> Seat {
        self.admit(link, "lanparty", client(link)).unwrap().place
    }

    /// The gateway in room LANPARTY.
    pub(crate) fn gateway(&mut self, link: Link) -> Seat {
        self.admit(link, "lanparty", Newcomer::Gateway)
            .unwrap()
            .place
    }

    pub(crate) fn leave(&mut self, place: Seat) -> Departure<Link> {
        self.registry.leave(place, LeaveReason::Closed).unwrap()
    }

    pub(crate) fn datagram(&mut self, from: Seat, datagram: impl Into<Bytes>) -> Outcome {
        match self
            .registry
            .handle_datagram(self.now, from, datagram.into())
        {
            Verdict::Forward(forward) => Outcome::To(forward.targets.to_vec()),
            Verdict::Pending => Outcome::Pending,
            Verdict::Echo(probe) => Outcome::Echoed(probe),
            Verdict::Drop(reason) => Outcome::Dropped(reason),
            Verdict::Expel(reason) => Outcome::Expelled(reason),
        }
    }

    pub(crate) fn frame(&mut self, from: Seat, frame: &[u8]) -> Outcome {
        self.datagram(from, whole(from, frame))
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    To(Vec<Link>),
    Pending,
    Echoed(Bytes),
    Dropped(DropReason),
    Expelled(DropReason),
}

pub(crate) fn header(from: Seat) -> Header {
    Header {
        peer: from.peer,
        room: from.room,
        fragment: false,
    }
}

pub(crate) fn whole(from: Seat, frame: &[u8]) -> Vec<u8> {
    [&header(from).encode(), frame].concat()
}

pub(crate) fn admission_key(number: u8) -> AdmissionKey {
    RoomKey::from_random([number; 16]).admission_key()
}

pub(crate) fn host_id(number: u8) -> HostId {
    HostId::from_sha256([number; 32])
}

pub(crate) fn client(link: Link) -> Newcomer {
    Newcomer::Client(VirtualMac::from_random([2, 0, 0, 0, 0, link]))
}

pub(crate) fn client_mac(link: Link) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, link])
}

/// A station on the LAN.
pub(crate) fn lan_mac(number: u8) -> MacAddr {
    MacAddr::new([0, 0x16, 0x3e, 0, 0, number])
}

/// A frame of a kind that nobody minds.
pub(crate) fn frame(destination: MacAddr, source: MacAddr, len: usize) -> Vec<u8> {
    let mut frame = [destination.octets(), source.octets()].concat();
    frame.extend([0x88, 0xb6]);
    frame.resize(len, 0x5a);
    frame
}

/// The steps in short: `welcome`, `3 joined` for an answer, `→1: 3 joined` for a notice to link 1.
pub(crate) fn said(steps: &[Step<Link>]) -> Vec<String> {
    let words = |message: &RelayMessage| match message {
        RelayMessage::Welcome(_) => "welcome".to_owned(),
        RelayMessage::PeerJoined(joined) => match joined.role {
            Role::Client => format!("client {} joined", joined.peer_id),
            Role::Gateway => format!("gateway {} joined", joined.peer_id),
        },
        RelayMessage::PeerLeft(left) => format!("{} left: {:?}", left.peer_id, left.reason),
        RelayMessage::Members(_)
        | RelayMessage::Notice(_)
        | RelayMessage::Pings(_)
        | RelayMessage::Meet(_)
        | RelayMessage::Go(_)
        | RelayMessage::NoMeeting(_)
        | RelayMessage::Seen(_)
        | RelayMessage::Entered(_)
        | RelayMessage::Found(_)
        | RelayMessage::Redirect(_)
        | RelayMessage::Moved(_)
        | RelayMessage::Silence(_)
        | RelayMessage::NotPlaced(_)
        | RelayMessage::Vouched(_)
        | RelayMessage::NewKey(_)
        | RelayMessage::Reject(_)
        | RelayMessage::Disconnect(_) => {
            format!("{message:?}")
        }
    };
    steps
        .iter()
        .map(|step| match step {
            Step::Answer(message) => words(message),
            Step::Tell(link, message) => format!("→{link}: {}", words(message)),
        })
        .collect()
}
