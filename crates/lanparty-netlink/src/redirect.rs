//! All that comes in at a device comes in at another interface instead (tc-u32(8), tc-mirred(8)).
//!
//! Nothing of the other interface is changed, and the filter vanishes with its device. A kernel needs `sch_ingress`,
//! `cls_u32` and `act_mirred` for it.

use crate::order;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage::{
    DelQueueDiscipline, NewQueueDiscipline, NewTrafficFilter,
};
use netlink_packet_route::tc::{
    TcAction, TcActionAttribute, TcActionMirrorOption, TcActionOption, TcActionType, TcAttribute,
    TcFilterU32Option, TcHandle, TcMessage, TcMirror, TcMirrorActionType, TcOption, TcU32Key,
    TcU32Selector, TcU32SelectorFlags,
};
use std::io;

/// The handle of the one place where a device has filters for what comes in (tc(8)).
const AT_INGRESS: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0,
};

/// Leads all that comes in at a device to an interface. The device has no filters yet.
///
/// # Errors
/// The kernel's; `ENOENT` when it has no such filters.
pub fn start(device: u32, to: u32) -> io::Result<()> {
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    order(NewQueueDiscipline(ingress(device)), flags)?;
    order(NewTrafficFilter(redirect(device, to)), flags)
}

/// Takes away every filter for what comes in at a device.
///
/// # Errors
/// The kernel's, also when there is none.
pub fn stop(device: u32) -> io::Result<()> {
    order(DelQueueDiscipline(ingress(device)), 0)
}

/// Where what comes in at the device is looked at.
fn ingress(device: u32) -> TcMessage {
    let mut message = traffic_control(device);
    message.header.parent = TcHandle::INGRESS;
    message.header.handle = AT_INGRESS;
    message.attributes = vec![TcAttribute::Kind("ingress".to_owned())];
    message
}

/// Every kernel that has any filter has u32.
fn redirect(device: u32, to: u32) -> TcMessage {
    const FIRST: u32 = 1;
    const EVERY_PROTOCOL: u16 = libc::ETH_P_ALL as u16;
    let mut target = TcMirror::default();
    target.generic.action = TcActionType::Stolen;
    target.eaction = TcMirrorActionType::IngressRedir;
    target.ifindex = to;
    let target = TcActionOption::Mirror(TcActionMirrorOption::Parms(target));
    let mut action = TcAction::default();
    action.attributes = vec![
        TcActionAttribute::Kind("mirred".to_owned()),
        TcActionAttribute::Options(vec![target]),
    ];
    // A key whose mask is zero is true of every frame.
    let mut all = TcU32Selector::default();
    all.flags = TcU32SelectorFlags::Terminal;
    all.nkeys = 1;
    all.keys = vec![TcU32Key::default()];
    let options = [
        TcFilterU32Option::Selector(all),
        TcFilterU32Option::Action(vec![action]),
    ];
    let mut message = traffic_control(device);
    message.header.parent = AT_INGRESS;
    message.header.info = FIRST << 16 | u32::from(EVERY_PROTOCOL.to_be());
    message.attributes = vec![
        TcAttribute::Kind("u32".to_owned()),
        TcAttribute::Options(options.map(TcOption::U32).into()),
    ];
    message
}

fn traffic_control(device: u32) -> TcMessage {
    let mut message = TcMessage::default();
    message.header.index = device.cast_signed();
    message
}
