//! Direct paths between players and the gateway, as the flags have them.

use crate::keys;
use lanparty_peer::relay_args::DoorConfig;
use std::path::Path;
use std::sync::Arc;

/// Whether there are direct paths, and how players find the gateway's end of them.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct DoorArgs {
    /// Have no direct paths: the relay carries all frames, and neither this machine nor players are shown each other's
    /// internet address. In an open room there are none anyway.
    #[arg(long)]
    no_door: bool,

    /// The UDP port of this machine for direct paths and the link to the relay, from 1024 on, for a router that forwards it by
    /// hand [default: any that is free].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..), conflicts_with = "no_door")]
    door_port: Option<u16>,

    /// Do not ask the home router to open a port for direct paths; most come about without one.
    #[arg(long)]
    no_port_mapping: bool,
}

impl DoorArgs {
    /// What the gateway brings to direct paths, if there are to be any: nobody is shown to people of whom nothing is known.
    pub(crate) fn config(&self, keys: Option<&Path>, is_keyed: bool) -> Option<DoorConfig> {
        (is_keyed && !self.no_door).then(|| DoorConfig {
            identity: keys::door_identity(keys).map(Arc::new),
            port: self.door_port,
        })
    }

    /// Whether the home router may be asked for a port.
    pub(crate) fn asks_router(&self) -> bool {
        !self.no_port_mapping
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        door: DoorArgs,
    }

    fn parse(words: &[&str]) -> Result<DoorArgs, clap::Error> {
        let parsed = Program::try_parse_from(["program"].iter().chain(words));
        parsed.map(|program| program.door)
    }

    #[test]
    fn there_are_direct_paths_in_rooms_for_the_invited_unless_somebody_says_no() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Some(folder.path());
        let of = |words: &[&str], is_keyed| parse(words).unwrap().config(keys, is_keyed);
        let door = of(&[], true).unwrap();
        let pin = door.identity.unwrap().pin();
        assert_eq!(door.port, None);
        assert!(of(&[], false).is_none() && of(&["--no-door"], true).is_none());
        let again = of(&["--door-port", "40000"], true).unwrap();
        assert_eq!(again.port, Some(40000));
        assert_eq!(again.identity.unwrap().pin(), pin, "the same at each start");
        assert!(parse(&[]).unwrap().asks_router());
        assert!(!parse(&["--no-port-mapping"]).unwrap().asks_router());
    }

    #[test]
    fn a_port_for_which_a_right_would_be_needed_is_none() {
        for wrong in [
            &["--door-port", "443"][..],
            &["--door-port", "0"],
            &["--door-port", "65536"],
            &["--door-port", "40000", "--no-door"],
        ] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains("--door-port"), "{error}");
        }
    }
}
