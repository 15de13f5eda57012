//! `lanparty-relay ctl top`: rooms and peers by what they cost.

use super::wire::{Answer, Peer, Request, Status};
use super::{draw_status, span::Span};
use lanparty_edge::ctl;
use lanparty_top::{Column, Figure, Look, Row, Table, Unit};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const FIGURES: &[Column] = &[
    Column {
        head: "BYTES/S",
        key: 'b',
        unit: Unit::Bytes,
    },
    Column {
        head: "FRAMES/S",
        key: 'f',
        unit: Unit::Pieces,
    },
    Column {
        head: "DROPS/S",
        key: 'd',
        unit: Unit::Pieces,
    },
];

const SILENT: &str = "The relay does not answer any more; asking again each second.";

/// What the relay says now.
pub(super) fn look(socket: &Path) -> Result<Look, String> {
    let ask = |request| ctl::ask(socket, &request).map_err(|_| SILENT.to_owned());
    match (ask(Request::Status)?, ask(Request::Peers)?) {
        (Answer::Status(status), Answer::Peers(peers)) => Ok(draw(&status, &peers)),
        _ => Err("The relay gives a strange answer; use a ctl of the relay's version.".to_owned()),
    }
}

fn draw(status: &Status, peers: &[Peer]) -> Look {
    let mut rooms = BTreeMap::new();
    for peer in peers {
        let room = rooms
            .entry(peer.seat.room)
            .or_insert_with(|| Sum::new(peer));
        room.add(peer);
    }
    let rooms = rooms.into_iter().map(|(number, room)| Row {
        id: number.to_string(),
        words: vec![number.to_string(), room.code, room.players.to_string()],
        figures: figures(room.bytes, room.frames, room.dropped),
    });
    Look {
        title: draw_status(status).replace('\n', " ").trim_end().to_owned(),
        tables: vec![
            Table {
                words: &["ROOM", "CODE", "PLAYERS"],
                figures: FIGURES,
                rows: rooms.collect(),
            },
            Table {
                words: &["PEER", "NAME", "MAC", "FROM", "IN FOR", "RTT"],
                figures: FIGURES,
                rows: peers.iter().map(row).collect(),
            },
        ],
    }
}

/// A room's peers together. Of those who leave it loses what they had counted; then it has begun anew.
struct Sum {
    code: String,
    players: usize,
    bytes: u64,
    frames: u64,
    dropped: u64,
}

impl Sum {
    fn new(peer: &Peer) -> Self {
        Sum {
            code: peer.code.to_string(),
            players: 0,
            bytes: 0,
            frames: 0,
            dropped: 0,
        }
    }

    fn add(&mut self, peer: &Peer) {
        self.players += usize::from(peer.mac.is_some());
        self.bytes += peer.bytes;
        self.frames += peer.frames;
        self.dropped += peer.dropped;
    }
}

fn row(peer: &Peer) -> Row {
    let unknown = || "–".to_owned();
    let milliseconds = |us| format!("{:.1} ms", us as f64 / 1000.0);
    Row {
        // Who comes in anew has counted nothing yet.
        id: peer.seat.to_string(),
        words: vec![
            peer.seat.to_string(),
            peer.name.as_ref().map_or_else(unknown, ToString::to_string),
            peer.mac.map_or("gateway".to_owned(), |mac| mac.to_string()),
            peer.source.to_string(),
            Span(Duration::from_secs(peer.seconds)).to_string(),
            peer.rtt_us.map_or_else(unknown, milliseconds),
        ],
        figures: figures(peer.bytes, peer.frames, peer.dropped),
    }
}

fn figures(bytes: u64, frames: u64, dropped: u64) -> Vec<Figure> {
    [bytes, frames, dropped].map(Figure::Count).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_proto::{PeerId, RoomId};

    fn peer(room: u32, number: u16, is_gateway: bool, bytes: u64) -> Peer {
        Peer {
            seat: crate::registry::Seat {
                room: RoomId::new(room).unwrap(),
                peer: PeerId::new(number).unwrap(),
            },
            code: "FRIDAY".parse().unwrap(),
            mac: (!is_gateway).then(|| "02:00:00:00:00:01".parse().unwrap()),
            name: None,
            identity: None,
            source: [192, 0, 2, 1].into(),
            seconds: 61,
            rtt_us: Some(1500),
            frames: 2,
            bytes,
            dropped: 1,
        }
    }

    #[test]
    fn a_room_costs_what_its_peers_do() {
        let status = Status {
            version: "1.2.3".into(),
            seconds: 60,
            rooms: 2,
            players: 2,
            gateways: 1,
            waiting: 0,
            region: None,
            fleet: None,
            draining: true,
            ends_in: None,
        };
        let peers = [
            peer(1, 1, true, 10),
            peer(1, 2, false, 20),
            peer(2, 1, false, 5),
        ];
        let look = draw(&status, &peers);
        assert!(
            look.title.contains("1.2.3") && look.title.contains("Draining"),
            "{}",
            look.title
        );
        let [rooms, people] = &look.tables[..] else {
            panic!("two tables");
        };
        assert_eq!(rooms.rows[0].words, ["1", "FRIDAY", "1"]);
        assert_eq!(rooms.rows[0].figures, [30, 4, 2].map(Figure::Count));
        let words = [
            "1/2",
            "–",
            "02:00:00:00:00:01",
            "192.0.2.1",
            "1 min",
            "1.5 ms",
        ];
        assert_eq!(people.rows[1].words, words);
        assert_eq!(people.rows[0].words[2], "gateway");
    }
}
