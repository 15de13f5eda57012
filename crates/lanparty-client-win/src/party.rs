//! What the party's adapter needs of Windows: cheap for broadcast, of no interest to anything else, and
//! among friends (spec R73).

use crate::change::Change;
use crate::journal::{Guard, Journal};
use lanparty_client_route::settings::name_server_list;
use lanparty_client_route::{self as ip, AdapterGuid, Category, Family, InterfaceSettings, Luid};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How soon a change that did not last is made again; after that ever more rarely, so that nobody is
/// fought with who is stronger, such as a company's policy.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// How rarely at the most.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The settings of the adapter while the party lasts; dropping this brings back those from before,
/// the last one first.
pub(crate) struct PartySettings {
    journal: Rc<Journal>,
    tried: Vec<Tried>,
    complaint: String,
}

/// A change that stands in the journal, whether it could be made or not.
struct Tried {
    change: Change,
    guard: Guard,
    was_made: bool,
    trouble: Option<String>,
    pause: Duration,
    due: Option<Instant>,
}

impl Tried {
    fn new(change: Change, guard: Guard) -> Self {
        Tried {
            change,
            guard,
            was_made: false,
            trouble: None,
            pause: FIRST_PAUSE,
            due: None,
        }
    }

    /// Makes the change for the first time, or repairs it.
    fn make(&mut self, journal: &Journal, now: Instant) -> io::Result<()> {
        self.due = Some(now + self.pause);
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        let made = journal.renew(&self.guard);
        self.trouble = made.as_ref().err().map(ToString::to_string);
        made?;
        match self.was_made {
            true => tracing::info!("Repaired: {}", self.change),
            false => tracing::info!("Changed: {}", self.change),
        }
        self.was_made = true;
        Ok(())
    }

    /// It has lasted, so the next repair need not wait.
    fn rest(&mut self) {
        self.pause = FIRST_PAUSE;
        self.due = None;
    }
}

impl PartySettings {
    pub(crate) fn new(journal: Rc<Journal>) -> Self {
        PartySettings {
            journal,
            tried: Vec::new(),
            complaint: String::new(),
        }
    }

    /// Makes changes that are wanted; one that has been made before was changed back by somebody, and
    /// is repaired.
    ///
    /// # Errors
    /// What the system says about the first that failed; the others are made.
    pub(crate) fn make(&mut self, wanted: Vec<Change>, now: Instant) -> io::Result<()> {
        let mut outcome = Ok(());
        for change in wanted {
            let made = self.make_one(change, now);
            outcome = outcome.and(made);
        }
        outcome
    }

    /// Makes what these parts of it want, unless it was tried a moment ago; a failure is logged when it
    /// is a new one.
    pub(crate) fn repair(
        &mut self,
        parts: impl IntoIterator<Item = io::Result<Vec<Change>>>,
        now: Instant,
    ) {
        let mut complaints = Vec::new();
        let mut wanted = Vec::new();
        for part in parts {
            match part {
                Ok(changes) => wanted.extend(changes),
                Err(error) => complaints.push(error.to_string()),
            }
        }
        // What could not be read may have lasted or not.
        if complaints.is_empty() {
            self.let_rest_but(&wanted);
        }
        for change in wanted {
            complaints.extend(self.make_when_due(change, now));
        }
        self.complain(complaints.join("; "));
    }

    fn let_rest_but(&mut self, wanted: &[Change]) {
        let lasts = |tried: &Tried| !wanted.iter().any(|want| want.has_goal_of(&tried.change));
        let lasting = self.tried.iter_mut().filter(|tried| lasts(tried));
        lasting.for_each(Tried::rest);
    }

    /// Answers with what went wrong, now or when it was tried last.
    fn make_when_due(&mut self, change: Change, now: Instant) -> Option<String> {
        let tried = self.find(&change).map(|at| &self.tried[at]);
        match tried.filter(|tried| tried.due.is_some_and(|due| now < due)) {
            Some(waiting) => waiting.trouble.clone(),
            None => {
                let made = self.make_one(change, now);
                made.err().map(|error| error.to_string())
            }
        }
    }

    fn complain(&mut self, complaint: String) {
        if !complaint.is_empty() && complaint != self.complaint {
            tracing::warn!("Could not set up the adapter entirely: {complaint}");
        }
        self.complaint = complaint;
    }

    fn make_one(&mut self, change: Change, now: Instant) -> io::Result<()> {
        let at = match self.find(&change) {
            Some(at) => at,
            None => {
                let guard = self.journal.write_down(change.clone())?;
                self.tried.push(Tried::new(change, guard));
                self.tried.len() - 1
            }
        };
        self.tried[at].make(&self.journal, now)
    }

    fn find(&self, change: &Change) -> Option<usize> {
        let is_it = |tried: &Tried| tried.change.has_goal_of(change);
        self.tried.iter().rposition(is_it)
    }
}

impl Drop for PartySettings {
    fn drop(&mut self) {
        while self.tried.pop().is_some() {}
    }
}

/// Metric, MTU and default routes, for each family that the adapter has.
pub(crate) fn interface(adapter: AdapterGuid, mtu: u16) -> io::Result<Vec<Change>> {
    let luid = ip::interface_luid(adapter)?;
    let mut wanted = Vec::new();
    for family in Family::ALL {
        let after = InterfaceSettings::for_party(family, mtu);
        if let Some(before) = ip::interface_settings(luid, family)?
            && before != after
        {
            wanted.push(Change::Interface {
                adapter,
                family,
                before,
                after,
            });
        }
    }
    Ok(wanted)
}

/// The adapter is the cheapest, so its DNS servers would be asked first. It gets those of the
/// connection to the internet.
pub(crate) fn name_servers(adapter: AdapterGuid, home: Option<Luid>) -> io::Result<Vec<Change>> {
    let Some(home) = home else {
        return Ok(Vec::new());
    };
    let servers: Vec<_> = Family::ALL
        .into_iter()
        .map(|family| Ok((family, ip::name_servers(home, family)?)))
        .collect::<io::Result<_>>()?;
    let has_any = servers.iter().any(|(_, servers)| !servers.is_empty());
    let mut wanted = Vec::new();
    for (family, servers) in servers {
        let before = ip::own_name_servers(adapter, family)?;
        if let Some(after) = servers_to_set(family, &servers, has_any, &before) {
            wanted.push(Change::NameServers {
                adapter,
                family,
                before,
                after,
            });
        }
    }
    Ok(wanted)
}

/// What to set where the connection to the internet has these servers of a family, `has_any` of whichever family, and
/// the adapter those `before`.
///
/// A list without IPv4 servers would bring DHCP's back. Where the home has servers for IPv6 only, this PC itself stands
/// there instead: nobody answers there, which is known at once, and then those for IPv6 are asked. A home without any
/// server changes nothing. Without IPv6 servers the list leaves none at all, because the adapter does not listen to routers.
fn servers_to_set(
    family: Family,
    servers: &[IpAddr],
    has_any: bool,
    before: &str,
) -> Option<String> {
    const NOBODY: &[IpAddr] = &[IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let wanted = match (family, servers) {
        (Family::V4, []) if has_any => NOBODY,
        (Family::V4, []) => return None,
        (Family::V4 | Family::V6, servers) => servers,
    };
    (name_server_list(before, family) != wanted).then(|| comma_separated(wanted))
}

/// Games must get through the firewall. A domain's network is its administrators' affair.
pub(crate) fn category(adapter: AdapterGuid) -> io::Result<Vec<Change>> {
    let public = ip::network(adapter)?.filter(|network| network.category == Category::Public);
    let change = public.map(|network| Change::Category {
        network: network.id,
        before: network.category,
        after: Category::Private,
    });
    Ok(change.into_iter().collect())
}

fn comma_separated(servers: &[IpAddr]) -> String {
    let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
    servers.join(",")
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests own the clock")]
mod tests {
    use super::*;
    use crate::fake_pc::Pc;

    const LOOK: Duration = Duration::from_secs(5);

    #[test]
    fn what_is_refused_is_written_down_once_and_tried_ever_more_rarely() {
        let pc = public_pc();
        pc.0.borrow_mut().refuses_categories = true;
        let mut settings = PartySettings::new(pc.journal());
        let begin = Instant::now();
        for look in 0..720 {
            settings.repair([Ok(vec![private()])], begin + look * LOOK);
        }
        assert_eq!(pc.0.borrow().saves, 1);
        assert!(settings.complaint.contains("permission denied"));
        drop(settings);
        assert_eq!(pc.disk(), "");
        assert_eq!(pc.state(), public_pc().state());
    }

    #[test]
    fn what_does_not_last_is_repaired_at_once_and_then_ever_more_rarely() {
        let pc = public_pc();
        let mut settings = PartySettings::new(pc.journal());
        let begin = Instant::now();
        let mut repairs = Vec::new();
        for look in 0..720 {
            settings.repair([Ok(vec![private()])], begin + look * LOOK);
            if pc.state().categories[&LAN] == Category::Private {
                repairs.push((look * LOOK).as_secs());
            }
            pc.0.borrow_mut()
                .state
                .categories
                .insert(LAN, Category::Public);
        }
        assert_eq!(repairs[..6], [0, 5, 15, 35, 75, 155]);
        assert_eq!(repairs.len(), 17);
        assert_eq!(pc.0.borrow().saves, 1);
    }

    #[test]
    fn what_has_lasted_is_repaired_at_once_when_somebody_changes_it() {
        let pc = public_pc();
        let mut settings = PartySettings::new(pc.journal());
        let begin = Instant::now();
        settings.repair([Ok(vec![private()])], begin);
        settings.repair([Ok(vec![])], begin + LOOK);
        pc.0.borrow_mut()
            .state
            .categories
            .insert(LAN, Category::Public);
        settings.repair([Ok(vec![private()])], begin + LOOK);
        assert_eq!(pc.state().categories[&LAN], Category::Private);
        drop(settings);
        assert_eq!(pc.state(), public_pc().state());
    }

    #[test]
    fn the_adapter_gets_the_servers_of_the_connection_to_the_internet() {
        let own: [IpAddr; 1] = ["192.168.1.1".parse().unwrap()];
        let set = |family, servers: &[IpAddr], before| {
            servers_to_set(family, servers, !servers.is_empty(), before)
        };
        assert_eq!(set(Family::V4, &own, ""), Some("192.168.1.1".into()));
        assert_eq!(set(Family::V4, &own, "192.168.1.1"), None);
        assert_eq!(set(Family::V4, &[], "10.0.0.1"), None);
        assert_eq!(set(Family::V6, &[], ""), None);
        assert_eq!(set(Family::V6, &[], "fd12::53"), Some(String::new()));
    }

    #[test]
    fn where_the_home_has_servers_for_ipv6_only_the_lans_are_not_asked_either() {
        let set = |before| servers_to_set(Family::V4, &[], true, before);
        assert_eq!(set(""), Some("127.0.0.1".into()));
        assert_eq!(set("127.0.0.1"), None);
    }

    const LAN: u128 = 7;

    fn public_pc() -> Pc {
        let pc = Pc::default();
        pc.0.borrow_mut()
            .state
            .categories
            .insert(LAN, Category::Public);
        pc
    }

    fn private() -> Change {
        Change::Category {
            network: LAN,
            before: Category::Public,
            after: Category::Private,
        }
    }
}
