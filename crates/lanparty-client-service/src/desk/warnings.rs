//! What is wrong though the session goes on.

use super::{Desk, Stage};
use lanparty_client_control::{Fix, FixOffer, Warning};
use lanparty_obs::way::OVER_TCP;
use lanparty_obs::{Opening, PlayerStatus};
use std::time::{Duration, Instant};

/// How long a LAN may take to give an address. Its DHCP server may look for the address first.
/// Where there is none the adapter has given itself an address by then.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(15);
/// How long before its end an invite is named, in seconds.
const EXPIRES_SOON: u64 = 2 * 60 * 60;

impl Desk {
    pub(super) fn warnings(&self, now: Instant, today: u64) -> Vec<Warning> {
        let session = match self.stage {
            Stage::Running { .. } => vec![
                self.no_lan_address(now),
                self.no_dhcp_server(),
                self.adapter_away(),
                self.hindered(),
                self.same_network(),
                self.same_address(),
                self.strange_gateway(),
                self.over_tcp(),
                self.expires_soon(today),
            ],
            Stage::Idle | Stage::Stopping(_) | Stage::Waiting { .. } | Stage::Failed(_) => vec![],
        };
        let all = session.into_iter().chain([self.not_kept()]);
        all.flatten().collect()
    }

    fn no_lan_address(&self, now: Instant) -> Option<Warning> {
        let since = self.progress.homeless_since?;
        let is_late = now.saturating_duration_since(since) >= ADDRESS_PATIENCE;
        let lacks = match self.progress.ipv6_address() {
            None => "no address",
            Some(_) => "only an IPv6 address, which most games do not use",
        };
        is_late.then(|| Warning {
            id: "no_lan_address".to_owned(),
            sentence: format!(
                "The party's LAN gives {lacks}; ask the host whether it has a DHCP server."
            ),
            fix: Some(renew_address()),
        })
    }

    fn no_dhcp_server(&self) -> Option<Warning> {
        let address = self.progress.self_assigned()?;
        Some(Warning {
            id: "no_dhcp_server".to_owned(),
            sentence: format!(
                "No DHCP server on the LAN gives an address that this PC can use; your adapter has given itself {address}, \
                 which reaches others who have done the same."
            ),
            fix: Some(renew_address()),
        })
    }

    fn adapter_away(&self) -> Option<Warning> {
        let status = &self.progress.news.as_ref()?.status;
        let is_away = matches!(
            status,
            PlayerStatus::AdapterAway | PlayerStatus::AdapterDown { .. }
        );
        is_away.then(|| Warning {
            id: "adapter_away".to_owned(),
            sentence: match status {
                PlayerStatus::AdapterDown { adapter } => format!(
                    "Somebody has set the network adapter {adapter} down; set it up again, or leave the party and join anew."
                ),
                status => status.to_string(),
            },
            fix: Some(FixOffer {
                fix: Fix::ResetAdapter,
                label: "Set it up again".to_owned(),
                changes:
                    "Leaves the party, sets the party's network adapter up anew, and joins again."
                        .to_owned(),
                asks_admin: false,
            }),
        })
    }

    fn hindered(&self) -> Option<Warning> {
        let facts = self.progress.facts()?;
        Some(Warning {
            fix: facts.opening.map(let_party_through),
            ..plain("hindered", facts.notice.clone()?)
        })
    }

    /// That home has addresses of the party's too: nobody need do anything.
    fn same_network(&self) -> Option<Warning> {
        let noticed = self.progress.facts()?.overlap.first()?;
        Some(plain("same_network", noticed.clone()))
    }

    /// What collides, and is the home's.
    fn same_address(&self) -> Option<Warning> {
        let doubles = self.progress.facts()?.overlap.get(1..)?;
        (!doubles.is_empty()).then(|| plain("same_address", doubles.join(" ")))
    }

    fn strange_gateway(&self) -> Option<Warning> {
        let status = &self.progress.news.as_ref()?.status;
        let is_strange = matches!(status, PlayerStatus::StrangeGateway { .. });
        is_strange.then(|| plain("strange_gateway", status.to_string()))
    }

    fn over_tcp(&self) -> Option<Warning> {
        let way = self.progress.facts()?.ways.way;
        way.is_over_tcp()
            .then(|| plain("over_tcp", OVER_TCP.to_owned()))
    }

    fn expires_soon(&self, today: u64) -> Option<Warning> {
        let left = self.wanted.as_ref()?.invite.expires?.saturating_sub(today);
        (left < EXPIRES_SOON).then(|| {
            let sentence = match left / 60 {
                0 => "The invite's time is over: whoever leaves cannot come back; ask the host for a new one.".to_owned(),
                minutes => format!(
                    "The invite ends in {minutes} minutes: whoever leaves then cannot come back; ask the host for a new one."
                ),
            };
            plain("invite_ends", sentence)
        })
    }

    fn not_kept(&self) -> Option<Warning> {
        let cause = self.not_kept.as_ref()?;
        Some(plain(
            "not_kept",
            format!(
                "The disk does not keep your rooms ({cause}): they are forgotten when the service ends; make room on it."
            ),
        ))
    }
}

fn renew_address() -> FixOffer {
    FixOffer {
        fix: Fix::RenewAddress,
        label: "Get an address".to_owned(),
        changes: "Asks the party's LAN for an address again; your own network stays as it is."
            .to_owned(),
        asks_admin: false,
    }
}

fn let_party_through(opening: Opening) -> FixOffer {
    FixOffer {
        fix: Fix::LetPartyThrough,
        label: "Let the party through".to_owned(),
        changes: match opening {
            Opening::Here => {
                "The firewall gets a rule for the party's adapter, which goes when you leave."
            }
            Opening::ByAdmin => "The firewall's own program lets the party's adapter through.",
        }
        .to_owned(),
        asks_admin: opening == Opening::ByAdmin,
    }
}

fn plain(id: &str, sentence: String) -> Warning {
    Warning {
        id: id.to_owned(),
        sentence,
        fix: None,
    }
}
