//! Who is in the room, for people.

use super::wire::{Player, Players};
use lanparty_ctrl::host::Member;
use std::fmt::Write as _;

const HEAD: [&str; 9] = [
    "MAC",
    "NAME",
    "LAN ADDRESS",
    "IN FOR",
    "RTT",
    "LOSS",
    "SENDS",
    "RECEIVES",
    "",
];

/// The table, and one line about the room.
pub(super) fn draw(room: &Players) -> String {
    let rows = room.players.iter().flat_map(rows);
    let rows: Vec<_> = [HEAD.map(str::to_owned)].into_iter().chain(rows).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let cells = rows.iter().map(|row| row[column].chars().count());
            let width = cells.max().unwrap_or(0);
            let _ = write!(line, "{cell:width$}  ");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text + &summary(room)
}

/// A player with several addresses takes several lines.
fn rows(player: &Player) -> Vec<[String; 9]> {
    let member = &player.member;
    let mut addresses = member.addresses.iter().map(ToString::to_string);
    let first = [
        player.mac.to_string(),
        shown(player.name.as_ref(), ToString::to_string),
        addresses.next().unwrap_or_else(unknown),
        duration(member.seconds),
        shown(member.rtt_us, |us| format!("{:.1} ms", us as f64 / 1000.0)),
        shown(member.loss_permille, |permille| {
            format!("{}.{} %", permille / 10, permille % 10)
        }),
        shown(member.sends, rate),
        shown(member.receives, rate),
        remarks(member),
    ];
    let others = addresses.map(|address| {
        let mut row = <[String; 9]>::default();
        row[2] = address;
        row
    });
    [first].into_iter().chain(others).collect()
}

fn summary(room: &Players) -> String {
    let players = match room.players.len() {
        0 => "Nobody is in the room".to_owned(),
        1 => "1 player".to_owned(),
        n => format!("{n} players"),
    };
    let locked = if room.locked {
        "; the room is locked"
    } else {
        ""
    };
    let apart = if room.isolated {
        "; players are kept apart"
    } else {
        ""
    };
    format!("{players}{locked}{apart}.\n")
}

fn remarks(member: &Member) -> String {
    let muted = member.muted.then(|| "muted".to_owned());
    let dropped = (member.dropped > 0).then(|| format!("{} frames dropped", member.dropped));
    let remarks: Vec<_> = muted.into_iter().chain(dropped).collect();
    remarks.join(", ")
}

fn shown<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(unknown, show)
}

fn unknown() -> String {
    "–".to_owned()
}

fn duration(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours}:{minutes:02}:{:02}", seconds % 60)
}

fn rate(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B/s"),
        1000..1_000_000 => format!("{:.1} kB/s", bytes as f64 / 1e3),
        1_000_000.. => format!("{:.1} MB/s", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_proto::PeerId;

    #[test]
    fn the_table_has_this_shape() {
        let member = Member {
            peer_id: PeerId::new(2).unwrap(),
            addresses: vec![[192, 168, 50, 17].into(), [169, 254, 7, 7].into()],
            seconds: 3723,
            rtt_us: Some(21_340),
            loss_permille: Some(3),
            sends: Some(1200),
            receives: Some(2_500_000),
            dropped: 7,
            muted: true,
        };
        let quiet = Member {
            addresses: Vec::new(),
            rtt_us: None,
            loss_permille: None,
            sends: None,
            receives: None,
            dropped: 0,
            muted: false,
            ..member.clone()
        };
        let player = |last: u8, name: Option<&str>, member| Player {
            name: name.map(|name| name.parse().unwrap()),
            mac: lanparty_proto::VirtualMac::from_random([2, 0, 0, 0, 0, last]),
            member,
        };
        let room = Players {
            locked: true,
            isolated: false,
            players: vec![player(1, Some("Ann"), member), player(2, None, quiet)],
        };
        let expected = "\
MAC                NAME  LAN ADDRESS    IN FOR   RTT      LOSS   SENDS     RECEIVES
02:00:00:00:00:01  Ann   192.168.50.17  1:02:03  21.3 ms  0.3 %  1.2 kB/s  2.5 MB/s  muted, 7 frames dropped
                         169.254.7.7
02:00:00:00:00:02  –     –              1:02:03  –        –      –         –
2 players; the room is locked.
";
        assert_eq!(draw(&room), expected);
        let empty = draw(&Players::default());
        assert!(empty.ends_with("Nobody is in the room.\n"), "{empty}");
    }
}
