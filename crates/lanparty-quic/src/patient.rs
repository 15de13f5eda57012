//! BBRv3 that does not mistake a quiet player for a slow path.
//!
//! noq 1.4 paces a link by the rate at which it has seen data delivered. A game delivers a hundred
//! bytes every sixteen milliseconds, so after a few seconds BBR "knows" a path of 50 kbit/s, and one
//! datagram of a kilobyte then holds up the next five frames for 90 ms. A quiet link's rate says
//! nothing about its path. So rate and window have a floor; above it BBR is as it was.

use noq_proto::RttEstimator;
use noq_proto::congestion::{Bbr3Config, Controller, ControllerFactory, ControllerMetrics};
use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// 20 Mbit/s, in bytes per second: a full datagram every half millisecond. The window, not the pace,
/// keeps a narrower path from being flooded.
const PACING_FLOOR: u64 = 2_500_000;
/// Ten full packets, the initial window of RFC 9002 §7.2.
const WINDOW_FLOOR_PACKETS: u64 = 10;

/// Makes controllers for new links.
#[derive(Debug)]
pub(crate) struct PatientBbrConfig(Arc<Bbr3Config>);

impl PatientBbrConfig {
    pub(crate) fn new(bbr: Bbr3Config) -> Self {
        PatientBbrConfig(Arc::new(bbr))
    }
}

impl ControllerFactory for PatientBbrConfig {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        let window_floor = WINDOW_FLOOR_PACKETS * u64::from(mtu);
        Box::new(PatientBbr {
            bbr: self.0.clone().build(now, mtu),
            window_floor,
        })
    }
}

#[derive(Debug)]
struct PatientBbr {
    bbr: Box<dyn Controller>,
    window_floor: u64,
}

impl Controller for PatientBbr {
    fn window(&self) -> u64 {
        self.bbr.window().max(self.window_floor)
    }

    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = self.bbr.metrics();
        metrics.congestion_window = metrics.congestion_window.max(self.window_floor);
        metrics.pacing_rate = metrics.pacing_rate.map(|rate| rate.max(PACING_FLOOR));
        metrics
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(PatientBbr {
            bbr: self.bbr.clone_box(),
            window_floor: self.window_floor,
        })
    }

    fn on_sent(&mut self, now: Instant, bytes: u64, largest_pn: u64) {
        self.bbr.on_sent(now, bytes, largest_pn);
    }

    fn on_packet_sent(&mut self, now: Instant, bytes: u16, pn: u64) {
        self.bbr.on_packet_sent(now, bytes, pn);
    }

    fn on_cwnd_limited(&mut self) {
        self.bbr.on_cwnd_limited();
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        pn: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.bbr.on_ack(now, sent, bytes, pn, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.bbr
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        is_ecn: bool,
        lost_bytes: u64,
        largest_lost_pn: u64,
    ) {
        self.bbr.on_congestion_event(
            now,
            sent,
            is_persistent_congestion,
            is_ecn,
            lost_bytes,
            largest_lost_pn,
        );
    }

    fn on_packet_lost(&mut self, lost_bytes: u16, pn: u64, now: Instant) {
        self.bbr.on_packet_lost(lost_bytes, pn, now);
    }

    fn on_spurious_congestion_event(&mut self) {
        self.bbr.on_spurious_congestion_event();
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.window_floor = WINDOW_FLOOR_PACKETS * u64::from(new_mtu);
        self.bbr.on_mtu_update(new_mtu);
    }

    fn on_ack_frequency_update(&mut self, threshold: u64, max_ack_delay: Duration) {
        self.bbr.on_ack_frequency_update(threshold, max_ack_delay);
    }

    fn initial_window(&self) -> u64 {
        self.bbr.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self.bbr.into_any()
    }
}
