//! Throughput by iperf3.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::Machine;

/// What iperf3 shall send.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// As much TCP as goes, for so many seconds.
    Tcp {
        /// Duration.
        seconds: u32,
    },
    /// The same by CUBIC, whatever the system's own choice is.
    Cubic {
        /// Duration.
        seconds: u32,
    },
    /// A fixed amount of TCP payload.
    TcpBytes(u64),
    /// UDP of a given rate and payload size, for so many seconds.
    Udp {
        /// Duration.
        seconds: u32,
        /// Bits per second.
        rate: u64,
        /// Payload bytes per datagram.
        payload: usize,
    },
}

/// What iperf3 found at the receiver.
#[derive(Clone, Debug)]
pub struct IperfReport {
    /// Payload bytes received.
    pub bytes: u64,
    /// Payload bits per second.
    pub bits_per_second: f64,
    /// Part of the UDP datagrams that got lost, 0 to 1.
    pub lost: f64,
    /// Payload bits that left the sender in each second.
    pub seconds: Vec<f64>,
}

/// Sends from one machine to `address` of another.
pub fn iperf(from: &Machine, to: &Machine, address: IpAddr, load: Load) -> Result<IperfReport> {
    let address = address.to_string();
    let server = to.spawn(
        "iperf3",
        [
            "iperf3",
            "--server",
            "--one-off",
            "--forceflush",
            "--bind",
            &address,
        ],
    )?;
    server.wait_for_line("Server listening", Duration::from_secs(5))?;
    let mut command: Vec<String> = [
        "iperf3",
        "--json",
        "--connect-timeout",
        "5000",
        "--client",
        &address,
    ]
    .map(Into::into)
    .into();
    command.extend(arguments(load));
    let report: Value =
        serde_json::from_str(&from.run(command)?).context("read iperf3's report")?;
    parse(&report).with_context(|| format!("iperf3 reported no result: {report}"))
}

fn arguments(load: Load) -> Vec<String> {
    match load {
        Load::Tcp { seconds } => vec![format!("--time={seconds}")],
        Load::Cubic { seconds } => {
            vec![format!("--time={seconds}"), "--congestion=cubic".to_owned()]
        }
        Load::TcpBytes(bytes) => vec![format!("--bytes={bytes}")],
        Load::Udp {
            seconds,
            rate,
            payload,
        } => {
            vec![
                "--udp".into(),
                format!("--time={seconds}"),
                format!("--bitrate={rate}"),
                format!("--length={payload}"),
            ]
        }
    }
}

fn parse(report: &Value) -> Option<IperfReport> {
    let end = report.get("end")?;
    // UDP has one sum for both ends; its loss is what the receiver told.
    let sum = end.get("sum_received").or_else(|| end.get("sum"))?;
    let second = |interval: &Value| interval.get("sum")?.get("bits_per_second")?.as_f64();
    let seconds = report.get("intervals").and_then(Value::as_array);
    Some(IperfReport {
        bytes: sum.get("bytes")?.as_u64()?,
        bits_per_second: sum.get("bits_per_second")?.as_f64()?,
        lost: sum
            .get("lost_percent")
            .and_then(Value::as_f64)
            .unwrap_or(0.0)
            / 100.0,
        seconds: seconds.into_iter().flatten().filter_map(second).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_receiver_got() {
        let tcp = r#"{"end":{"sum_sent":{"bytes":9,"bits_per_second":9},"sum_received":{"bytes":8,"bits_per_second":64.5}}}"#;
        let report = parse(&serde_json::from_str(tcp).unwrap()).unwrap();
        assert_eq!((report.bytes, report.bits_per_second), (8, 64.5));
        assert!(report.seconds.is_empty());
        let tcp = tcp.replacen(
            '{',
            r#"{"intervals":[{"sum":{"bits_per_second":7.5}},{"sum":{"bits_per_second":3}}],"#,
            1,
        );
        let report = parse(&serde_json::from_str(&tcp).unwrap()).unwrap();
        assert_eq!(report.seconds, [7.5, 3.0]);
        let udp = r#"{"end":{"sum":{"bytes":8,"bits_per_second":64.0,"lost_percent":25}}}"#;
        assert_eq!(
            parse(&serde_json::from_str(udp).unwrap()).unwrap().lost,
            0.25
        );
    }
}
