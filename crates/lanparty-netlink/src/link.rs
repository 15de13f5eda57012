//! What more than one program asks of an interface, and sets on one.

use crate::{ask, order};
use netlink_packet_route::RouteNetlinkMessage::{GetLink, NewLink, SetLink};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, LinkFlags, LinkMessage,
};
use std::io;

/// What the kernel says about the interface with this name; `None` when it is nothing that can be read.
///
/// # Errors
/// The kernel's; `ENODEV` when there is none.
pub fn named(name: &str) -> io::Result<Option<LinkMessage>> {
    let mut question = LinkMessage::default();
    question.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    match ask(GetLink(question))? {
        Some(NewLink(link)) => Ok(Some(link)),
        _ => Ok(None),
    }
}

/// A message about the interface with this number.
pub fn message(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

/// Sets one thing on an interface.
///
/// # Errors
/// The kernel's.
pub fn set(index: u32, attribute: LinkAttribute) -> io::Result<()> {
    let mut message = message(index);
    message.attributes = vec![attribute];
    order(SetLink(message), 0)
}

/// Sets an interface up.
///
/// # Errors
/// The kernel's.
pub fn set_up(index: u32) -> io::Result<()> {
    let mut message = message(index);
    message.header.flags |= LinkFlags::Up;
    message.header.change_mask |= LinkFlags::Up;
    order(SetLink(message), 0)
}

/// The kernel makes up no IPv6 address for an interface from now on.
///
/// # Errors
/// The kernel's; not every kernel has IPv6.
pub fn make_up_no_address(index: u32) -> io::Result<()> {
    let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    let none = AfSpecUnspec::Inet6(vec![none]);
    set(index, LinkAttribute::AfSpecUnspec(vec![none]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_known_by_its_name() {
        let loopback = named("lo").unwrap().unwrap();
        let answer = ask(GetLink(message(loopback.header.index))).unwrap();
        let Some(NewLink(again)) = answer else {
            panic!("{answer:?}");
        };
        let name = LinkAttribute::IfName("lo".to_owned());
        assert!(again.attributes.contains(&name));
    }

    #[test]
    fn one_that_does_not_exist_is_an_error() {
        let error = named("lanparty-none").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }
}
