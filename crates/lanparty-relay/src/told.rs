//! What docs/errors.md says to operators.

use crate::config::limits::OutOfRange;
use crate::config::{ArgsError, FileError, FleetArgsError};
use crate::server::{DevCertError, HandoverError, SocketGone, SourceError, StartError, TcpError};
use lanparty_quic::tls::IdentityError;
use lanparty_told::{Chapter, told};
use std::io;

fn missing() -> io::Error {
    io::Error::from_raw_os_error(2)
}

#[test]
fn the_page_explains_the_relays_settings() {
    let file = || "relay.toml".into();
    let settings = told!(FileError {
        FileError::Unreadable { .. } = FileError::Unreadable { file: file(), error: missing() } => "The file behind --config cannot be opened.", "Name one that is there.";
        FileError::NotToml { .. } = FileError::NotToml { file: file(), line: 3, problem: "key with no value, expected `=`".into() } => "That line is no TOML.", "KEY = VALUE, texts in quotes.";
        FileError::UnknownKey { .. } = FileError::UnknownKey { file: file(), line: 3, key: "max-romms".into(), nearest: Some("max-rooms".into()), program: "lanparty-relay".into() } => "No flag is called like that.", "Correct the spelling.";
        FileError::Half { .. } = FileError::Half { file: file(), line: 3, key: "cert".into(), missing: "key".into() } => "A certificate needs its key.", "Add the other one.";
        FileError::BadValue { .. } = FileError::BadValue { file: file(), line: 3, key: "max-rooms".into(), value: "many".into(), problem: OutOfRange { least: 1, most: u32::MAX.into() }.to_string() } => "The flag of that name would refuse the value.", "A value as the end of the sentence says.";
    });
    let range = told!(OutOfRange { OutOfRange { .. } = OutOfRange { least: 1, most: u32::MAX.into() } => "The same by flag, behind its name.", "A number in that range."; });
    let _ = told!(ArgsError {} elsewhere ArgsError::Usage(_), ArgsError::File(_), ArgsError::Access(_), ArgsError::Fleet(_));
    let fleet = told!(FleetArgsError {
        FleetArgsError::NotBuilt = FleetArgsError::NotBuilt => "Fleets are left out of most programs, with all that they need.", "One of the two that the sentence names.";
        FleetArgsError::NoSecret = FleetArgsError::NoSecret => "Without it, who reads the directory would learn room codes.", "As the sentence says.";
        FleetArgsError::Unreadable { .. } = FleetArgsError::Unreadable { what: "secret", file: "/etc/lanparty/fleet-secret".into(), cause: io::Error::from_raw_os_error(13) } => "The relay's user may not read it, or there is none.", "`LoadCredential=fleet-secret:FILE` in the unit, or another owner.";
        FleetArgsError::NoAddress = FleetArgsError::NoAddress => "Others send players here, so they must know where here is.", "The name or address of this machine, not the one that all relays share.";
        FleetArgsError::Alone(_) = FleetArgsError::Alone("--advertise") => "The relay is alone.", "As the sentence says.";
    });
    Chapter::new("settings")
        .with(settings)
        .with(range)
        .with(fleet)
        .check();
}

#[test]
fn the_page_explains_why_a_relay_does_not_start_or_ends() {
    let start = told!(StartError {
        StartError::Address(_) = StartError::Address(io::Error::from_raw_os_error(22)) => "The system does not answer.", "Start it again.";
        StartError::Rights(_) = StartError::Rights(io::Error::from_raw_os_error(1)) => "A sandbox forbids giving rights up.", "An ordinary user.";
        StartError::Threads(_) = StartError::Threads(io::Error::from_raw_os_error(11)) => "The machine, or a limit like systemd's `TasksMax`, allows no more.", "A smaller `--threads`.";
        StartError::Handover(_) = StartError::Handover(io::Error::from_raw_os_error(11).into()) => "With `--take-over` or `systemctl reload`: the relay that runs hangs, or is of a version that hands nothing over.", "A restart, which takes some seconds more.";
        StartError::Socket(_) = StartError::Socket(SocketGone) => "The system took the socket away; parties ended.", "Start it again; a service manager does.";
    } elsewhere StartError::Identity(_), StartError::DevCert(_), StartError::Listen(_), StartError::Metrics(_), StartError::InPlace(_), StartError::Fleet(_));
    let _ = told!(SocketGone {} elsewhere SocketGone);
    let handover = told!(HandoverError {
        HandoverError::AccessHidden = HandoverError::AccessHidden => "With `systemctl reload`: the unit has credentials, and the relay that runs has no access token.", "A restart, which takes some seconds more.";
    } elsewhere HandoverError::Refused(_));
    let source = told!(SourceError {
        SourceError::Kept(_) = SourceError::Kept("/var/lib/lanparty/relay-key.pem".into()) => "The relay's key was changed or cut off.", "Put it back; a new one has another pin, and needs new invites.";
        SourceError::Unreadable { .. } = SourceError::Unreadable { file: "chain.pem".into(), cause: io::Error::from_raw_os_error(13) } => "The service's user may not read the file.", "Copy it for the service when it is renewed.";
        SourceError::Files { .. } = SourceError::Files { cert: "chain.pem".into(), key: "key.pem".into(), cause: IdentityError::NoKey } => "Certificate or key cannot be used, for the reason behind the colon.", "What the reason says.";
    } elsewhere SourceError::State(_), SourceError::Own(_));
    let cert = told!(DevCertError { DevCertError(..) = DevCertError("/etc/relay.der".into(), io::Error::from_raw_os_error(13)) => "--dev-cert-der-out names a place that cannot be written.", "Another file."; });
    let at = "[::]:443".parse().expect("an address");
    let tcp = told!(TcpError {
        TcpError::InUse(_) = TcpError::InUse(at) => "Behind “Goes on with UDP alone”: a web server, or another relay, has that TCP port; parties go on over UDP.", "What the sentence says: the operator's guide has the lines for nginx and Caddy.";
        TcpError::Bind(..) = TcpError::Bind(at, io::Error::from_raw_os_error(99)) => "The same for another reason, which is named.", "Another address, or none.";
    });
    Chapter::new("relay")
        .with(start)
        .with(tcp)
        .with(handover)
        .with(source)
        .with(cert)
        .check();
}
