//! What the party's adapter needs of Windows: cheap for broadcast, of no interest to anything else, and
//! among friends (spec R73).

use crate::change::Change;
use crate::journal::{Guard, Journal};
use lanparty_client_route::settings::name_server_list;
use lanparty_client_route::{self as ip, AdapterGuid, Category, Family, InterfaceSettings, Luid};
use std::io;
use std::net::IpAddr;
use std::rc::Rc;

/// The settings of the adapter while the party lasts; dropping this brings back those from before,
/// the last one first.
pub(crate) struct PartySettings {
    journal: Rc<Journal>,
    made: Vec<(Change, Guard)>,
    complaint: String,
}

impl PartySettings {
    pub(crate) fn new(journal: Rc<Journal>) -> Self {
        PartySettings {
            journal,
            made: Vec::new(),
            complaint: String::new(),
        }
    }

    /// Makes changes that are wanted; one that has been made before was changed back by somebody, and
    /// is repaired.
    ///
    /// # Errors
    /// What the system says about the first that failed; the others are made.
    pub(crate) fn make(&mut self, wanted: Vec<Change>) -> io::Result<()> {
        let mut outcome = Ok(());
        for change in wanted {
            let made = self.make_one(change);
            outcome = outcome.and(made);
        }
        outcome
    }

    /// Makes what these parts of it want; a failure is logged when it is a new one.
    pub(crate) fn repair(&mut self, parts: impl IntoIterator<Item = io::Result<Vec<Change>>>) {
        let mut complaints = Vec::new();
        for part in parts {
            if let Err(error) = part.and_then(|changes| self.make(changes)) {
                complaints.push(error.to_string());
            }
        }
        let complaint = complaints.join("; ");
        if !complaint.is_empty() && complaint != self.complaint {
            tracing::warn!("Could not set up the adapter entirely: {complaint}");
        }
        self.complaint = complaint;
    }

    fn make_one(&mut self, change: Change) -> io::Result<()> {
        let made = self
            .made
            .iter()
            .rfind(|(made, _)| made.has_goal_of(&change));
        if let Some((_, guard)) = made {
            self.journal.renew(guard)?;
            tracing::info!("Repaired: {change}");
            return Ok(());
        }
        let guard = self.journal.make(change.clone())?;
        self.made.push((change, guard));
        Ok(())
    }
}

impl Drop for PartySettings {
    fn drop(&mut self) {
        while self.made.pop().is_some() {}
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
    let mut wanted = Vec::new();
    for family in Family::ALL {
        let servers = ip::name_servers(home, family)?;
        let before = ip::own_name_servers(adapter, family)?;
        if !servers.is_empty() && name_server_list(&before, family) != servers {
            wanted.push(Change::NameServers {
                adapter,
                family,
                before,
                after: comma_separated(&servers),
            });
        }
    }
    Ok(wanted)
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
