//! The installed service, as its views see it.
#![allow(
    unsafe_code,
    reason = "two calls of the service manager have no safe wrapper"
)]

use super::check;
use super::descriptor::Descriptor;
use crate::access::{OF_SERVICE, SERVICE};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::thread;
use std::time::{Duration, Instant};
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl,
    ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceState,
    ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_sys::Win32::Security::DACL_SECURITY_INFORMATION;
use windows_sys::Win32::System::Services::{
    ChangeServiceConfigW, SERVICE_NO_CHANGE, SetServiceObjectSecurity,
};

/// What people read in Windows' list of services.
const DISPLAY_NAME: &str = "LAN party client";
const DESCRIPTION: &str = "Joins LAN parties from afar for whoever uses this PC, and undoes at the end what that changes. \
     Part of softlan-vpn.";
/// How long a service may take to end: it gives an address back and undoes its changes.
const LONGEST_END: Duration = Duration::from_secs(40);
/// How often its end is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// The number of the service's process; nothing while it does not run.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] where it is not installed; else what the system says.
pub fn service_process() -> io::Result<Option<u32>> {
    let service = open(ServiceAccess::QUERY_STATUS)?;
    Ok(service.query_status().map_err(ordinary)?.process_id)
}

/// Starts the service; it may take a moment until it listens.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] where it is not installed, [`io::ErrorKind::PermissionDenied`] where this user may not;
/// else what the system says. That it runs already is none.
pub fn start_service() -> io::Result<()> {
    const ERROR_SERVICE_ALREADY_RUNNING: i32 = 1056;
    let service = open(ServiceAccess::START)?;
    match service.start::<&OsStr>(&[]).map_err(ordinary) {
        Err(error) if error.raw_os_error() == Some(ERROR_SERVICE_ALREADY_RUNNING) => Ok(()),
        started => started,
    }
}

/// Stops the service, waits until it has undone what it changed, and answers whether it ran.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] when it does not end; [`io::ErrorKind::PermissionDenied`] for whoever is no
/// administrator; else what the system says. That none is installed is no error.
pub fn stop_service() -> io::Result<bool> {
    let service = match open(ServiceAccess::QUERY_STATUS | ServiceAccess::STOP) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    let state = |service: &Service| {
        let status = service.query_status().map_err(ordinary);
        status.map(|status| status.current_state)
    };
    if state(&service)? == ServiceState::Stopped {
        return Ok(false);
    }
    // One that is about to end takes no orders, and ends.
    let asked = service.stop().map_err(ordinary);
    let deadline = Instant::now() + LONGEST_END;
    while state(&service)? != ServiceState::Stopped {
        if Instant::now() >= deadline {
            return Err(asked.err().unwrap_or(io::ErrorKind::TimedOut.into()));
        }
        thread::sleep(LOOK);
    }
    Ok(true)
}

/// Registers a program as the service, or another one than before: started when somebody asks for it, started anew when
/// it dies.
///
/// # Errors
/// What the system says.
pub fn install_service(program: &Path, arguments: &[&str]) -> io::Result<()> {
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = ServiceManager::local_computer(None::<&str>, access).map_err(ordinary)?;
    let wanted = ServiceInfo {
        name: SERVICE.into(),
        display_name: DISPLAY_NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::OnDemand,
        error_control: ServiceErrorControl::Normal,
        executable_path: program.to_owned(),
        launch_arguments: arguments.iter().map(OsString::from).collect(),
        dependencies: Vec::new(),
        account_name: None,
        account_password: None,
    };
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START | ServiceAccess::WRITE_DAC;
    let service = match open(access) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            manager.create_service(&wanted, access).map_err(ordinary)?
        }
        opened => {
            let service = opened?;
            service.change_config(&wanted).map_err(ordinary)?;
            service
        }
    };
    service.set_description(DESCRIPTION).map_err(ordinary)?;
    let again = |seconds| ServiceAction {
        action_type: ServiceActionType::Restart,
        delay: Duration::from_secs(seconds),
    };
    service
        .update_failure_actions(ServiceFailureActions {
            reset_period: ServiceFailureResetPeriod::After(Duration::from_secs(3600)),
            reboot_msg: None,
            command: None,
            actions: Some(vec![again(1), again(5), again(60)]),
        })
        .map_err(ordinary)?;
    protect(&service)
}

/// Whether the service begins with Windows, or when somebody asks for it.
///
/// # Errors
/// What the system says.
pub fn start_service_with_windows(yes: bool) -> io::Result<()> {
    let service = open(ServiceAccess::CHANGE_CONFIG | ServiceAccess::QUERY_CONFIG)?;
    let start_type = match yes {
        true => ServiceStartType::AutoStart,
        false => ServiceStartType::OnDemand,
    };
    let present = service.query_config().map_err(ordinary)?;
    if present.start_type == start_type {
        return Ok(());
    }
    set_start_type(&service, start_type)?;
    match yes {
        // What Windows needs itself comes first.
        true => service.set_delayed_auto_start(false).map_err(ordinary),
        false => Ok(()),
    }
}

/// Stops the service and takes it away.
///
/// # Errors
/// As [`stop_service`].
pub fn remove_service() -> io::Result<()> {
    stop_service()?;
    match open(ServiceAccess::DELETE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened?.delete().map_err(ordinary),
    }
}

/// Everything but this stays as it is.
fn set_start_type(service: &Service, start_type: ServiceStartType) -> io::Result<()> {
    // SAFETY: a service's handle that is open; without texts nothing else is changed.
    check(unsafe {
        ChangeServiceConfigW(
            service.raw_handle(),
            SERVICE_NO_CHANGE,
            start_type.to_raw(),
            SERVICE_NO_CHANGE,
            null(),
            null(),
            null_mut(),
            null(),
            null(),
            null(),
            null(),
        )
    })
}

/// Lets everybody at this PC start the service, and only administrators do more.
fn protect(service: &Service) -> io::Result<()> {
    let list = Descriptor::parse(OF_SERVICE)?;
    // SAFETY: a service's handle that is open, and a valid descriptor.
    check(unsafe {
        SetServiceObjectSecurity(
            service.raw_handle(),
            DACL_SECURITY_INFORMATION,
            list.as_ptr(),
        )
    })
}

fn open(access: ServiceAccess) -> io::Result<Service> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT);
    let service = manager.and_then(|manager| manager.open_service(SERVICE, access));
    service.map_err(|error| {
        const ERROR_SERVICE_DOES_NOT_EXIST: i32 = 1060;
        let error = ordinary(error);
        match error.raw_os_error() {
            Some(ERROR_SERVICE_DOES_NOT_EXIST) => io::ErrorKind::NotFound.into(),
            _ => error,
        }
    })
}

pub(super) fn ordinary(error: windows_service::Error) -> io::Error {
    match error {
        windows_service::Error::Winapi(error) => error,
        other => io::Error::other(other),
    }
}
