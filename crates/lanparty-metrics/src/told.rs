//! What docs/errors.md says of metrics.

use crate::{MetricsAddress, MetricsError, NoMetricsAddress};
use lanparty_told::{Chapter, told};
use std::io;

#[test]
fn the_page_explains_why_there_are_no_metrics() {
    let at = |text: &str| -> MetricsAddress { text.parse().unwrap() };
    let errors = told!(MetricsError {
        MetricsError::InUse(_) = MetricsError::InUse(at("127.0.0.1:9464")) => "Another relay, gateway or exporter serves there. A relay does not start then; a gateway goes on without metrics.", "Another port.";
        MetricsError::Bind(..) = MetricsError::Bind(at("192.0.2.1:9464"), io::Error::from_raw_os_error(99)) => "The system does not give this address.", "One that `ip address` shows, or 127.0.0.1.";
        MetricsError::Thread(_) = MetricsError::Thread(io::Error::from_raw_os_error(11)) => "The system has no thread or descriptor to give.", "Start it again.";
    });
    let address = told!(NoMetricsAddress { NoMetricsAddress = NoMetricsAddress => "--metrics or its key has another text.", "An address and a port."; });
    Chapter::new("metrics").with(address).with(errors).check();
}
