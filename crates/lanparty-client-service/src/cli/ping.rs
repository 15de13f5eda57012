//! `ping`.

use super::{Code, DoorArgs, Outcome, Trouble, say};
use clap::Args;
use lanparty_client_control::connection::DoorError;
use lanparty_client_control::{Member, Snapshot, State, Way, ms};

/// To whom, and how often.
#[derive(Debug, Clone, Args)]
pub struct PingArgs {
    /// Somebody in the room, by name or MAC address, as `status` shows them [default: the party's LAN].
    #[arg(value_name = "NAME")]
    who: Option<String>,

    /// How often.
    #[arg(short = 'c', long, value_name = "N", default_value_t = 4)]
    count: u32,

    #[command(flatten)]
    door: DoorArgs,
}

pub(super) fn run(args: &PingArgs) -> Outcome {
    let (mut said, mut last_ms) = (0, None);
    for snapshot in args.door.watch()? {
        let snapshot = snapshot?;
        if snapshot.state == State::NotConnected {
            return Err(Trouble::not_connected(
                "you are in no party; join one first",
            ));
        }
        // Between the seconds there are snapshots because something else is new.
        let second = snapshot.ping.minute.len() as u64 + snapshot.state_ms / 1000;
        if last_ms == Some(second) {
            continue;
        }
        last_ms = Some(second);
        say(sentence(&snapshot, args.who.as_deref())?)?;
        said += 1;
        if said >= args.count {
            return Ok(Code::Done);
        }
    }
    Err(DoorError::NotRunning.into())
}

/// One measurement.
pub(super) fn sentence(snapshot: &Snapshot, who: Option<&str>) -> Result<String, Trouble> {
    let Some((whole, own)) = snapshot.ping.us.zip(snapshot.ping_to_relay()) else {
        return Ok(format!("no answer ({})", snapshot.state));
    };
    let gateway = snapshot.members.iter().find(|member| member.is_gateway);
    let beyond = gateway.and_then(|gateway| gateway.ping_us);
    let Some(who) = who else {
        let way = way(snapshot.way);
        if let (Some(Way::Direct), Some(relay)) = (snapshot.way, snapshot.relay.rtt_us) {
            return Ok(format!(
                "the LAN {way}: {} ({} by the relay)",
                ms(whole),
                ms(relay)
            ));
        }
        return Ok(match beyond {
            Some(beyond) => format!(
                "the LAN {way}: {} ({} to the relay, {} from there)",
                ms(whole),
                ms(own),
                ms(beyond)
            ),
            None => format!("the relay: {}", ms(own)),
        });
    };
    let member = find(&snapshot.members, who)?;
    let (name, way) = (super::show::name(member), way(member.way));
    Ok(match member.ping_us.zip(snapshot.ping_to(member)) {
        Some((us, whole)) => format!(
            "{name} {way}: {} ({} to the relay, {} from there)",
            ms(whole),
            ms(own),
            ms(us)
        ),
        None => format!("{name}: not known; the relay says nothing of it"),
    })
}

pub(super) fn find<'a>(members: &'a [Member], who: &str) -> Result<&'a Member, Trouble> {
    let is_it = |text: Option<&str>| text.is_some_and(|text| text.eq_ignore_ascii_case(who));
    let is_called = |member: &&Member| {
        let name = member.name.as_deref().map(str::to_lowercase);
        name == Some(who.to_lowercase()) || is_it(member.mac.as_deref())
    };
    let found = members.iter().find(is_called);
    found.ok_or_else(|| {
        Trouble::failed(format!(
            "nobody in the room is called {who}; `status` says who is here"
        ))
    })
}

fn way(way: Option<Way>) -> &'static str {
    match way {
        Some(Way::Relay) => "by the relay",
        Some(Way::RelayOverTcp) => "by the relay, over TCP",
        Some(Way::Direct) => "directly",
        Some(Way::Here) => "by the host's own relay",
        Some(Way::HereOverTcp) => "by the host's own relay, over TCP",
        Some(Way::Other) | None => "by some way",
    }
}
