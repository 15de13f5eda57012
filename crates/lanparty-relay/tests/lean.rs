//! A relay that is alone has nothing of a fleet in it: what the feature `cluster-etcd` needs comes with it alone.

use std::collections::BTreeSet;
use std::process::Command;

/// What would come by itself: etcd's usual clients, and what they bring.
const NEVER: [&str; 6] = [
    "etcd-client",
    "h2",
    "prost",
    "protobuf",
    "tonic",
    "tower-http",
];

/// What a build of these features has in it, by `cargo tree`.
fn tree(extra: &[&str]) -> BTreeSet<String> {
    let cargo = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "-p", "lanparty-relay"])
        .args(["-e", "normal", "--prefix", "none"])
        .args(extra)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs tests, so it is there");
    let said = String::from_utf8_lossy(&cargo.stderr);
    assert!(cargo.status.success(), "{said}");
    let lines = String::from_utf8(cargo.stdout).expect("names in UTF-8");
    let names = lines.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// What the feature names: `dep:NAME` in the manifest.
fn optional() -> BTreeSet<String> {
    let manifest = include_str!("../Cargo.toml");
    let (_, rest) = manifest
        .split_once("cluster-etcd = [")
        .expect("the feature");
    let (list, _) = rest.split_once(']').expect("its end");
    let names = list.split('"').filter_map(|part| part.strip_prefix("dep:"));
    names.map(str::to_owned).collect()
}

#[test]
fn a_relay_without_the_feature_has_none_of_its_dependencies() {
    let optional = optional();
    assert!(
        optional.contains("lanparty-fleet") && optional.len() > 4,
        "{optional:?}"
    );
    let direct = tree(&["--depth", "1"]);
    let with = tree(&["--depth", "1", "--features", "cluster-etcd"]);
    assert!(optional.is_subset(&with), "{optional:?} {with:?}");
    // What Linux' tools need anyway is not the fleet's.
    let shared = BTreeSet::from(["serde_json".to_owned()]);
    let own: BTreeSet<_> = optional.difference(&shared).cloned().collect();
    assert!(own.is_disjoint(&direct), "{:?}", own.intersection(&direct));
    let whole = tree(&[]);
    assert!(!whole.contains("lanparty-fleet"));
    for never in NEVER {
        assert!(!whole.contains(never), "{never}");
        assert!(
            !tree(&["--features", "cluster-etcd"]).contains(never),
            "{never}"
        );
    }
}
