//! One relay after the other, at the same sockets: how a newcomer takes the place, and how the one that runs gives it up.

use super::handover::{HandoverError, Heirs, Predecessor};
use super::tcp::Ear;
use super::{RelayServer, StartError, operator};
use crate::config::{Config, Tcp};
use lanparty_ctrl::AccessToken;
use lanparty_edge::ctl;
use lanparty_edge::speech::say;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Instant;
use tokio::sync::mpsc;
use tracing::{info, warn};

/// Binds a relay, or has it take another one's place; from then on this one serves.
pub(super) fn begin(config: &Config) -> Result<RelayServer, StartError> {
    let running = config.handover.as_deref().filter(|_| config.takes_over);
    // A conversation of its own, which an older relay ends.
    let listener = running.filter(|_| config.tcp != Tcp::Off).and_then(|file| {
        let running = Predecessor::find(file).ok()??;
        running.tcp()
    });
    let running = running.map(Predecessor::find).transpose();
    let running = running.map_err(HandoverError::from)?.flatten();
    let Some(mut predecessor) = running else {
        if config.takes_over {
            say("No relay runs with this state folder, so there is no place to take over.");
        }
        let mut server = RelayServer::bind(config)?;
        server.listen_to_others(config, ctl::bind);
        return Ok(server);
    };
    let mut adopted = predecessor.sockets().map_err(HandoverError::from)?;
    predecessor
        .has_all(adopted.len())
        .map_err(HandoverError::from)?;
    let wanted = config.listen.socket_address();
    if !adopted.iter().all(|socket| is_at(socket, wanted)) {
        adopted.clear();
    }
    let mut server = RelayServer::bind_or_adopt(config, adopted, listener)?;
    server.try_without_rights()?;
    let theirs = predecessor.access().map_err(HandoverError::from)?;
    if let Some(token) = inherited(config, theirs)? {
        say(KEPT_TOKEN);
        server.rooms.lock().set_access(Some(token.clone()));
        server.inherited_access = Some(token);
    }
    let legacy = predecessor.place().map_err(HandoverError::from)?;
    info!(?legacy, "Took the place of the relay that ran");
    server.is_successor = true;
    server.watchdog = server.watchdog.or(legacy.watchdog);
    server.rooms.lock().inherit(Instant::now(), legacy);
    server.listen_to_others(config, ctl::bind_in_place);
    say("Took the place of the relay that ran.");
    Ok(server)
}

const KEPT_TOKEN: &str = "The access token of the relay that ran stays in force, as this one was not given any; a restart is \
     needed to do without.";

/// What a newcomer without an access token of its own takes over: no update opens a relay to everybody.
fn inherited(
    config: &Config,
    theirs: Option<AccessToken>,
) -> Result<Option<AccessToken>, HandoverError> {
    match (&config.access, theirs) {
        (Some(_), _) => Ok(None),
        (None, None) if config.is_access_hidden => Err(HandoverError::AccessHidden),
        (None, theirs) => Ok(theirs),
    }
}

/// True when a socket listens where that is wanted; an IPv4 wildcard stands in for both families where there is no IPv6.
fn is_at(socket: &UdpSocket, wanted: SocketAddr) -> bool {
    socket.local_addr().is_ok_and(|address| {
        let both_any = address.ip().is_unspecified() && wanted.ip().is_unspecified();
        address.port() == wanted.port() && (both_any || address.ip() == wanted.ip())
    })
}

impl RelayServer {
    /// Gives up on a thread of its own what this one will give up: what cannot be done without is missed while the other
    /// relay has its place.
    fn try_without_rights(&mut self) -> Result<(), StartError> {
        let panicked = |_| StartError::Rights(io::Error::other("it cannot be tried"));
        std::thread::scope(|scope| {
            let trial = scope.spawn(|| self.give_up_rights());
            trial.join().map_err(panicked).and_then(|tried| tried)
        })
    }

    /// Lets the operator steer it, and another relay ask for its place, at sockets that `bind` makes.
    fn listen_to_others(
        &mut self,
        config: &Config,
        bind: fn(&Path) -> io::Result<std::os::unix::net::UnixListener>,
    ) {
        let socket = config.socket.as_deref();
        if let Some(listener) = socket.and_then(|file| operator::listen(file, bind)) {
            let desk = operator::Desk::new(self.rooms.clone(), self.endpoint.clone());
            self.operators.spawn(desk.serve(listener));
        }
        if let Some(file) = config.handover.as_deref() {
            let listening = bind(file).and_then(|listener| {
                let tcp = self.tcp.ear.as_ref().map(Ear::duplicate).transpose()?;
                let heirs = Heirs::new(listener, self.endpoint.duplicate_sockets()?, tcp)?;
                let (wish, wishes) = mpsc::channel(1);
                heirs.listen(wish)?;
                Ok(wishes)
            });
            match listening {
                Ok(wishes) => self.wishes.0 = Some(wishes),
                Err(error) => {
                    warn!(%error, file = %file.display(), "No other relay will be able to take this one's place");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_newcomer_opens_a_relay_that_was_closed() {
        let [old, new]: [AccessToken; 2] =
            ["correct-horse-battery", "staple-horse-battery"].map(|token| token.parse().unwrap());
        let mut config = Config::new("127.0.0.1:0".parse().unwrap());
        assert_eq!(inherited(&config, None).unwrap(), None);
        assert_eq!(
            inherited(&config, Some(old.clone())).unwrap().as_ref(),
            Some(&old)
        );
        config.is_access_hidden = true;
        assert_eq!(
            inherited(&config, Some(old.clone())).unwrap().as_ref(),
            Some(&old)
        );
        assert!(
            inherited(&config, None).is_err(),
            "it may be meant to be closed"
        );
        config.is_access_hidden = false;
        config.access = Some(new);
        assert_eq!(
            inherited(&config, Some(old)).unwrap(),
            None,
            "it has its own"
        );
    }

    #[test]
    fn a_socket_is_taken_where_it_listens_as_wanted() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let own = socket.local_addr().unwrap();
        assert!(is_at(&socket, own));
        assert!(!is_at(&socket, (own.ip(), own.port() ^ 1).into()));
        assert!(!is_at(
            &socket,
            (std::net::Ipv4Addr::UNSPECIFIED, own.port()).into()
        ));
        let any = UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = any.local_addr().unwrap().port();
        assert!(is_at(&any, (std::net::Ipv6Addr::UNSPECIFIED, port).into()));
    }
}
