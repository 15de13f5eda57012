#![allow(clippy::disallowed_methods, reason = "tests own threads and processes")]

use super::*;
use crate::link::Link;
use crate::privilege;
use lanparty_proto::{IpMtu, MacAddr};
use rustix::thread::UnshareFlags;
use std::net::IpAddr;

#[test]
fn names_are_what_the_kernel_takes() {
    for name in ["lanparty0", "a", "tap-1.2_3", "123456789012345"] {
        assert_eq!(name.parse::<TapName>().unwrap().as_str(), name);
    }
    for bad in [
        "",
        "1234567890123456",
        "a b",
        "tap%d",
        "a/b",
        "a:1",
        "..",
        "all",
        "default",
    ] {
        assert!(bad.parse::<TapName>().is_err(), "{bad}");
    }
}

#[test]
fn frames_cross_a_tap_both_ways_and_it_dies_with_its_descriptor() {
    in_a_network_of_its_own(async {
        let mut tap = Tap::create(&name()).unwrap();
        let link = Link::find("tap9").unwrap();
        link.set_mac("02:00:00:00:00:07".parse().unwrap()).unwrap();
        link.set_mtu(IpMtu::MIN).unwrap();
        link.distrust_routers().unwrap();
        link.set_up().unwrap();
        link.attract_group_traffic().unwrap();
        link.add_address("192.168.50.7/24".parse().unwrap())
            .unwrap();
        let lan: IpAddr = "192.168.50.7".parse().unwrap();
        assert!(link.addresses().unwrap().contains(&lan));

        // The answer to a question for its address carries the MAC that was set.
        tap.try_send(&arp_request()).unwrap();
        let reply = next_frame(&mut tap, |frame| frame[12..14] == [0x08, 0x06]).await;
        assert_eq!(reply[6..12], [2, 0, 0, 0, 0, 7]);
        assert_eq!(reply[0..6], [2, 0, 0, 0, 0, 9]);

        drop(tap);
        assert_eq!(
            Link::find("tap9").unwrap_err().raw_os_error(),
            Some(libc::ENODEV)
        );
    });
}

#[test]
fn limited_broadcast_leaves_through_the_tap() {
    in_a_network_of_its_own(async {
        let mut tap = Tap::create(&name()).unwrap();
        let link = Link::find("tap9").unwrap();
        link.set_up().unwrap();
        link.attract_group_traffic().unwrap();
        link.add_address("192.168.50.7/24".parse().unwrap())
            .unwrap();
        let game = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        game.set_broadcast(true).unwrap();
        game.send_to(b"anybody?", "255.255.255.255:27960").unwrap();
        let question = next_frame(&mut tap, |frame| frame.ends_with(b"anybody?")).await;
        assert_eq!(question[0..6], MacAddr::BROADCAST.octets());
    });
}

#[test]
fn a_name_that_is_taken_is_refused() {
    in_a_network_of_its_own(async {
        let _first = Tap::create(&name()).unwrap();
        assert!(matches!(Tap::create(&name()), Err(TapError::NameTaken(_))));
        assert!(matches!(
            Tap::create(&"lo".parse().unwrap()),
            Err(TapError::NameTaken(_))
        ));
    });
}

#[test]
fn an_adapter_that_is_removed_is_noticed() {
    in_a_network_of_its_own(async {
        let tap = Tap::create(&name()).unwrap();
        let removed = std::process::Command::new("ip")
            .args(["link", "delete", "tap9"])
            .status();
        assert!(removed.unwrap().success());
        assert!(tap.readable().await.is_err());
    });
}

fn name() -> TapName {
    "tap9".parse().unwrap()
}

async fn next_frame(tap: &mut Tap, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    loop {
        tap.readable().await.unwrap();
        let mut found = None;
        let mut take = |frame: Result<FrameBuf, DropReason>| {
            let frame = frame.unwrap().frame().to_vec();
            if wanted(&frame) {
                found = Some(frame);
            }
        };
        tap.try_recv(&mut take).unwrap();
        if let Some(frame) = found {
            return frame;
        }
    }
}

/// Runs a test as root in an empty network namespace, which disappears with the test's thread.
fn in_a_network_of_its_own(test: impl Future<Output = ()> + Send + 'static) {
    if privilege::check(false).is_err() {
        eprintln!("skipped: only root may make TAP adapters");
        return;
    }
    let run = || {
        #[allow(unsafe_code, reason = "the safe wrapper is deprecated")]
        // SAFETY: only this thread's network becomes another; its descriptors stay what they were.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let test = async { tokio::time::timeout(std::time::Duration::from_secs(10), test).await };
        runtime.block_on(test).expect("the test took too long");
    };
    std::thread::spawn(run).join().unwrap();
}

fn arp_request() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 9]);
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    frame.extend([
        2, 0, 0, 0, 0, 9, 192, 168, 50, 1, 0, 0, 0, 0, 0, 0, 192, 168, 50, 7,
    ]);
    frame
}
