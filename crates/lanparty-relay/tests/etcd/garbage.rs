//! Whoever may write there writes as much and as long as etcd lets.

use crate::machines::Etcd;
use crate::relay::{Relay, directory};
use crate::{is_in, room};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lanparty_fleet::*;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

/// Rows of rooms that a relay could have written.
const ROWS: usize = 100_000;
/// As many writes etcd takes in one transaction.
const AT_ONCE: usize = 128;
/// Longer than an answer may be, all of them together.
const LONG: usize = 40;
/// And some more.
const MORE: usize = 10;

/// A stranger with etcd's port writes all of these at once.
fn write(port: u16, rows: impl Iterator<Item = (String, Vec<u8>)>) {
    let puts = rows.map(|(key, value)| {
        let key = STANDARD.encode(format!("/lanparty/{key}"));
        json!({ "request_put": { "key": key, "value": STANDARD.encode(value) } })
    });
    let body = json!({ "success": puts.collect::<Vec<Value>>() }).to_string();
    let length = body.len();
    let call = format!("POST /v3/kv/txn HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}");
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("etcd is there");
    stream.write_all(call.as_bytes()).expect("etcd listens");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("etcd answers");
    let status = said.lines().next();
    assert!(
        status.is_some_and(|status| status.contains(" 200 ")),
        "{said}"
    );
}

#[tokio::test]
async fn a_hundred_thousand_rows_and_values_of_a_megabyte_keep_no_relay_out() {
    let Some(etcd) = Etcd::start(None).await else {
        return;
    };
    let owner = br#"{"relay":"00000000000000ff"}"#.to_vec();
    for first in (0..ROWS).step_by(AT_ONCE) {
        let rows = first..(first + AT_ONCE).min(ROWS);
        write(
            etcd.port,
            rows.map(|number| (format!("rooms/{number:064x}"), owner.clone())),
        );
    }
    for number in 0..LONG {
        let long = vec![b'{'; 1 << 20];
        write(
            etcd.port,
            [(format!("relays/ff{number:014x}"), long)].into_iter(),
        );
    }
    let mut relay = Relay::new(1, directory(&etcd.address(""), None));
    relay.until("in", is_in).await;
    assert_eq!(relay.fleet.counts().garbage, LONG as u64);
    let said = |relay: &Relay| {
        let said = relay.outputs.iter();
        said.filter(|output| matches!(output, Output::Say(Trouble::Garbage { .. })))
            .count()
    };
    relay.until("it says so", |relay| said(relay) > 0).await;
    assert!(relay.troubles.is_empty(), "{:?}", relay.troubles);
    assert!(matches!(
        relay.located(room(0xee)).await,
        Located::Here { .. }
    ));
    // And while it is in, more of it.
    let port = etcd.port;
    let writer = tokio::task::spawn_blocking(move || {
        for number in 0..MORE {
            let long = vec![b'{'; 1 << 20];
            write(port, [(format!("claims/{number:064x}"), long)].into_iter());
        }
    });
    relay
        .until("all of it is heard", |relay| {
            relay.fleet.counts().garbage == (LONG + MORE) as u64
        })
        .await;
    writer.await.expect("it has written");
    assert_eq!(said(&relay), 1, "once a minute");
    // An etcd that has so much to write may be slow for a while.
    relay.until("in, still or again", is_in).await;
}
