//! A party at this machine: its port, and how players find it.

use super::answers::{Answers, Party};
use super::ask::{Asker, Question};
use super::{Setup, sentence, service};
use crate::config::Mode;
use crate::way_in;
use lanparty_edge::address::{ListenAddress, RelayAddress};
use lanparty_edge::runtime;
use lanparty_edge::source_address::{is_public, outgoing};
use lanparty_quic::ListenError;
use std::io;
use std::net::{SocketAddr, UdpSocket};

impl Setup<'_> {
    /// A party at this machine.
    pub(super) fn host(&self, asker: &mut Asker<'_>) -> anyhow::Result<Party> {
        let is_ours = service::is_active();
        let kept = self
            .settings
            .text("listen")
            .filter(|_| self.settings.mode() == Some(Mode::Host));
        let listen = match self.args.listen {
            Some(listen) => listen.to_string(),
            None => kept.unwrap_or_else(|| "443/udp".to_owned()),
        };
        let question = Question {
            text: "UDP port for players",
            default: Some(&listen),
            flags: "--listen",
        };
        let parse = |answer: &str| {
            let answer = match answer.parse::<u16>() {
                Ok(port) => format!("{port}/udp"),
                Err(_) => answer.to_owned(),
            };
            let listen: ListenAddress = answer.parse().map_err(sentence)?;
            can_listen(listen, is_ours).map(|()| listen)
        };
        let listen = match self.args.listen {
            Some(listen) => parse(&listen.to_string())
                .map_err(|why| anyhow::anyhow!("--listen cannot be {listen}: {why}"))?,
            None => asker.ask(&question, parse)?,
        };
        Ok(Party::Host {
            listen,
            public_address: self.public_address(asker)?,
        })
    }

    /// Under which name or address players find this machine.
    fn public_address(&self, asker: &mut Asker<'_>) -> anyhow::Result<Option<String>> {
        let parse = |answer: &str| match answer {
            "" | "auto" => Ok(None),
            answer => {
                RelayAddress::parse(answer, 443).map_err(sentence)?;
                Ok(Some(answer.to_owned()))
            }
        };
        if let Some(given) = &self.args.public_address {
            return parse(given)
                .map_err(|why| anyhow::anyhow!("--public-address cannot be {given}: {why}"));
        }
        if !asker.takes_defaults() {
            let here = match outgoing() {
                Some(ip) if is_public(ip) => {
                    format!("This machine's own address, {ip}, is a public one.")
                }
                Some(ip) => format!(
                    "This machine's own address, {ip}, is a private one: players elsewhere need your router's."
                ),
                None => "This machine has no way to the internet now.".to_owned(),
            };
            asker.say(&format!(
                "\nHow do players find this machine from the internet? {here} If your line has a name, like \
                 party.example.net, or a fixed address, give that; with auto the program finds out by itself at each start."
            ))?;
        }
        let kept = self.settings.text("public-address");
        let question = Question {
            text: "Public name or address",
            default: Some(kept.as_deref().unwrap_or("auto")),
            flags: "--public-address",
        };
        asker.ask(&question, parse)
    }

    /// Where players will find a party that listens there, as far as that can be tried: the router is asked to open the port.
    pub(super) fn places(
        &self,
        asker: &mut Asker<'_>,
        answers: &Answers,
    ) -> anyhow::Result<Vec<SocketAddr>> {
        let Party::Host {
            listen,
            public_address,
        } = &answers.party
        else {
            return Ok(Vec::new());
        };
        // The party that runs holds the port; nobody else should ask for it, and give it back.
        if service::is_active() {
            return Ok(Vec::new());
        }
        asker.say("\nAsking the router to open the port, which takes up to ten seconds.")?;
        let trying = way_in::rehearse(
            listen.socket_address(),
            rand::random(),
            public_address.clone(),
        );
        let report = runtime::run(trying)?;
        asker.say(&report.sentence)?;
        Ok(report.addresses)
    }
}

/// Whether this machine's port is free, or has our own party at it.
fn can_listen(listen: ListenAddress, is_ours: bool) -> Result<(), String> {
    match UdpSocket::bind(listen.socket_address()) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_ours => Ok(()),
        Err(error) => Err(ListenError::new(listen.socket_address(), error).to_string()),
    }
}
