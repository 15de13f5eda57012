//! What docs/errors.md says about rights, the adapter and its address on Linux.

use crate::address::InterfaceAddressError;
use crate::tap::{TapError, TapNameError};
use lanparty_told::{Chapter, told};
use std::io;

#[test]
fn the_page_explains_the_adapter_on_linux() {
    let name = || "lanparty0".parse().unwrap();
    let tap = told!(TapError {
        TapError::NoDevice = TapError::NoDevice => "The kernel's TUN module is not loaded, or the container was not given the device.", "Load it, or give the device.";
        TapError::NotPermitted(_) = TapError::NotPermitted("run this with sudo, or once `sudo setcap cap_net_admin+ep` on the program".into()) => "CAP_NET_ADMIN is missing. What helps depends on the machine, and the sentence says it: sudo or setcap; flags for a container; another place for a program on a file system mounted nosuid.", "What the sentence says.";
        TapError::DeviceClosed = TapError::DeviceClosed => "The device is root's alone.", "sudo, or open it.";
        TapError::DeviceBarred = TapError::DeviceBarred => "A container's rules for devices keep everybody out.", "Start the container with the device.";
        TapError::NameTaken(_) = TapError::NameTaken(name()) => "A client runs already, or another interface has that name.", "End it, or choose another name.";
        TapError::Other(..) = TapError::Other(name(), io::Error::from_raw_os_error(24)) => "The system refuses for the reason in brackets.", "What the reason says.";
    });
    let names = [
        told!(TapNameError { TapNameError = TapNameError => "--tap is written wrongly.", "A name like lanparty0."; }),
        told!(InterfaceAddressError { InterfaceAddressError = InterfaceAddressError => "--address lacks its prefix, or names a network, a group or nobody.", "An address like 192.168.50.7/24."; }),
    ];
    let told = [tap, names.concat()].concat();
    Chapter::new("linux").with(told).check();
}
