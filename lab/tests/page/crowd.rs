//! Players without adapters, on a thread of their own.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::mpsc as std_mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use lanparty_e2e::Peer;
use lanparty_lab::Machine;
use lanparty_peer::relay_args::{RelayArgs, RelayConfig};
use lanparty_proto::checksum::Sum;
use lanparty_proto::{MacAddr, VirtualMac};
use lanparty_quic::Congestion;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::LocalSet;

const SOON: Duration = Duration::from_secs(30);

/// What a player shall do; the number is its own.
enum Does {
    Join(u8, Box<RelayConfig>),
    Send(u8, Vec<u8>),
}

/// Ends when it is dropped.
pub(crate) struct Crowd {
    does: Option<UnboundedSender<Does>>,
    done: std_mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// They are all on this machine.
    pub(crate) fn start(machine: &Machine) -> Self {
        let (does, story) = mpsc::unbounded_channel();
        let (tell, done) = std_mpsc::channel();
        let machine = machine.clone();
        // The sockets are made in there, so they are the machine's.
        let live = move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, play(story, tell));
            Ok(())
        };
        let thread = thread::spawn(move || {
            if let Err(error) = machine.enter(live) {
                eprintln!("{error:#}");
            }
        });
        Crowd {
            does: Some(does),
            done,
            thread: Some(thread),
        }
    }

    /// One more comes, by the invite in this file, and is in.
    pub(crate) fn join(&self, invite: &str, number: u8, name: &str) -> Result<()> {
        let args = RelayArgs {
            invite: None,
            invite_file: Some(invite.into()),
            relay: Vec::new(),
            server_name: None,
            relay_ca_cert: None,
            pin: None,
            room: None,
            datagram_budget: None,
            tcp: Default::default(),
            congestion: Congestion::default(),
        };
        let mut config = args.load()?;
        config.name = Some(name.parse()?);
        self.tell(Does::Join(number, Box::new(config)))
            .with_context(|| format!("{name} comes in"))
    }

    /// The player asks a machine of the LAN for a TCP connection.
    pub(crate) fn knock(&self, number: u8, to: [u8; 6], at: Ipv4Addr, port: u16) -> Result<()> {
        let from = Ipv4Addr::new(192, 168, 50, 130 + number);
        let frame = [&to[..], &mac(number), &[8, 0], &syn(from, at, port)].concat();
        self.tell(Does::Send(number, frame))
    }

    fn tell(&self, does: Does) -> Result<()> {
        let crowd = self.does.as_ref().context("a crowd")?;
        crowd.send(does).ok().context("the crowd is there")?;
        self.done.recv_timeout(SOON).context("the crowd does it")
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.does.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was printed
        }
    }
}

async fn play(mut story: UnboundedReceiver<Does>, tell: std_mpsc::Sender<()>) {
    let mut players = HashMap::new();
    while let Some(does) = story.recv().await {
        match does {
            Does::Join(number, config) => {
                let Ok(mac) = VirtualMac::try_from(MacAddr::new(mac(number))) else {
                    continue;
                };
                let mut player = Peer::client(*config, mac);
                player.is_in().await;
                players.insert(number, player);
            }
            Does::Send(number, frame) => {
                if let Some(player) = players.get(&number) {
                    player.cable.send(&frame);
                }
            }
        }
        let _ = tell.send(()); // the test may be over
    }
}

const fn mac(number: u8) -> [u8; 6] {
    [2, 0x1a, 0, 0, 2, number]
}

/// The first packet of a TCP connection (RFC 9293 §3.5).
fn syn(from: Ipv4Addr, to: Ipv4Addr, port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let mut ip = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0];
    ip.extend(from.octets());
    ip.extend(to.octets());
    let sum = Sum::of(&ip).checksum();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut tcp = vec![
        0xc0, 1, high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x20, 0, 0, 0, 0, 0,
    ];
    let mut sum = Sum::pseudo_v4(from.octets(), to.octets(), 6, 20);
    sum += Sum::of(&tcp);
    let sum = sum.checksum();
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    [ip, tcp].concat()
}
