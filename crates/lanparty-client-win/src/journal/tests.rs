use super::*;
use crate::fake_pc::{Pc, State};
use lanparty_client_route::{
    AdapterGuid, Category, Family, InterfaceSettings, Luid, Metric, Route, RouterDiscovery,
};
use proptest::prelude::*;

const TAP: AdapterGuid = AdapterGuid::from_u128(7);

#[test]
fn a_guard_undoes_its_change() {
    let pc = Pc::default();
    let journal = pc.journal();
    let guard = journal.make(route("203.0.113.7")).unwrap();
    assert_eq!(pc.state().routes.len(), 1);
    assert!(pc.disk().contains("203.0.113.7"));
    drop(guard);
    assert_eq!(pc.state(), State::default());
    assert_eq!(pc.disk(), "");
}

#[test]
fn nothing_is_changed_that_could_not_be_written_down() {
    let pc = Pc::default();
    let journal = pc.journal();
    pc.0.borrow_mut().disk_is_full = true;
    assert!(journal.make(route("203.0.113.7")).is_err());
    assert_eq!(pc.state(), State::default());
    assert!(journal.standing().is_empty());
}

#[test]
fn a_route_that_could_not_be_added_is_not_removed() {
    let pc = Pc::default();
    let theirs = pc.journal().make(route("203.0.113.7")).unwrap();
    std::mem::forget(theirs);
    pc.0.borrow_mut().disk.clear();
    assert!(pc.journal().make(route("203.0.113.7")).is_err());
    assert_eq!(pc.state().routes.len(), 1);
    assert_eq!(pc.disk(), "");
}

#[test]
fn what_was_changed_back_is_renewed_and_still_undone() {
    let pc = Pc::default();
    let journal = pc.journal();
    let guard = journal.make(metric(Metric::Automatic, 1)).unwrap();
    pc.0.borrow_mut().state.interfaces.clear();
    journal.renew(&guard).unwrap();
    assert_eq!(pc.state().interfaces.len(), 1);
    drop(guard);
    assert_eq!(pc.state().interfaces[&Family::V4].metric, Metric::Automatic);
}

#[test]
fn an_mtu_that_the_driver_does_not_take_any_more_keeps_nothing_else_from_being_undone() {
    let pc = Pc::default();
    let journal = pc.journal();
    let guard = journal.make(metric(Metric::Automatic, 1)).unwrap();
    let before = pc.state().interfaces[&Family::V4];
    let small = before.mtu - 100;
    pc.0.borrow_mut().greatest_mtu = Some(small);
    let mut present = before;
    present.mtu = small;
    pc.0.borrow_mut()
        .state
        .interfaces
        .insert(Family::V4, present);
    drop(guard);
    let after = pc.state().interfaces[&Family::V4];
    assert_eq!((after.metric, after.mtu), (Metric::Automatic, small));
    assert_eq!(pc.disk(), "");
}

#[test]
fn settings_that_are_refused_once_are_put_back_whole_by_the_next_start() {
    let pc = Pc::default();
    let guard = pc.journal().make(metric(Metric::Automatic, 1)).unwrap();
    let mut present = pc.state().interfaces[&Family::V4];
    present.mtu -= 100;
    pc.0.borrow_mut()
        .state
        .interfaces
        .insert(Family::V4, present);
    pc.0.borrow_mut().refuses_settings_once = true;
    drop(guard);
    assert_ne!(pc.disk(), "");
    assert_eq!(pc.journal().repair(), 1);
    let after = pc.state().interfaces[&Family::V4];
    assert_eq!(
        (after.metric, after.mtu),
        (Metric::Automatic, present.mtu + 100)
    );
    assert_eq!(pc.disk(), "");
}

#[test]
fn what_cannot_be_undone_now_is_undone_by_the_next_start() {
    let pc = Pc::default();
    let guard = pc.journal().make(route("203.0.113.7")).unwrap();
    pc.0.borrow_mut().steps_left = Some(0);
    drop(guard);
    assert_eq!(pc.state().routes.len(), 1);
    pc.0.borrow_mut().steps_left = None;
    assert_eq!(pc.journal().repair(), 1);
    assert_eq!(pc.state(), State::default());
    assert_eq!(pc.disk(), "");
}

#[test]
fn a_damaged_journal_is_not_overwritten() {
    let pc = Pc::default();
    pc.0.borrow_mut().disk = "[{".to_owned();
    let opened = Journal::open(Box::new(pc.clone()), Box::new(pc.clone()));
    assert!(opened.is_err());
    assert_eq!(pc.disk(), "[{");
}

/// As the first version wrote it, word for word.
#[test]
fn what_an_older_version_left_is_undone() {
    let pc = Pc::default();
    pc.0.borrow_mut().disk = concat!(
        r#"[{"Mac":{"adapter":"{00000003-0000-0000-0000-4E6574446576}","before":null,"after":"021A00000001"}},"#,
        r#"{"Route":{"destination":"10.9.1.1","prefix_len":32,"interface":1688849893818368,"#,
        r#""next_hop":"10.9.11.254","metric":0}},"#,
        r#"{"Interface":{"adapter":"{00000003-0000-0000-0000-4E6574446576}","family":"V4","#,
        r#""before":{"metric":"Automatic","mtu":1500,"ignores_default_routes":false},"#,
        r#""after":{"metric":{"Fixed":1},"mtu":1290,"ignores_default_routes":true}}},"#,
        r#"{"NameServers":{"adapter":"{00000003-0000-0000-0000-4E6574446576}","family":"V4","#,
        r#""before":"","after":"192.0.2.53"}},"#,
        r#"{"Category":{"network":7,"before":"Public","after":"Private"}}]"#
    )
    .to_owned();
    assert_eq!(pc.journal().repair(), 5);
    let undone = pc.state();
    assert_eq!(undone.interfaces[&Family::V4].mtu, 1500);
    // It did not touch this, so nobody knows what was there.
    let routers = undone.interfaces[&Family::V4].routers;
    assert_eq!(routers, RouterDiscovery::Unknown);
    assert_eq!(pc.disk(), "");
}

proptest! {
    /// A story of changes that is killed, or fails, after any number of steps, and is repaired by the
    /// next start, leaves the PC as it was.
    #[test]
    fn a_run_that_ends_anywhere_leaves_no_trace(
        story in prop::collection::vec(any_change(), 0..12),
        steps in 0usize..30,
        is_killed: bool,
    ) {
        let pc = Pc::default();
        pc.0.borrow_mut().state = State::of(&story);
        let before = pc.state();

        let journal = pc.journal();
        pc.0.borrow_mut().steps_left = Some(steps);
        let mut guards = Vec::new();
        for change in pc.fitting(story) {
            match journal.make(change) {
                Ok(guard) => guards.push(guard),
                Err(_) => break,
            }
        }
        if is_killed {
            guards.into_iter().for_each(std::mem::forget);
        } else {
            while guards.pop().is_some() {}
        }
        pc.0.borrow_mut().steps_left = None;
        pc.journal().repair();
        prop_assert_eq!(pc.state(), before);
        prop_assert_eq!(pc.disk(), "");
    }
}

fn route(destination: &str) -> Change {
    Change::Route(Route {
        destination: destination.parse().unwrap(),
        prefix_len: 32,
        interface: Luid(2),
        next_hop: "192.168.1.1".parse().unwrap(),
        metric: 0,
    })
}

fn lan_route(metric: u32) -> Route {
    Route {
        destination: "192.168.1.0".parse().unwrap(),
        prefix_len: 24,
        interface: Luid(1),
        next_hop: "0.0.0.0".parse().unwrap(),
        metric,
    }
}

fn metric(before: Metric, after: u32) -> Change {
    let settings = |metric| InterfaceSettings {
        metric,
        mtu: 1500,
        ignores_default_routes: false,
        routers: RouterDiscovery::Enabled,
    };
    Change::Interface {
        adapter: TAP,
        family: Family::V4,
        before: settings(before),
        after: settings(Metric::Fixed(after)),
    }
}

fn any_change() -> impl Strategy<Value = Change> {
    let mac = || proptest::option::of("[0-9A-F]{12}");
    let family = || prop::sample::select(&Family::ALL[..]);
    let settings = || {
        let metric = prop_oneof![Just(Metric::Automatic), (1u32..99).prop_map(Metric::Fixed)];
        let routers = (0..3).prop_map(RouterDiscovery::from_number);
        (metric, 1280u32..1501, any::<bool>(), routers).prop_map(
            |(metric, mtu, ignores_default_routes, routers)| InterfaceSettings {
                metric,
                mtu,
                ignores_default_routes,
                routers,
            },
        )
    };
    let category =
        || prop::sample::select(&[Category::Public, Category::Private, Category::Domain][..]);
    prop_oneof![
        Just(Change::Adapter),
        (mac(), mac()).prop_map(|(before, after)| Change::Mac {
            adapter: TAP,
            before,
            after
        }),
        (1u8..6).prop_map(|host| route(&format!("203.0.113.{host}"))),
        (1u32..9).prop_map(|before| Change::NoRoute(lan_route(before))),
        (1u32..9, 10u32..99).prop_map(|(before, after)| Change::RouteMetric {
            before: lan_route(before),
            after
        }),
        (family(), settings(), settings()).prop_map(|(family, before, after)| Change::Interface {
            adapter: TAP,
            family,
            before,
            after
        }),
        (family(), "[0-9.,]{0,20}", "[0-9.,]{0,20}").prop_map(|(family, before, after)| {
            Change::NameServers {
                adapter: TAP,
                family,
                before,
                after,
            }
        }),
        (any::<u128>(), category(), category()).prop_map(|(network, before, after)| {
            Change::Category {
                network,
                before,
                after,
            }
        }),
    ]
}
