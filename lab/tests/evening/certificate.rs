//! A certificate of the relay's operator, and another one for the same key.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lanparty_lab::{Party, PartyBuilder};
use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;

const CERTIFICATE: &str = "operator.pem";
const KEY: &str = "operator-key.pem";
const SOON: Duration = Duration::from_secs(5);

/// The relay uses files of its operator's.
pub(crate) fn of_an_operator(builder: PartyBuilder) -> Result<PartyBuilder> {
    let key = KeyPair::generate()?;
    Ok(builder
        .file(KEY, key.serialize_pem())
        .file(CERTIFICATE, signed_by_itself(&key)?)
        .relay_flags(&["--cert", CERTIFICATE, "--key", KEY]))
}

/// Old links stay, newcomers are shown the new one.
pub(crate) fn is_renewed(party: &mut Party) -> Result<Instant> {
    let lab = &party.venue.lab;
    let key = fs::read_to_string(lab.folder().join(KEY)).context("read the operator's key")?;
    lab.write(CERTIFICATE, &signed_by_itself(&KeyPair::from_pem(&key)?)?)?;
    let mark = party.relay.mark();
    party.relay.signal(Signal::HUP)?;
    party
        .relay
        .wait_for_line_after(mark, "Took the new certificate", SOON)?;
    Ok(Instant::now())
}

/// Signatures are random, so no two are alike.
fn signed_by_itself(key: &KeyPair) -> Result<String> {
    let params = CertificateParams::new(["lanparty-relay".to_owned()])?;
    Ok(params.self_signed(key)?.pem())
}
