//! What docs/errors.md says of the router.

use crate::plan::WhyShut;
use lanparty_told::{Chapter, told};

#[test]
fn the_page_explains_why_a_router_opens_nothing() {
    let router = told!(WhyShut {
        WhyShut::Silent = WhyShut::Silent => "The router does not speak that protocol, or drops the question.", "Nothing, where another protocol works; else allow PCP or UPnP in the router.";
        WhyShut::Absent = WhyShut::Absent => "Nobody speaks that protocol there, or it is switched off.", "The same.";
        WhyShut::Refused = WhyShut::Refused => "The router's settings forbid it to this machine or for this port.", "Allow it there, or forward the port by hand.";
        WhyShut::Taken = WhyShut::Taken => "Somebody else at home has the port, and the next ones too.", "Another port with --listen, or take the old forward out of the router.";
        WhyShut::Full = WhyShut::Full => "The router's list is full.", "Take something out of it, or start the router anew.";
        WhyShut::NoAddress = WhyShut::NoAddress => "It is offline, or stands behind another router or a provider's.", "Forward the port in both routers, ask the provider for a public address, or use a relay.";
        WhyShut::ForEverOnly = WhyShut::ForEverOnly => "It said that it opens ports for ever, and then not that either.", "Forward the port by hand.";
        WhyShut::WrongTime = WhyShut::WrongTime => "The router's UPnP is of its own kind.", "Forward the port by hand.";
        WhyShut::Strange = WhyShut::Strange => "The answer is none of that protocol.", "Update the router, or forward the port by hand.";
        WhyShut::Unsent = WhyShut::Unsent => "A firewall here, or no network.", "Let this machine speak to its router.";
    });
    Chapter::new("router").with(router).check();
}
