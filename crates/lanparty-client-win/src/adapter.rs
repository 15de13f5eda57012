//! Getting hold of the adapter: finding it or making one, giving it its MAC address, opening it.

use crate::change::Change;
use crate::journal::{Guard, Journal};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use lanparty_client_route::{self as ip, AdapterGuid, Luid};
use lanparty_client_tap::adapter::OWN_NAME;
use lanparty_client_tap::{self as tap, Adapter, ChooseError, Tap, TapError};
use lanparty_proto::{MacAddr, VirtualMac};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long an adapter may take to appear, or to come back after its restart.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often one that is not there yet is looked for.
const LOOK: Duration = Duration::from_millis(250);

/// Takes the adapter to use; makes one where there is none, which goes away with the guard.
pub(crate) async fn find_or_make(
    journal: &Rc<Journal>,
    wanted: Option<AdapterGuid>,
) -> Result<(Option<Guard>, Adapter)> {
    let adapters = tap::installed().context("cannot read the installed adapters")?;
    match tap::choose(&adapters, wanted) {
        Err(ChooseError::None) if wanted.is_none() => {
            let made = journal.make(Change::Adapter);
            let guard = made.map_err(|error| {
                anyhow!(
                    "there is no TAP-Windows6 adapter on this PC and none could be made ({error}); \
                     install the TAP-Windows driver (tap0901) and start again"
                )
            })?;
            Ok((Some(guard), made_one().await?))
        }
        chosen => Ok((None, chosen?.clone())),
    }
}

/// Windows takes a moment to enter a new adapter everywhere.
async fn made_one() -> Result<Adapter> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let adapters = tap::installed().context("cannot read the installed adapters")?;
        let own = adapters.into_iter().find(Adapter::is_own);
        let is_late = Instant::now() >= deadline;
        match own {
            Some(adapter) if adapter.name.is_some() || is_late => {
                if let Err(error) = tap::rename(&adapter, OWN_NAME) {
                    tracing::debug!(%error, "The adapter keeps the name that Windows gave it");
                }
                return Ok(adapter);
            }
            _ if is_late => bail!(
                "Windows has made a TAP-Windows6 adapter that does not appear; start the PC anew"
            ),
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Opens the adapter, its cable out, with the MAC address that it should have.
pub(crate) async fn open_with_mac(
    journal: &Rc<Journal>,
    adapter: &Adapter,
    mac: VirtualMac,
) -> Result<(Option<Guard>, Tap)> {
    let tap = Tap::open(adapter)?;
    if tap.control().mac() == Some(mac.addr()) {
        return Ok((None, tap));
    }
    tap.close();
    let change = Change::Mac {
        adapter: adapter.guid,
        before: tap::mac_value(adapter).context("cannot read the adapter's MAC address")?,
        after: Some(tap::driver::mac_value(mac)),
    };
    let guard = journal
        .make(change)
        .context("cannot give the adapter your MAC address")?;
    let tap = open_patiently(adapter).await?;
    check_mac(tap.control().mac(), mac)?;
    Ok((Some(guard), tap))
}

/// Some drivers, and some policies, keep an adapter's own MAC address whatever the registry says.
fn check_mac(now: Option<MacAddr>, wanted: VirtualMac) -> Result<()> {
    ensure!(
        now == Some(wanted.addr()),
        "the adapter did not take the MAC address {wanted}; start the PC anew, or choose another \
         adapter with --tap-instance-id"
    );
    Ok(())
}

/// A restarted adapter takes a moment.
async fn open_patiently(adapter: &Adapter) -> Result<Tap, TapError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Tap::open(adapter) {
            Err(TapError::NotThere(_)) if Instant::now() < deadline => {
                tokio::time::sleep(LOOK).await;
            }
            opened => return opened,
        }
    }
}

/// The network interface that Windows makes of the adapter.
pub(crate) async fn interface(adapter: &Adapter) -> Result<Luid> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ip::interface_luid(adapter.guid) {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(LOOK).await,
            found => {
                return found.context("Windows does not know the adapter as a network interface");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_that_did_not_take_is_told_with_what_to_do() {
        let wanted = VirtualMac::from_random([2; 6]);
        assert!(check_mac(Some(wanted.addr()), wanted).is_ok());
        for now in [None, Some(MacAddr::new([0, 0xff, 1, 2, 3, 4]))] {
            let sentence = check_mac(now, wanted).unwrap_err().to_string();
            assert!(
                sentence.contains("did not take the MAC address"),
                "{sentence}"
            );
            assert!(sentence.contains("--tap-instance-id"), "{sentence}");
        }
    }
}
