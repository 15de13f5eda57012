//! Which of a machine's interfaces has the party's LAN.

use lanparty_dhcp::probe::Offer;
use std::fmt::Write as _;

/// An interface as it looks to somebody who seeks the LAN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    /// Why it can carry no party, in a sentence.
    pub(crate) fault: Option<String>,
    /// Whether a cable leads out of the machine there, and not to a program on it.
    pub(crate) has_cable: bool,
    /// Whether this machine's way to the internet is there.
    pub(crate) leads_out: bool,
    /// This machine's own address there.
    pub(crate) address: Option<String>,
    /// The DHCP servers that answered, once it was asked.
    pub(crate) servers: Option<Vec<Offer>>,
    /// Whether this machine may itself be the LAN's DHCP server.
    pub(crate) serves: bool,
}

/// What a choice comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice<'a> {
    /// There is one that will do.
    One(&'a Seen),
    /// A person must say; the likeliest stands first.
    Several(Vec<&'a Seen>),
    /// None will do.
    None,
}

impl Seen {
    fn is_usable(&self) -> bool {
        self.fault.is_none()
    }

    fn has_server(&self) -> bool {
        self.serves
            || self
                .servers
                .as_ref()
                .is_some_and(|servers| !servers.is_empty())
    }

    /// One that is likelier to have the party's LAN has more of this.
    fn merit(&self) -> u8 {
        match (self.leads_out, self.has_server()) {
            (false, true) => 3,
            (false, false) => 2,
            (true, true) => 1,
            (true, false) => 0,
        }
    }

    /// What speaks for it and against it, without its name.
    pub(crate) fn remark(&self) -> String {
        if let Some(fault) = &self.fault {
            let name = format!("{} ", self.name);
            return fault.strip_prefix(&name).unwrap_or(fault).to_owned();
        }
        let mut remark = match &self.servers {
            _ if self.serves => "this machine seems to be its DHCP server".to_owned(),
            None => "a cable is in".to_owned(),
            Some(servers) if servers.is_empty() => "no DHCP server answers".to_owned(),
            Some(servers) => answers(servers),
        };
        if self.leads_out {
            let _ = write!(remark, "; this machine's way to the internet is here");
        }
        remark
    }
}

fn answers(servers: &[Offer]) -> String {
    let mut names: Vec<String> = Vec::new();
    for offer in servers {
        let name = offer
            .server
            .map_or_else(|| "one without a name".to_owned(), |ip| ip.to_string());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match &names[..] {
        [one] => format!("a DHCP server answers ({one})"),
        several => format!(
            "{} DHCP servers answer ({}): a LAN should have one",
            several.len(),
            several.join(", ")
        ),
    }
}

/// Sets aside what programs on this machine have made, where there is a real cable too.
pub(crate) fn set_aside_made_up(seen: &mut [Seen]) {
    if !seen.iter().any(|one| one.has_cable && one.is_usable()) {
        return;
    }
    for one in seen
        .iter_mut()
        .filter(|one| !one.has_cable && one.is_usable())
    {
        one.fault = Some(format!(
            "{} is made by a program on this machine (a container's, a virtual machine's or a VPN's), and no cable leads out there",
            one.name
        ));
    }
}

/// Which interface has the party's LAN, as far as that can be told.
pub(crate) fn choose(seen: &[Seen]) -> Choice<'_> {
    let mut usable: Vec<_> = seen.iter().filter(|one| one.is_usable()).collect();
    // Stable, so that those of one merit stay in their order.
    usable.sort_by_key(|one| std::cmp::Reverse(one.merit()));
    match usable[..] {
        [] => Choice::None,
        [one] => Choice::One(one),
        [best, second, ..] if best.merit() == 3 && second.merit() < 3 => Choice::One(best),
        [best, ref rest @ ..]
            if rest.iter().all(|one| one.leads_out && !one.has_server()) && !best.leads_out =>
        {
            Choice::One(best)
        }
        _ => Choice::Several(usable),
    }
}

/// Why the others do not do, each in a line.
pub(crate) fn others(seen: &[Seen], but: &str) -> String {
    let others = seen.iter().filter(|one| one.name != but);
    let mut lines = String::new();
    for one in others {
        let _ = write!(lines, "\n  {}: {}", one.name, one.remark());
    }
    lines
}

/// What a host should think about who has chosen this interface, if anything.
pub(crate) fn doubt(seen: &[Seen], chosen: &str) -> Option<String> {
    let chosen = seen.iter().find(|one| one.name == chosen)?;
    let mut better = seen
        .iter()
        .filter(|one| one.is_usable() && !one.leads_out && one.name != chosen.name);
    let better = better.next().filter(|_| chosen.leads_out)?;
    Some(format!(
        "{} has this machine's way to the internet, and {} has a cable too: if the party is there, start again with --interface {}.",
        chosen.name, better.name, better.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cable(name: &str) -> Seen {
        Seen {
            name: name.to_owned(),
            has_cable: true,
            servers: Some(Vec::new()),
            ..Seen::default()
        }
    }

    fn served(name: &str) -> Seen {
        let offer = |server: [u8; 4]| Offer {
            server: Some(server.into()),
            address: [192, 168, 50, 7].into(),
        };
        Seen {
            servers: Some(vec![offer([192, 168, 50, 53]), offer([192, 168, 50, 53])]),
            ..cable(name)
        }
    }

    fn uplink(seen: Seen) -> Seen {
        Seen {
            leads_out: true,
            ..seen
        }
    }

    fn faulty(name: &str, fault: &str) -> Seen {
        Seen {
            fault: Some(format!("{name} {fault}")),
            servers: None,
            ..cable(name)
        }
    }

    #[test]
    fn the_lan_is_where_a_dhcp_server_answers_and_the_internet_is_not() {
        for (seen, expected) in [
            (vec![], Ok(None)),
            (vec![faulty("wlan0", "is wireless")], Ok(None)),
            (vec![cable("eth0")], Ok(Some("eth0"))),
            (vec![uplink(served("eth0"))], Ok(Some("eth0"))),
            (
                vec![uplink(served("eth0")), served("eth1")],
                Ok(Some("eth1")),
            ),
            (
                vec![served("eth1"), cable("eth2"), uplink(cable("eth0"))],
                Ok(Some("eth1")),
            ),
            (vec![uplink(cable("eth0")), cable("eth1")], Ok(Some("eth1"))),
            (
                vec![faulty("eth1", "has no carrier"), uplink(served("eth0"))],
                Ok(Some("eth0")),
            ),
            // Somebody must say: is the LAN without a server yet, or is it the home's?
            (
                vec![uplink(served("eth0")), cable("eth1")],
                Err(["eth1", "eth0"]),
            ),
            (vec![served("eth1"), served("eth2")], Err(["eth1", "eth2"])),
            (vec![cable("eth1"), cable("eth2")], Err(["eth1", "eth2"])),
            (
                vec![uplink(cable("eth0")), uplink(served("eth1"))],
                Err(["eth1", "eth0"]),
            ),
        ] {
            let chosen = match choose(&seen) {
                Choice::One(one) => Ok(Some(&*one.name)),
                Choice::None => Ok(None),
                Choice::Several(several) => Err([&*several[0].name, &*several[1].name]),
            };
            assert_eq!(chosen, expected, "{seen:?}");
        }
    }

    #[test]
    fn what_programs_have_made_is_set_aside_where_there_is_a_cable() {
        let made = |name| Seen {
            has_cable: false,
            ..served(name)
        };
        let mut seen = [made("docker0"), cable("eth0")];
        set_aside_made_up(&mut seen);
        assert!(
            seen[0].remark().starts_with("is made by a program"),
            "{}",
            seen[0].remark()
        );
        assert!(matches!(choose(&seen), Choice::One(one) if one.name == "eth0"));
        // In a container there is nothing else.
        let mut seen = [made("eth0"), faulty("eth1", "has no carrier")];
        set_aside_made_up(&mut seen);
        assert!(matches!(choose(&seen), Choice::One(one) if one.name == "eth0"));
    }

    #[test]
    fn each_is_told_with_what_speaks_for_it_and_against_it() {
        let several = Seen {
            servers: Some(vec![
                Offer {
                    server: Some([10, 0, 0, 1].into()),
                    address: [10, 0, 0, 9].into(),
                },
                Offer {
                    server: Some([10, 0, 0, 2].into()),
                    address: [10, 0, 0, 9].into(),
                },
            ]),
            ..cable("eth3")
        };
        let this = Seen {
            serves: true,
            ..cable("eth4")
        };
        let fault = faulty("wlan0", "is wireless, and so on");
        let unasked = Seen {
            servers: None,
            ..cable("eth5")
        };
        for (seen, says) in [
            (served("eth1"), "a DHCP server answers (192.168.50.53)"),
            (cable("eth2"), "no DHCP server answers"),
            (
                several,
                "2 DHCP servers answer (10.0.0.1, 10.0.0.2): a LAN should have one",
            ),
            (this, "this machine seems to be its DHCP server"),
            (unasked, "a cable is in"),
            (fault, "is wireless, and so on"),
            (
                uplink(served("eth0")),
                "a DHCP server answers (192.168.50.53); this machine's way to the internet is here",
            ),
        ] {
            assert_eq!(seen.remark(), says);
        }
    }

    #[test]
    fn the_cable_to_the_internet_is_questioned_where_there_is_another() {
        let seen = [uplink(cable("eth0")), cable("eth1")];
        let doubt_of = |chosen| doubt(&seen, chosen);
        assert!(doubt_of("eth0").unwrap().contains("--interface eth1"));
        assert_eq!(doubt_of("eth1"), None);
        assert_eq!(doubt(&seen[..1], "eth0"), None, "the same cable will do");
        assert_eq!(
            doubt(&[uplink(cable("eth0")), faulty("eth1", "is down")], "eth0"),
            None
        );
    }
}
