//! What is said, byte by byte, as etcd 3.4.23 has answered it.

use super::*;
use lanparty_fleet::{Guard, Put};

const HEADER: &str = r#""header":{"cluster_id":"7191451161668344375","member_id":"10809311097012947438","revision":"2","raft_term":"2"}"#;

fn grant() -> Request {
    Request::Grant {
        ttl: Duration::from_secs(5),
    }
}

fn write() -> Request {
    Request::Write(Write {
        guards: vec![
            Guard::Revision {
                key: b"rooms/a".to_vec(),
                revision: Revision(0),
            },
            Guard::Value {
                key: b"fleet".to_vec(),
                value: b"bar".to_vec(),
            },
        ],
        puts: vec![Put {
            key: b"rooms/a".to_vec(),
            value: b"bar".to_vec(),
            lease: Some(LeaseId(715_687_707_416_706_821)),
        }],
        deletes: vec![b"moves/a".to_vec()],
    })
}

fn said(request: &Request, body: &str) -> Answer {
    answer(request, body.replace("HEADER", HEADER).as_bytes())
        .expect("an answer")
        .expect("no fault")
}

#[test]
fn requests_are_what_etcd_reads() {
    let lease = LeaseId(7);
    let all = [
        (grant(), "/v3/lease/grant", r#"{"TTL":"5"}"#),
        (
            Request::KeepAlive { lease },
            "/v3/lease/keepalive",
            r#"{"ID":"7"}"#,
        ),
        (
            Request::Revoke { lease },
            "/v3/lease/revoke",
            r#"{"ID":"7"}"#,
        ),
        (
            write(),
            "/v3/kv/txn",
            // "Zi9yb29tcy9h" is f/rooms/a, "Zi9mbGVldA==" is f/fleet, "YmFy" is bar, "Zi9tb3Zlcy9h" is f/moves/a.
            r#"{"compare":[{"key":"Zi9yb29tcy9h","mod_revision":"0","result":"EQUAL","target":"MOD"},{"key":"Zi9mbGVldA==","result":"EQUAL","target":"VALUE","value":"YmFy"}],"failure":[{"request_range":{"key":"Zi9yb29tcy9h"}},{"request_range":{"key":"Zi9mbGVldA=="}}],"success":[{"request_put":{"key":"Zi9yb29tcy9h","lease":"715687707416706821","value":"YmFy"}},{"request_delete_range":{"key":"Zi9tb3Zlcy9h"}}]}"#,
        ),
    ];
    for (request, path, body) in all {
        let call = call("f/", &request);
        assert_eq!((call.path, call.body.to_string().as_str()), (path, body));
    }
}

#[test]
fn everything_and_changes_are_asked_for_by_the_prefix() {
    // "Zi8=" is f/, and "ZjA=" is f0, the first key behind.
    let first = page("f/", None, Revision(0), 512);
    assert_eq!(
        first.body.to_string(),
        r#"{"key":"Zi8=","limit":"512","range_end":"ZjA="}"#
    );
    let next = page("f/", Some(b"a"), Revision(9), 64);
    assert_eq!(next.body["key"], "Zi9hAA==");
    assert_eq!(next.body["revision"], "9");
    let watch = watch("f/", Revision(10));
    assert_eq!(watch.body["create_request"]["start_revision"], "10");
}

#[test]
fn answers_are_what_etcd_writes() {
    let granted = said(&grant(), r#"{HEADER,"ID":"715687707416706821","TTL":"5"}"#);
    let lease = LeaseId(715_687_707_416_706_821);
    let ttl = Duration::from_secs(5);
    assert_eq!(granted, Answer::Granted { lease, ttl });
    let keep = Request::KeepAlive { lease };
    let kept = said(
        &keep,
        "{\"result\":{HEADER,\"ID\":\"715687707416706821\",\"TTL\":\"5\"}}\n",
    );
    assert_eq!(kept, Answer::Alive { ttl });
    assert_eq!(
        said(&keep, r#"{"result":{HEADER,"ID":"77"}}"#),
        Answer::Gone
    );
    let won = said(
        &write(),
        r#"{HEADER,"succeeded":true,"responses":[{"response_put":{"header":{"revision":"2"}}},{"response_delete_range":{"header":{"revision":"2"}}}]}"#,
    );
    assert_eq!(
        won,
        Answer::Written {
            revision: Revision(2)
        }
    );
    let lost = said(
        &write(),
        r#"{HEADER,"responses":[{"response_range":{"header":{"revision":"2"},"kvs":[{"key":"Zm9v","create_revision":"2","mod_revision":"2","version":"1","value":"YmFy","lease":"715687707416706821"}],"count":"1"}},{"response_range":{"header":{"revision":"2"}}}]}"#,
    );
    let value = b"bar".to_vec();
    let revision = Revision(2);
    assert_eq!(
        lost,
        Answer::Refused {
            found: vec![Some(Found { value, revision }), None]
        }
    );
    let gone = said(
        &write(),
        r#"{HEADER,"responses":[{"response_range":{"header":{"revision":"2"}}},{"response_range":{"header":{"revision":"2"}}}]}"#,
    );
    assert_eq!(
        gone,
        Answer::Refused {
            found: vec![None, None]
        }
    );
    let half = br#"{"responses":[{"response_range":{"header":{"revision":"2"}}}]}"#;
    assert!(answer(&write(), half).is_none());
}

#[test]
fn a_watch_is_what_etcd_tells() {
    let heard = |line: &str| watched("f", line.replace("HEADER", HEADER).as_bytes());
    assert!(matches!(
        heard(r#"{"result":{HEADER,"created":true}}"#),
        Some(Watched::Begun {
            cluster: 7_191_451_161_668_344_375,
            revision: Revision(2)
        })
    ));
    let Some(Watched::Events(events)) = heard(
        r#"{"result":{HEADER,"events":[{"kv":{"key":"Zm9v","create_revision":"2","mod_revision":"2","version":"1","value":"YmFy"}},{"type":"DELETE","kv":{"key":"Zm9v","mod_revision":"3"}}]}}"#,
    ) else {
        panic!("no events");
    };
    let put = Entry {
        key: b"oo".to_vec(),
        value: b"bar".to_vec(),
        revision: Revision(2),
    };
    let gone = Event::Gone {
        key: b"oo".to_vec(),
        revision: Revision(3),
    };
    assert_eq!(events, [Event::Put(put), gone]);
    assert!(matches!(
        heard(r#"{"result":{HEADER,"canceled":true,"compact_revision":"3"}}"#),
        Some(Watched::Compacted)
    ));
    let ended = heard(
        r#"{"result":{HEADER,"watch_id":"-1","created":true,"canceled":true,"cancel_reason":"rpc error: code = PermissionDenied desc = etcdserver: permission denied"}}"#,
    );
    assert!(matches!(ended, Some(Watched::Ended(fault)) if fault.meaning() == Meaning::Forbidden));
}

#[test]
fn refusals_mean_what_etcd_means() {
    for (said, code, meaning) in [
        (
            "etcdserver: requested lease not found",
            5,
            Meaning::LeaseGone,
        ),
        ("etcdserver: invalid auth token", 16, Meaning::TokenGone),
        ("etcdserver: user name is empty", 3, Meaning::NoUser),
        (
            "etcdserver: authentication failed, invalid user ID or password",
            3,
            Meaning::UserRefused,
        ),
        (
            "etcdserver: authentication is not enabled",
            9,
            Meaning::AuthOff,
        ),
        ("etcdserver: permission denied", 7, Meaning::Forbidden),
        ("etcdserver: no leader", 14, Meaning::NoLeader),
        ("etcdserver: request timed out", 14, Meaning::NoLeader),
        (
            "etcdserver: mvcc: required revision has been compacted",
            11,
            Meaning::Compacted,
        ),
        (
            "etcdserver: mvcc: database space exceeded",
            8,
            Meaning::Other,
        ),
    ] {
        let body = format!(r#"{{"error":"{said}","message":"{said}","code":{code}}}"#);
        let fault = fault_of(body.as_bytes()).expect("a fault");
        assert_eq!((fault.said(), fault.meaning()), (said, meaning));
    }
}

#[test]
fn what_is_no_answer_is_none() {
    for body in [
        "",
        "null",
        "[]",
        "404 page not found",
        r#"{"TTL":"5"}"#,
        r#"{"ID":"x"}"#,
    ] {
        assert!(answer(&grant(), body.as_bytes()).is_none(), "{body}");
    }
    for line in ["", "{}", r#"{"result":{"events":[{"kv":{"key":"%"}}]}}"#] {
        assert!(watched("f", line.as_bytes()).is_none(), "{line}");
    }
}
