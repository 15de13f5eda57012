//! How much is on the path at a time: whoever decides that.

use crate::patient::PatientBbrConfig;
use lanparty_flow::Congestion;
use lanparty_flow::gate::Gate;
use lanparty_obs::link::{CongestionStats, Controller as Name, Phase};
use noq_proto::congestion::{
    Bbr3Config, Controller, ControllerFactory, ControllerMetrics, Cubic, CubicConfig,
};
use noq_proto::{Connection, PathId, RttEstimator};
use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Packets that may leave before the first answer, so that a game's first second is not slow start.
const INITIAL_WINDOW_PACKETS: u64 = 64;
/// What may be on the path beside what the gate lets pass, in bytes: small flows and control messages.
const BESIDE_THE_GATE: u64 = 64 * 1024;
/// A window for which noq does not pace; its pacer's smallest burst would be ten packets.
const UNPACED: u64 = u32::MAX as u64 + 1;

/// Makes controllers for links with packets of so many bytes.
pub(crate) fn factory(choice: Congestion, packet: u16) -> Arc<dyn ControllerFactory + Send + Sync> {
    let initial_window = INITIAL_WINDOW_PACKETS * u64::from(packet);
    match choice {
        Congestion::Gate => Arc::new(GateFactory),
        Congestion::Bbr3 => {
            let mut bbr = Bbr3Config::default();
            bbr.initial_window(initial_window);
            Arc::new(PatientBbrConfig::new(bbr))
        }
        Congestion::Cubic => {
            let mut cubic = CubicConfig::default();
            cubic.initial_window(initial_window);
            Arc::new(cubic)
        }
    }
}

/// What a gate lets pass now.
pub(crate) struct Allowance {
    /// Bytes of flows that send all they can.
    pub(crate) room: u64,
    /// How fast, in bytes a second.
    pub(crate) pace: u64,
}

/// What the connection's gate lets pass; `None` when it has none, and noq decides itself.
pub(crate) fn allowance(quic: &Connection) -> Option<Allowance> {
    let metrics = quic.congestion_state(PathId::ZERO)?.metrics();
    (metrics.congestion_window == UNPACED).then(|| Allowance {
        room: metrics.ssthresh.unwrap_or(0),
        pace: metrics.bandwidth_estimate.unwrap_or(u64::MAX),
    })
}

/// What the connection's controller knows, for people.
pub(crate) fn stats(quic: &Connection) -> CongestionStats {
    let us = |time: Duration| time.as_micros() as u64;
    let rtt_us = quic.rtt(PathId::ZERO).map_or(0, us);
    let Some(controller) = quic.congestion_state(PathId::ZERO) else {
        return CongestionStats::default();
    };
    let window_bytes = controller.metrics().congestion_window;
    let any = controller.clone_box().into_any();
    let Some(Gated(gate)) = any.downcast_ref() else {
        return CongestionStats {
            controller: match any.is::<Cubic>() {
                true => Name::Cubic,
                false => Name::Bbr3,
            },
            window_bytes,
            rtt_us,
            ..CongestionStats::default()
        };
    };
    let gate = gate.state();
    CongestionStats {
        controller: Name::Gate,
        phase: Some(phase(gate.mode)),
        window_bytes: gate.window,
        rtt_us,
        base_rtt_us: Some(us(gate.base)),
        path_queue_us: Some(us(gate.queue)),
    }
}

fn phase(name: &str) -> Phase {
    match name {
        "start" => Phase::Start,
        "steady" => Phase::Steady,
        "drain" => Phase::Drain,
        "compete" => Phase::Compete,
        _ => Phase::Other,
    }
}

#[derive(Debug)]
struct GateFactory;

impl ControllerFactory for GateFactory {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(Gated(Gate::new(now, mtu)))
    }
}

/// A gate, told by noq what happens to packets. noq itself is hardly held back: who feeds it asks for the
/// [`allowance`].
#[derive(Debug, Clone)]
struct Gated(Gate);

impl Controller for Gated {
    fn window(&self) -> u64 {
        self.0.window() + BESIDE_THE_GATE
    }

    // noq has no better place for what a controller wants to say to whoever knows it.
    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = ControllerMetrics::default();
        metrics.congestion_window = UNPACED;
        metrics.ssthresh = Some(self.0.room());
        metrics.bandwidth_estimate = self.0.pace();
        metrics
    }

    fn on_packet_sent(&mut self, _now: Instant, bytes: u16, _pn: u64) {
        self.0.on_sent(bytes.into());
    }

    fn on_ack(
        &mut self,
        _now: Instant,
        sent: Instant,
        bytes: u64,
        _pn: u64,
        _app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.0.on_ack(sent, bytes, rtt.get());
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        _app_limited: bool,
        _largest_packet_num_acked: Option<u64>,
    ) {
        let before = self.0.mode_name();
        self.0.on_end_acks(now, in_flight);
        if before != self.0.mode_name() {
            tracing::debug!(before, gate = ?self.0.state(), "The gate behaves in another way");
        }
    }

    fn on_congestion_event(
        &mut self,
        _now: Instant,
        _sent: Instant,
        is_persistent_congestion: bool,
        is_ecn: bool,
        _lost_bytes: u64,
        _largest_lost_pn: u64,
    ) {
        if is_persistent_congestion {
            self.0.on_outage();
        } else if is_ecn {
            self.0.on_mark();
        }
    }

    fn on_packet_lost(&mut self, lost_bytes: u16, _pn: u64, _now: Instant) {
        self.0.on_lost(lost_bytes.into());
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.0.set_packet(new_mtu);
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
