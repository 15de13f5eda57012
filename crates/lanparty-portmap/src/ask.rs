//! One question to the router, whichever protocol it is in.
//!
//! Everything has an end in time and size: crab_nat reads one datagram, igd-next a megabyte, and each exchange is cut off
//! after some seconds. igd-next takes addresses only on the machine that answered its search, and that must be the
//! router.

use crate::epoch;
use crate::plan::{Asked, Found, Granted, Refused, Router, WhyShut};
use crate::way::Way;
use crab_nat::{GatewayAddress, InternetProtocol, PortMappingOptions, TimeoutConfig, natpmp, pcp};
use igd_next::aio::Gateway;
use igd_next::aio::tokio::{Tokio, search_gateway};
use igd_next::{
    AddPortError, GatewayIpVersion, GetGenericPortMappingEntryError, PortMappingProtocol,
    RequestError, SearchOptions,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// PCP's and NAT-PMP's questions, each after twice the time of the one before (RFC 6886 §3.1): 1.75 s in all.
const UDP: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 2,
    max_retry_timeout: None,
};
/// For what is only nice to know.
const UDP_SHORT: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 0,
    max_retry_timeout: None,
};
/// How long a search for UPnP takes at most, with the router's description.
const SEARCH: Duration = Duration::from_secs(3);
/// How long an order by UPnP may take.
const ORDER: Duration = Duration::from_secs(4);
/// How long a router's last word may take.
const LAST: Duration = Duration::from_millis(1200);
/// So many mappings are looked through for ours.
const ENTRIES: u32 = 64;
/// Where SSDP listens.
const SSDP: u16 = 1900;
/// What people see in their router's list.
const DESCRIPTION: &str = "softlan-vpn LAN party";
/// What UPnP calls too long a time, or anything else that it does not take.
const INVALID_ARGS: u16 = 402;
/// No such mapping.
const NO_SUCH_ENTRY: u16 = 714;

/// A router that was searched, and its UPnP if it has any.
type Searched = (Router, Option<Gateway<Tokio>>);

/// Who asks routers.
#[derive(Clone)]
pub(crate) struct Asker {
    listens: NonZeroU16,
    /// Whose the mappings of PCP are, also after a restart.
    nonce: [u32; 3],
    /// The last router that was searched, and whether it speaks UPnP.
    upnp: Arc<Mutex<Option<Searched>>>,
}

impl Asker {
    pub(crate) fn new(listens: NonZeroU16, nonce: [u32; 3]) -> Self {
        Asker {
            listens,
            nonce,
            upnp: Arc::default(),
        }
    }

    /// Searches for UPnP beside the other questions, as it takes longest.
    pub(crate) fn look_ahead(&self, router: Router) {
        let upnp = self.upnp.clone();
        tokio::spawn(async move {
            let mut upnp = upnp.lock().await;
            *upnp = Some((router, search(router).await));
        });
    }

    /// Asks for the port.
    pub(crate) async fn open(self, asked: Asked) -> Result<Granted, Refused> {
        let answer = match asked.way {
            Way::Pcp => self.open_by_pcp(asked).await,
            Way::NatPmp => self.open_by_natpmp(asked).await,
            Way::Upnp => self.open_by_upnp(asked).await,
        };
        tracing::debug!(?asked, ?answer, "The router was asked for a port");
        answer
    }

    /// Looks whether the router still has it.
    pub(crate) async fn look(self, asked: Asked) -> Found {
        let looking = async {
            match asked.way {
                Way::Pcp | Way::NatPmp => ask_epoch(asked).await.unwrap_or(Found::Unseen),
                Way::Upnp => self.look_by_upnp(asked).await,
            }
        };
        timeout(ORDER, looking).await.unwrap_or(Found::Unseen)
    }

    /// Gives it back, as well as that can be done.
    pub(crate) async fn close(self, asked: Asked) {
        let closing = async {
            let gateway = asked.router.gateway();
            match asked.way {
                Way::Pcp => {
                    let range = pcp::DropMappingRange::Single {
                        internal_port: self.listens,
                        protocol: InternetProtocol::Udp,
                    };
                    let own = asked.router.own;
                    pcp::try_drop_mapping(gateway, own, self.nonce, range, Some(UDP))
                        .await
                        .is_ok()
                }
                Way::NatPmp => {
                    let (udp, own) = (InternetProtocol::Udp, Some(self.listens));
                    natpmp::try_drop_mapping(gateway, udp, own, Some(UDP))
                        .await
                        .is_ok()
                }
                // Not every router looks whose it is.
                Way::Upnp => match self.look_by_upnp(asked).await {
                    Found::Theirs | Found::Gone => true,
                    Found::Ours | Found::Epoch(_) | Found::Unseen => {
                        self.close_by_upnp(asked).await
                    }
                },
            }
        };
        let is_closed = timeout(LAST, closing).await.unwrap_or(false);
        tracing::debug!(?asked, is_closed, "The port was given back");
    }

    async fn open_by_pcp(&self, asked: Asked) -> Result<Granted, Refused> {
        let Asked { router, .. } = asked;
        let base = pcp::BaseMapRequest::new(
            router.gateway(),
            router.own,
            InternetProtocol::Udp,
            self.listens,
        );
        let mapping = pcp::port_mapping(base, Some(self.nonce), None, options(asked))
            .await
            .map_err(|failure| refused_by_pcp(&failure))?;
        let address = match mapping.mapping_type() {
            crab_nat::PortMappingType::Pcp { external_ip, .. } => Some(external_ip),
            crab_nat::PortMappingType::NatPmp => None,
        };
        granted(&mapping, address)
    }

    async fn open_by_natpmp(&self, asked: Asked) -> Result<Granted, Refused> {
        let gateway = asked.router.gateway();
        let udp = InternetProtocol::Udp;
        let mapping = natpmp::port_mapping(gateway, udp, self.listens, options(asked)).await;
        let why = match &mapping {
            Ok(_) => None,
            Err(failure) => Some(refused_by_natpmp(failure)),
        };
        // Who does not answer, or has nobody to answer, does not answer this either.
        if let Some(why @ (WhyShut::Silent | WhyShut::Absent | WhyShut::Unsent)) = why {
            return Err(why.into());
        }
        let address = natpmp::external_address(gateway, Some(UDP_SHORT)).await;
        let address = address.ok().map(IpAddr::from);
        match (mapping, why) {
            (Ok(mapping), _) => granted(&mapping, address),
            (Err(_), why) => Err(Refused {
                why: why.unwrap_or(WhyShut::Strange),
                address,
            }),
        }
    }

    async fn open_by_upnp(&self, asked: Asked) -> Result<Granted, Refused> {
        let gateway = self.gateway(asked.router).await.ok_or(WhyShut::Absent)?;
        let own = SocketAddr::new(asked.router.own, self.listens.get());
        let adding = gateway.add_port(
            PortMappingProtocol::UDP,
            asked.port,
            own,
            asked.lifetime,
            DESCRIPTION,
        );
        let added = timeout(ORDER, adding).await;
        let added = added.map_or(Err(WhyShut::Silent), |added| {
            added.map_err(|error| refused_by_upnp(&error))
        });
        if let Err(WhyShut::Silent | WhyShut::Strange) = added {
            // It may have started anew, and speak elsewhere now.
            *self.upnp.lock().await = None;
            return Err(WhyShut::Silent.into());
        }
        let address = timeout(ORDER, gateway.get_external_ip()).await;
        let address = address.ok().and_then(Result::ok);
        match added {
            Ok(()) => Ok(Granted {
                address,
                port: asked.port,
                lifetime: asked.lifetime,
                epoch: None,
            }),
            Err(why) => Err(Refused { why, address }),
        }
    }

    async fn close_by_upnp(&self, asked: Asked) -> bool {
        let Some(gateway) = self.gateway(asked.router).await else {
            return false;
        };
        let removed = gateway.remove_port(PortMappingProtocol::UDP, asked.port);
        removed.await.is_ok()
    }

    /// Only the whole list can be asked for, one after the other.
    async fn look_by_upnp(&self, asked: Asked) -> Found {
        let Some(gateway) = self.gateway(asked.router).await else {
            return Found::Unseen;
        };
        for index in 0..ENTRIES {
            let entry = match gateway.get_generic_port_mapping_entry(index).await {
                Ok(entry) => entry,
                Err(GetGenericPortMappingEntryError::SpecifiedArrayIndexInvalid) => {
                    return Found::Gone;
                }
                Err(GetGenericPortMappingEntryError::RequestError(RequestError::ErrorCode(
                    NO_SUCH_ENTRY,
                    _,
                ))) => return Found::Gone,
                Err(GetGenericPortMappingEntryError::RequestError(
                    RequestError::HyperClientError(_) | RequestError::IoError(_),
                )) => {
                    *self.upnp.lock().await = None;
                    return Found::Unseen;
                }
                Err(_) => return Found::Unseen,
            };
            let is_udp = entry.protocol == PortMappingProtocol::UDP;
            if is_udp && entry.external_port == asked.port {
                let client = entry.internal_client.parse() == Ok(asked.router.own);
                return match client && entry.internal_port == self.listens.get() {
                    true => Found::Ours,
                    false => Found::Theirs,
                };
            }
        }
        Found::Unseen
    }

    /// The router's UPnP, searched for where that is not known; that there was none is known for one question.
    async fn gateway(&self, router: Router) -> Option<Gateway<Tokio>> {
        let mut upnp = self.upnp.lock().await;
        let found = match upnp.take() {
            Some((of, found)) if of == router => found,
            _ => search(router).await,
        };
        *upnp = found.clone().map(|gateway| (router, Some(gateway)));
        found
    }
}

impl Router {
    fn gateway(self) -> GatewayAddress {
        match self.address {
            IpAddr::V4(address) => GatewayAddress::IpV4(address),
            IpAddr::V6(address) => {
                let scope = address.is_unicast_link_local().then_some(self.interface);
                GatewayAddress::IpV6(address, scope)
            }
        }
    }

    fn socket_address(self, port: u16) -> SocketAddr {
        match self.address {
            IpAddr::V4(_) => SocketAddr::new(self.address, port),
            IpAddr::V6(address) => {
                let scope = match address.is_unicast_link_local() {
                    true => self.interface,
                    false => 0,
                };
                std::net::SocketAddrV6::new(address, port, 0, scope).into()
            }
        }
    }
}

/// Asks everybody and the router itself: some hear only the one, and nobody else on the LAN answers the other.
async fn search(router: Router) -> Option<Gateway<Tokio>> {
    const EVERYBODY: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
    if !router.address.is_ipv4() {
        return None;
    }
    let options = |to: IpAddr| {
        let mut options = SearchOptions::default();
        options.bind_addr = SocketAddr::new(router.own, 0);
        options.broadcast_address = SocketAddr::new(to, SSDP);
        options.timeout = Some(SEARCH);
        options.single_search_timeout = Some(SEARCH);
        options.gateway_ip_version = GatewayIpVersion::V4;
        options
    };
    let of_router = |found: Result<Gateway<Tokio>, _>| {
        let gateway = found
            .inspect_err(|error| tracing::debug!(%error, "No UPnP"))
            .ok()?;
        // Any machine of the LAN may answer.
        (gateway.addr.ip() == router.address).then_some(gateway)
    };
    let mut itself = std::pin::pin!(search_gateway(options(router.address)));
    let mut everybody = std::pin::pin!(search_gateway(options(EVERYBODY.into())));
    tokio::select! {
        found = &mut itself => match of_router(found) {
            Some(gateway) => Some(gateway),
            None => of_router(everybody.await),
        },
        found = &mut everybody => match of_router(found) {
            Some(gateway) => Some(gateway),
            None => of_router(itself.await),
        },
    }
}

fn options(asked: Asked) -> PortMappingOptions {
    PortMappingOptions {
        external_port: NonZeroU16::new(asked.port),
        lifetime_seconds: Some(asked.lifetime),
        timeout_config: Some(UDP),
    }
}

fn granted(mapping: &crab_nat::PortMapping, address: Option<IpAddr>) -> Result<Granted, Refused> {
    match mapping.lifetime() {
        // That is how a mapping is taken away.
        0 => Err(WhyShut::Refused.into()),
        lifetime => Ok(Granted {
            address,
            port: mapping.external_port().get(),
            lifetime,
            epoch: Some(mapping.gateway_epoch()),
        }),
    }
}

/// Whether the router answers in this protocol.
pub(crate) async fn speaks(way: Way, router: Router) -> bool {
    match way {
        Way::Pcp | Way::NatPmp => {
            let asked = Asked {
                way,
                router,
                port: 0,
                lifetime: 0,
            };
            matches!(ask_epoch(asked).await, Ok(Found::Epoch(_)))
        }
        Way::Upnp => search(router).await.is_some(),
    }
}

/// Two questions, as one may get lost.
async fn ask_epoch(asked: Asked) -> io::Result<Found> {
    const PATIENCE: Duration = Duration::from_millis(700);
    let Router { own, .. } = asked.router;
    let Some(question) = epoch::question(asked.way, own) else {
        return Ok(Found::Unseen);
    };
    let socket = UdpSocket::bind(SocketAddr::new(own, 0)).await?;
    let router = asked.router.socket_address(crab_nat::GATEWAY_PORT);
    socket.connect(router).await?;
    let mut bytes = [0; 64];
    for _ in 0..2 {
        socket.send(&question).await?;
        if let Ok(len) = timeout(PATIENCE, socket.recv(&mut bytes)).await {
            let epoch = epoch::read(&bytes[..len?]);
            return Ok(epoch.map_or(Found::Unseen, Found::Epoch));
        }
    }
    Ok(Found::Unseen)
}

fn unsent(error: &io::Error) -> WhyShut {
    match error.kind() {
        // Nobody listens there.
        io::ErrorKind::ConnectionRefused => WhyShut::Absent,
        _ => WhyShut::Unsent,
    }
}

fn refused_by_pcp(failure: &pcp::Failure) -> WhyShut {
    use pcp::Failure;
    match failure {
        Failure::Socket(error) => unsent(error),
        Failure::Timeout => WhyShut::Silent,
        Failure::UnsupportedVersion(_)
        | Failure::UnsupportedOpcode
        | Failure::UnsupportedProtocol => WhyShut::Absent,
        Failure::NotAuthorized(_) | Failure::AddressMismatch => WhyShut::Refused,
        Failure::NoResources(_) | Failure::UserExceededQuota(_) => WhyShut::Full,
        Failure::NetworkFailure(_) => WhyShut::NoAddress,
        Failure::CannotProvideExternal(_) => WhyShut::Taken,
        _ => WhyShut::Strange,
    }
}

fn refused_by_natpmp(failure: &natpmp::Failure) -> WhyShut {
    use natpmp::Failure;
    match failure {
        Failure::Socket(error) => unsent(error),
        Failure::Timeout => WhyShut::Silent,
        Failure::UnsupportedVersion(_) | Failure::UnsupportedOpcode => WhyShut::Absent,
        Failure::NotAuthorized => WhyShut::Refused,
        Failure::OutOfResources => WhyShut::Full,
        Failure::NetworkFailure => WhyShut::NoAddress,
        Failure::InvalidResponse(_) => WhyShut::Strange,
    }
}

fn refused_by_upnp(error: &AddPortError) -> WhyShut {
    match error {
        AddPortError::ActionNotAuthorized => WhyShut::Refused,
        AddPortError::PortInUse | AddPortError::SamePortValuesRequired => WhyShut::Taken,
        AddPortError::OnlyPermanentLeasesSupported => WhyShut::ForEverOnly,
        AddPortError::RequestError(RequestError::ErrorCode(INVALID_ARGS, _)) => WhyShut::WrongTime,
        AddPortError::RequestError(RequestError::ErrorCode(..)) => WhyShut::Refused,
        AddPortError::RequestError(RequestError::UnsupportedAction(_)) => WhyShut::Absent,
        AddPortError::RequestError(
            RequestError::HyperClientError(_)
            | RequestError::HyperError(_)
            | RequestError::IoError(_),
        ) => WhyShut::Silent,
        _ => WhyShut::Strange,
    }
}
