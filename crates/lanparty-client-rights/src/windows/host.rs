//! Being run by Windows' service manager.

use super::service::ordinary;
use crate::access::SERVICE;
use crate::host::{Ended, Manager, Standing, Stop, Tell};
use std::ffi::OsString;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use windows_service::define_windows_service;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{
    self, ServiceControlHandlerResult, ServiceStatusHandle,
};
use windows_service::service_dispatcher;

/// How long the service manager is asked to wait for what is under way.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the service does; the system calls back without an argument of ours.
static WORK: OnceLock<fn(Manager) -> Ended> = OnceLock::new();

define_windows_service!(entry, service_main);

/// Does `work` as the service; ends when that does.
///
/// # Errors
/// When this process was not started by the service manager, or what the system says.
pub fn be_service(work: fn(Manager) -> Ended) -> io::Result<()> {
    let _ = WORK.set(work);
    service_dispatcher::start(SERVICE, entry).map_err(ordinary)
}

fn service_main(_arguments: Vec<OsString>) {
    let stop = Stop::default();
    let asked = stop.clone();
    let hear = move |control| match control {
        // Before the system goes down there is time to undo everything while the network still is there.
        ServiceControl::Stop | ServiceControl::Preshutdown | ServiceControl::Shutdown => {
            asked.order();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    let (Ok(line), Some(work)) = (service_control_handler::register(SERVICE, hear), WORK.get())
    else {
        return;
    };
    line.tell(Standing::Starting);
    let manager = Manager {
        line: Arc::new(line),
        stop,
    };
    let ended = work(manager);
    if ended == Ended::Failed {
        // Without a last word, so that the service manager starts it anew.
        std::process::exit(1);
    }
    line.tell(Standing::Stopped(ended));
}

impl Tell for ServiceStatusHandle {
    fn tell(&self, standing: Standing) {
        // Nobody to complain to: the service manager itself does not listen.
        let _ = self.set_service_status(status(standing));
    }
}

fn status(standing: Standing) -> ServiceStatus {
    let (current_state, wait_hint) = match standing {
        Standing::Starting => (ServiceState::StartPending, PATIENCE),
        Standing::Running => (ServiceState::Running, Duration::ZERO),
        Standing::Stopping => (ServiceState::StopPending, PATIENCE),
        Standing::Stopped(_) => (ServiceState::Stopped, Duration::ZERO),
    };
    let controls_accepted = match standing {
        Standing::Running => ServiceControlAccept::STOP | ServiceControlAccept::PRESHUTDOWN,
        Standing::Starting | Standing::Stopping | Standing::Stopped(_) => {
            ServiceControlAccept::empty()
        }
    };
    let exit_code = match standing {
        Standing::Stopped(Ended::Unable | Ended::Failed) => ServiceExitCode::ServiceSpecific(1),
        _ => ServiceExitCode::NO_ERROR,
    };
    ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state,
        controls_accepted,
        exit_code,
        checkpoint: 0,
        wait_hint,
        process_id: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_running_service_takes_orders_and_only_one_that_could_not_begin_has_an_error() {
        let takes = |standing| status(standing).controls_accepted != ServiceControlAccept::empty();
        assert!(takes(Standing::Running) && !takes(Standing::Starting));
        let code = |ended| status(Standing::Stopped(ended)).exit_code;
        assert_eq!(code(Ended::Asked), ServiceExitCode::NO_ERROR);
        assert_eq!(code(Ended::Unable), ServiceExitCode::ServiceSpecific(1));
    }
}
