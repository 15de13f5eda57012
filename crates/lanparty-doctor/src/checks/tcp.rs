//! Does the relay take TCP, for networks that let no UDP through; and is a proxy in between?

use super::Check;
use crate::facts::{Pc, Tcp, TcpOutcome};
use crate::found::{Cure, Found};

pub(crate) const CHECK: Check = Check {
    id: "tcp",
    about: "The way to the relay by TCP",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    let Tcp { outcome, proxy } = pc.tcp()?;
    let through = match &proxy {
        Some(proxy) => format!(" through the proxy {proxy}"),
        None => String::new(),
    };
    let is_open = matches!(outcome, TcpOutcome::Open(_));
    if !is_open && proxy.is_none() && pc.paths().sights.is_empty() {
        // The relay is not there at all, or nothing leads to it: that is told already, with what helps.
        return None;
    }
    let matters = "that matters only in networks that let no UDP through";
    let ask_proxy = |what: &str, how_to: &str| {
        let proxy = proxy.as_deref().unwrap_or_default();
        Found::doubt(format!("The proxy {proxy} {what}, and {matters}."))
            .cured(Cure::by_hand(how_to))
    };
    Some(match outcome {
        TcpOutcome::Open(after) => Found::good(format!(
            "The relay takes TCP as well{through}, after {} ms: it is used where no UDP gets through.",
            after.as_millis().max(1)
        )),
        TcpOutcome::Silent => Found::good(format!(
            "The relay does not answer by TCP{through}; {matters}."
        )),
        TcpOutcome::Refused => Found::good(format!("The relay takes no TCP{through}; {matters}.")),
        TcpOutcome::NotARelay => Found::good(format!(
            "What answers by TCP{through} in the relay's place is no relay; {matters}."
        )),
        TcpOutcome::ProxyRefuses => ask_proxy(
            "does not let this computer through to the relay",
            "Ask whoever runs your network.",
        ),
        TcpOutcome::ProxyAsksWho => ask_proxy(
            "wants a name and a password",
            "Give them with --proxy http://NAME:PASSWORD@HOST:PORT, or in https_proxy.",
        ),
        TcpOutcome::ProxySilent => {
            ask_proxy("does not answer as a proxy", "Look at your proxy settings.")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePc;
    use lanparty_client_control::Mark;

    #[test]
    fn what_answers_by_tcp_is_told_apart_and_a_proxy_named() {
        let mut seen = std::collections::BTreeSet::new();
        let proxy = || Some("proxy.example.net:3128".to_owned());
        for (outcome, proxy, mark) in [
            (
                TcpOutcome::Open(std::time::Duration::from_millis(7)),
                None,
                Mark::Good,
            ),
            (
                TcpOutcome::Open(std::time::Duration::from_millis(7)),
                proxy(),
                Mark::Good,
            ),
            (TcpOutcome::Silent, None, Mark::Good),
            (TcpOutcome::Refused, None, Mark::Good),
            (TcpOutcome::NotARelay, None, Mark::Good),
            (TcpOutcome::ProxyRefuses, proxy(), Mark::Doubt),
            (TcpOutcome::ProxyAsksWho, proxy(), Mark::Doubt),
            (TcpOutcome::ProxySilent, proxy(), Mark::Doubt),
        ] {
            let mut pc = FakePc::linux();
            let has_proxy = proxy.is_some();
            pc.tcp = Some(Tcp { outcome, proxy });
            let row = look(&pc).unwrap().row(CHECK.id);
            assert_eq!(row.mark, mark, "{row:?}");
            assert_eq!(row.sentence.contains("proxy.example"), has_proxy, "{row:?}");
            seen.insert(row.sentence);
        }
        assert_eq!(seen.len(), 8);
        let mut pc = FakePc::linux();
        pc.tcp = None;
        assert_eq!(look(&pc), None);
        pc.tcp = Some(Tcp {
            outcome: TcpOutcome::Silent,
            proxy: None,
        });
        pc.paths.sights.clear();
        assert_eq!(look(&pc), None, "the relay is not there");
    }
}
