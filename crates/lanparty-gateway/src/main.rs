//! The gateway program; what it does is in the library.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use anyhow::Context as _;
    use clap::Parser as _;
    use lanparty_edge::ending::{FAILED, WRONG_SETTINGS, ended};
    use lanparty_edge::speech;
    use lanparty_gateway::{Args, ctl::CtlArgs, invite_args::InviteArgs, setup::SetupArgs};
    use lanparty_relay::config::ArgsError;
    let words: Vec<_> = std::env::args_os().collect();
    lanparty_edge::privilege::hide_secrets(&words);
    if let Some(code) = lanparty_edge::manual::asked_for(&words, whole) {
        return code;
    }
    let hardened = lanparty_edge::privilege::harden().context("cannot give up rights");
    let command = words.get(1).and_then(|word| word.to_str());
    let outcome = hardened.and_then(|()| match command {
        Some("setup") => SetupArgs::parse_from(&words[1..]).run(),
        Some("invite") => InviteArgs::parse_from(&words[1..]).run(),
        Some("ctl") => CtlArgs::parse_from(&words[1..]).run(),
        Some("host") => host(&words[1..]),
        _ if Args::are_of_a_host(&words) => host(&words),
        _ => match Args::read(words.iter().cloned()) {
            Err(ArgsError::Usage(usage)) => misused(&usage, WHICH_PARTY),
            args => args.map_err(anyhow::Error::from)?.run(),
        },
    });
    let code = match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_for_good(&error) => ended(&*error, WRONG_SETTINGS),
        Err(error) => ended(&*error, FAILED),
    };
    speech::finish();
    code
}

/// A party on this machine: the first of the words is the program.
#[cfg(target_os = "linux")]
fn host(words: &[std::ffi::OsString]) -> anyhow::Result<()> {
    use lanparty_gateway::serverless::HostArgs;
    use lanparty_relay::config::ArgsError;
    match HostArgs::read(words.iter().cloned()) {
        Err(ArgsError::Usage(usage)) => misused(&usage, WHICH_LAN),
        args => args?.run(),
    }
}

/// Whether another start with the same words and files would end the same way.
#[cfg(target_os = "linux")]
fn is_for_good(error: &anyhow::Error) -> bool {
    use lanparty_gateway::config::LoadError;
    use lanparty_gateway::lan::InterfaceError;
    use lanparty_relay::config::ArgsError;
    error.chain().any(|cause| {
        let settings = cause.downcast_ref().map(LoadError::is_for_good);
        let lan = cause.downcast_ref().map(InterfaceError::is_for_good);
        cause.is::<ArgsError>() || settings.or(lan).unwrap_or_default()
    })
}

/// What is missing from a command line that begins a party.
#[cfg(target_os = "linux")]
const WHICH_LAN: &str = "`lanparty-gateway setup` asks for what is needed, step by step";
#[cfg(target_os = "linux")]
const WHICH_PARTY: &str = "`lanparty-gateway setup` asks for what is needed, step by step; `lanparty-gateway --config \
    /etc/lanparty/gateway.toml` starts what it has set up, and `lanparty-gateway host` holds a party on this machine at once";

/// Ends the program like clap, with a hint where something is missing.
#[cfg(target_os = "linux")]
fn misused(usage: &clap::Error, hint: &str) -> ! {
    use clap::error::ErrorKind;
    let is_incomplete = usage.kind() == ErrorKind::MissingRequiredArgument;
    let said = usage.to_string();
    lanparty_edge::systemd::status(said.split("\n\n").next().unwrap_or_default());
    // It may be a closed pipe; the exit code says it then.
    let _ = usage.print();
    if is_incomplete {
        eprintln!("\nhint: {hint}");
    }
    std::process::exit(usage.exit_code());
}

/// All that the program understands, for its manual.
#[cfg(target_os = "linux")]
fn whole() -> clap::Command {
    use clap::CommandFactory as _;
    use lanparty_gateway::{Args, ctl::CtlArgs, invite_args::InviteArgs, serverless::HostArgs};
    let others = [
        ("setup", lanparty_gateway::setup::SetupArgs::command()),
        ("host", HostArgs::command()),
        ("invite", InviteArgs::command()),
        ("ctl", CtlArgs::command()),
    ];
    lanparty_edge::manual::together(Args::command(), others)
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: the gateway needs Linux: run it on a Linux machine on the LAN.");
    ExitCode::FAILURE
}
