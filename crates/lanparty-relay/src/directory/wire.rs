//! etcd's words as JSON: what is asked, and what the answers mean.
//!
//! Keys and values are base64, 64-bit numbers are texts, and what is zero is left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lanparty_fleet::{Answer, Entry, Event, Found, Guard, LeaseId, Request, Revision, Write};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::time::Duration;

/// Where a request goes, and its body.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) path: &'static str,
    pub(super) body: Value,
}

/// What etcd says where it cannot do what it was asked.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Fault {
    #[serde(default)]
    error: String,
    #[serde(default)]
    code: i64,
}

/// What that means for who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    LeaseGone,
    /// The token is none any more.
    TokenGone,
    /// A user was named, and nobody is asked for one.
    AuthOff,
    NoUser,
    UserRefused,
    Forbidden,
    NoLeader,
    Compacted,
    Other,
}

impl Fault {
    pub(super) fn said(&self) -> &str {
        &self.error
    }

    /// By etcd's own words (`api/v3rpc/rpctypes/error.go`), since its codes are few.
    pub(super) fn meaning(&self) -> Meaning {
        let said = |words: &str| self.error.contains(words);
        if said("lease not found") {
            Meaning::LeaseGone
        } else if said("invalid auth token") || said("revision of auth store is old") {
            Meaning::TokenGone
        } else if said("user name is empty") || said("user name not found") {
            Meaning::NoUser
        } else if said("authentication is not enabled") {
            Meaning::AuthOff
        } else if said("authentication failed") {
            Meaning::UserRefused
        } else if said("permission denied") {
            Meaning::Forbidden
        } else if said("no leader")
            || said("leader changed")
            || said("not healthy")
            || said("timed out")
        {
            Meaning::NoLeader
        } else if said("compacted") {
            Meaning::Compacted
        } else if self.code == 16 {
            // gRPC's UNAUTHENTICATED.
            Meaning::TokenGone
        } else {
            Meaning::Other
        }
    }
}

/// A call for a request, with keys below this prefix.
pub(super) fn call(prefix: &str, request: &Request) -> Call {
    match request {
        Request::Grant { ttl } => Call {
            path: "/v3/lease/grant",
            body: json!({ "TTL": ttl.as_secs().to_string() }),
        },
        Request::KeepAlive { lease } => Call {
            path: "/v3/lease/keepalive",
            body: json!({ "ID": lease.0.to_string() }),
        },
        Request::Revoke { lease } => Call {
            path: "/v3/lease/revoke",
            body: json!({ "ID": lease.0.to_string() }),
        },
        Request::Write(write) => Call {
            path: "/v3/kv/txn",
            body: txn(prefix, write),
        },
    }
}

fn txn(prefix: &str, write: &Write) -> Value {
    let key = |key: &[u8]| below(prefix, key);
    let puts = write.puts.iter().map(|put| {
        let lease = put.lease.map_or(0, |lease| lease.0);
        json!({ "request_put": {
            "key": key(&put.key), "value": STANDARD.encode(&put.value), "lease": lease.to_string(),
        } })
    });
    let deletes = write
        .deletes
        .iter()
        .map(|deleted| json!({ "request_delete_range": { "key": key(deleted) } }));
    let success: Vec<Value> = puts.chain(deletes).collect();
    if write.guards.is_empty() {
        return json!({ "success": success });
    }
    let compare = write.guards.iter().map(|guard| match guard {
        Guard::Revision { revision, .. } => json!({
            "key": key(guard.key()), "target": "MOD", "result": "EQUAL",
            "mod_revision": revision.0.to_string(),
        }),
        Guard::Value { value, .. } => json!({
            "key": key(guard.key()), "target": "VALUE", "result": "EQUAL",
            "value": STANDARD.encode(value),
        }),
    });
    let guarded = write.guards.iter();
    let failure = guarded.map(|guard| json!({ "request_range": { "key": key(guard.key()) } }));
    json!({
        "compare": compare.collect::<Vec<_>>(),
        "success": success,
        "failure": failure.collect::<Vec<_>>(),
    })
}

/// A page of all keys below the prefix, as of a revision, behind a key; `limit` at most.
pub(super) fn page(prefix: &str, after: Option<&[u8]>, revision: Revision, limit: usize) -> Call {
    let from = match after {
        // The next possible key.
        Some(after) => STANDARD.encode([prefix.as_bytes(), after, &[0]].concat()),
        None => STANDARD.encode(prefix),
    };
    let mut body = json!({
        "key": from, "range_end": STANDARD.encode(end_of(prefix)), "limit": limit.to_string(),
    });
    if revision.0 > 0 {
        body["revision"] = revision.0.to_string().into();
    }
    Call {
        path: "/v3/kv/range",
        body,
    }
}

/// Asks for changes from this revision on.
pub(super) fn watch(prefix: &str, from: Revision) -> Call {
    Call {
        path: "/v3/watch",
        body: json!({ "create_request": {
            "key": STANDARD.encode(prefix), "range_end": STANDARD.encode(end_of(prefix)),
            "start_revision": from.0.to_string(),
        } }),
    }
}

/// Asks for a token.
pub(super) fn authenticate(user: &str, password: &str) -> Call {
    Call {
        path: "/v3/auth/authenticate",
        body: json!({ "name": user, "password": password }),
    }
}

fn below(prefix: &str, key: &[u8]) -> String {
    STANDARD.encode([prefix.as_bytes(), key].concat())
}

/// The first key behind all that begin with the prefix, whose last byte is below 255 as all of its are ASCII.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

#[derive(Debug, Default, Deserialize)]
struct Header {
    #[serde(default, deserialize_with = "number")]
    cluster_id: u64,
    #[serde(default, deserialize_with = "number")]
    revision: u64,
}

#[derive(Debug, Deserialize)]
struct KeyValue {
    #[serde(default, deserialize_with = "bytes")]
    key: Vec<u8>,
    #[serde(default, deserialize_with = "bytes")]
    value: Vec<u8>,
    #[serde(default, deserialize_with = "number")]
    mod_revision: u64,
}

impl KeyValue {
    fn entry(self, prefix: &str) -> Option<Entry> {
        Some(Entry {
            key: self.key.strip_prefix(prefix.as_bytes())?.to_vec(),
            value: self.value,
            revision: Revision(self.mod_revision),
        })
    }
}

#[derive(Debug, Deserialize)]
struct LeaseAnswer {
    #[serde(rename = "ID", default, deserialize_with = "signed")]
    id: i64,
    #[serde(rename = "TTL", default, deserialize_with = "signed")]
    ttl: i64,
}

/// What streams wrap around each of their messages.
#[derive(Debug, Deserialize)]
struct Streamed<T> {
    result: Option<T>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct TxnAnswer {
    #[serde(default)]
    header: Header,
    #[serde(default)]
    succeeded: bool,
    #[serde(default)]
    responses: Vec<TxnPart>,
}

#[derive(Debug, Deserialize)]
struct TxnPart {
    response_range: Option<RangeAnswer>,
}

#[derive(Debug, Deserialize)]
struct RangeAnswer {
    #[serde(default)]
    header: Header,
    #[serde(default)]
    kvs: Vec<KeyValue>,
    #[serde(default)]
    more: bool,
}

#[derive(Debug, Deserialize)]
struct TokenAnswer {
    token: String,
}

#[derive(Debug, Deserialize)]
struct WatchAnswer {
    #[serde(default)]
    header: Header,
    #[serde(default)]
    created: bool,
    #[serde(default)]
    canceled: bool,
    #[serde(default, deserialize_with = "number")]
    compact_revision: u64,
    #[serde(default)]
    cancel_reason: String,
    #[serde(default)]
    events: Vec<WatchEvent>,
}

#[derive(Debug, Deserialize)]
struct WatchEvent {
    #[serde(rename = "type", default)]
    kind: String,
    kv: Option<KeyValue>,
}

/// What etcd said, if it can be read: an answer, or a fault.
pub(super) type Said<T> = Option<Result<T, Fault>>;

/// What a successful answer to a request means.
pub(super) fn answer(request: &Request, body: &[u8]) -> Said<Answer> {
    let seconds = |ttl: i64| Duration::from_secs(u64::try_from(ttl).unwrap_or_default());
    match request {
        Request::Grant { .. } => {
            let granted: LeaseAnswer = read(body)?;
            let (lease, ttl) = (LeaseId(granted.id), seconds(granted.ttl));
            (granted.id != 0).then_some(Ok(Answer::Granted { lease, ttl }))
        }
        Request::KeepAlive { .. } => {
            let streamed: Streamed<LeaseAnswer> = read(body)?;
            match streamed.result {
                Some(kept) if kept.ttl > 0 => Some(Ok(Answer::Alive {
                    ttl: seconds(kept.ttl),
                })),
                Some(_) => Some(Ok(Answer::Gone)),
                None => Some(Err(fault_in(streamed.error?))),
            }
        }
        Request::Revoke { .. } => read::<Value>(body).map(|_| Ok(Answer::Revoked)),
        Request::Write(write) => {
            let txn: TxnAnswer = read(body)?;
            if txn.succeeded {
                let revision = Revision(txn.header.revision);
                return Some(Ok(Answer::Written { revision }));
            }
            // One for each guard, in their order; each says what it has found, or nothing.
            let found = txn.responses.into_iter().map(|part| {
                let kv = part.response_range?.kvs.into_iter().next()?;
                Some(Found {
                    value: kv.value,
                    revision: Revision(kv.mod_revision),
                })
            });
            let found: Vec<_> = found.collect();
            (found.len() == write.guards.len()).then_some(Ok(Answer::Refused { found }))
        }
    }
}

/// A page of keys.
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    pub(super) cluster: u64,
    pub(super) revision: Revision,
    pub(super) entries: Vec<Entry>,
    pub(super) more: bool,
}

pub(super) fn page_of(prefix: &str, body: &[u8]) -> Option<Page> {
    let range: RangeAnswer = read(body)?;
    Some(Page {
        cluster: range.header.cluster_id,
        revision: Revision(range.header.revision),
        more: range.more,
        entries: range
            .kvs
            .into_iter()
            .filter_map(|kv| kv.entry(prefix))
            .collect(),
    })
}

pub(super) fn token_of(body: &[u8]) -> Option<String> {
    read::<TokenAnswer>(body).map(|answer| answer.token)
}

/// A line of a watch.
#[derive(Debug)]
pub(super) enum Watched {
    /// It begins; the directory was here.
    Begun {
        cluster: u64,
        revision: Revision,
    },
    Events(Vec<Event>),
    /// It is over; everything must be loaded anew.
    Compacted,
    /// It is over.
    Ended(Fault),
}

pub(super) fn watched(prefix: &str, line: &[u8]) -> Option<Watched> {
    let streamed: Streamed<WatchAnswer> = read(line)?;
    let Some(said) = streamed.result else {
        return Some(Watched::Ended(fault_in(streamed.error?)));
    };
    if said.compact_revision > 0 {
        return Some(Watched::Compacted);
    }
    if said.canceled {
        let error = said.cancel_reason;
        return Some(Watched::Ended(Fault { error, code: 0 }));
    }
    if said.created {
        return Some(Watched::Begun {
            cluster: said.header.cluster_id,
            revision: Revision(said.header.revision),
        });
    }
    let events = said.events.into_iter().filter_map(|event| {
        let entry = event.kv?.entry(prefix)?;
        Some(match event.kind.as_str() {
            "DELETE" => Event::Gone {
                key: entry.key,
                revision: entry.revision,
            },
            _ => Event::Put(entry),
        })
    });
    Some(Watched::Events(events.collect()))
}

/// What an answer that is none says.
pub(super) fn fault_of(body: &[u8]) -> Option<Fault> {
    read(body)
}

/// A fault within a stream: an object, or in some versions a text.
fn fault_in(error: Value) -> Fault {
    let code = error["grpc_code"].as_i64().unwrap_or_default();
    let said = error["message"].as_str().or(error.as_str());
    Fault {
        error: said.unwrap_or_default().to_owned(),
        code,
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(from)?;
    STANDARD
        .decode(text.as_bytes())
        .map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Unsigned(u64),
    Signed(i64),
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match Number::deserialize(from)? {
        Number::Text(text) => text.parse().map_err(serde::de::Error::custom),
        Number::Unsigned(number) => Ok(number),
        Number::Signed(number) => u64::try_from(number).map_err(serde::de::Error::custom),
    }
}

fn signed<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    match Number::deserialize(from)? {
        Number::Text(text) => text.parse().map_err(serde::de::Error::custom),
        Number::Unsigned(number) => i64::try_from(number).map_err(serde::de::Error::custom),
        Number::Signed(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests;
