//! What each Debian package has in it, and what the archive for other systems has of that.

use std::path::Path;

/// A package, named as Debian names it.
#[derive(Clone, Copy)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) section: &'static str,
    pub(crate) summary: &'static str,
    /// Paragraphs.
    pub(crate) description: &'static [&'static str],
    /// The programs; each writes its own manual.
    pub(crate) programs: &'static [&'static str],
    /// Packages that it wants besides its programs' libraries.
    pub(crate) depends: &'static [&'static str],
    pub(crate) recommends: &'static [&'static str],
    pub(crate) files: &'static [File],
    pub(crate) units: &'static [Unit],
    /// The group that its `sysusers.d` file makes.
    pub(crate) group: Option<&'static str>,
    /// What its programs leave on the machine, as a shell's patterns; the end of the package is their end.
    pub(crate) state: &'static [&'static str],
}

/// A file of the repository and its place on the machine.
#[derive(Clone, Copy)]
pub(crate) struct File {
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

/// A file of the repository that systemd reads.
#[derive(Clone, Copy)]
pub(crate) struct Unit {
    pub(crate) file: &'static str,
    /// Whether it is enabled when the package comes.
    enabled: bool,
}

impl Unit {
    pub(crate) fn name(&self) -> &'static str {
        let name = Path::new(self.file).file_name();
        name.and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Whether each instance is somebody's to start.
    pub(crate) fn is_template(&self) -> bool {
        self.name().contains('@')
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether another program takes over by a reload.
    pub(crate) fn is_handed_over(&self) -> bool {
        self.name() == "lanparty-relay.service"
    }
}

/// Files of a package that its owner edits.
pub(crate) const SETTINGS: &str = "etc/";
/// Where the units and scripts of `dist/` say that programs are.
pub(crate) const LOCAL_PROGRAMS: &str = "/usr/local/bin/";

const RELAY: Package = Package {
    name: "lanparty-relay",
    section: "net",
    summary: "relay for LAN parties over the internet",
    description: &[
        "Remote players join a LAN party as if their machines were plugged into its switch. \
         This is the public server where the players and the party's gateway meet: one UDP port, and rooms \
         that behave like a careful switch.",
        "It starts with the package, on UDP port 443, and prints into its log the pin by which players \
         know it. Its settings are in /etc/lanparty/relay.toml.",
    ],
    programs: &["lanparty-relay"],
    depends: &[],
    recommends: &[],
    files: &[
        File {
            from: "dist/relay.toml",
            to: "etc/lanparty/relay.toml",
        },
        File {
            from: "dist/monitoring/lanparty-alerts.yml",
            to: "usr/share/doc/lanparty-relay/monitoring/lanparty-alerts.yml",
        },
        File {
            from: "dist/monitoring/lanparty-fleet-alerts.yml",
            to: "usr/share/doc/lanparty-relay/monitoring/lanparty-fleet-alerts.yml",
        },
        File {
            from: "dist/monitoring/lanparty-grafana.json",
            to: "usr/share/doc/lanparty-relay/monitoring/lanparty-grafana.json",
        },
        File {
            from: "dist/linux/certbot-deploy-hook",
            to: "usr/share/doc/lanparty-relay/examples/certbot-deploy-hook",
        },
        File {
            from: "dist/fleet/compose.yml",
            to: "usr/share/doc/lanparty-relay/examples/fleet/compose.yml",
        },
        File {
            from: "dist/fleet/etcd-certificates",
            to: "usr/share/doc/lanparty-relay/examples/fleet/etcd-certificates",
        },
        File {
            from: "dist/fleet/etcd-user",
            to: "usr/share/doc/lanparty-relay/examples/fleet/etcd-user",
        },
        File {
            from: "dist/fleet/etcd.env",
            to: "usr/share/doc/lanparty-relay/examples/fleet/etcd.env",
        },
        File {
            from: "dist/fleet/etcd.conf",
            to: "usr/share/doc/lanparty-relay/examples/fleet/etcd.conf",
        },
        File {
            from: "dist/fleet/lanparty-relay.conf",
            to: "usr/share/doc/lanparty-relay/examples/fleet/lanparty-relay.conf",
        },
    ],
    units: &[Unit {
        file: "dist/lanparty-relay.service",
        enabled: true,
    }],
    group: None,
    state: &[
        "/var/lib/lanparty",
        "/var/lib/private/lanparty",
        "/var/lib/lanparty-relay",
    ],
};

const GATEWAY: Package = Package {
    name: "lanparty-gateway",
    section: "net",
    summary: "plugs remote players into the LAN of a party",
    description: &[
        "Remote players join a LAN party as if their machines were plugged into its switch. \
         This runs on a machine with a cable to that switch, and brings them in: with a relay \
         on a server, or without one where a UDP port can be forwarded.",
        "Nothing is started with the package: `lanparty-gateway setup` asks what is needed, has a party, and \
         has it again after each start of the machine.",
    ],
    programs: &["lanparty-gateway"],
    depends: &[],
    recommends: &[],
    files: &[File {
        from: "dist/gateway.env",
        to: "usr/share/doc/lanparty-gateway/examples/gateway.env",
    }],
    units: &[
        Unit {
            file: "dist/lanparty-gateway.service",
            enabled: false,
        },
        Unit {
            file: "dist/lanparty-gateway@.service",
            enabled: false,
        },
    ],
    group: None,
    state: &[
        "/etc/lanparty/gateway.toml /etc/lanparty/gateway-*.env",
        "/var/lib/lanparty-gateway /var/lib/lanparty-gateway-*",
        "/var/lib/private/lanparty-gateway /var/lib/private/lanparty-gateway-*",
    ],
};

const CLIENT: Package = Package {
    name: "lanparty-client",
    section: "net",
    summary: "joins a LAN party over the internet",
    description: &[
        "This computer gets a network adapter that is plugged into the switch of a LAN party far \
         away. Games find each other by broadcast as if one were there; the internet connection \
         stays as it is.",
        "A service owns the connection; the window lanparty and the program lanparty-client show and steer \
         it. Who is in the group lanparty may do so without a password. A click on an invite opens the window.",
    ],
    programs: &["lanparty-client", "lanparty"],
    depends: &[
        // What makes the desktop know who opens an invite.
        "desktop-file-utils",
        "hicolor-icon-theme",
        // The window takes these while it runs, so no tool finds them in the program.
        "libx11-6",
        "libx11-xcb1",
        "libxcursor1",
        "libxi6",
        "libxkbcommon-x11-0",
        "libxkbcommon0",
        "libwayland-client0",
        "libwayland-cursor0",
    ],
    recommends: &["pkexec | policykit-1", "xdg-utils"],
    files: CLIENT_FILES,
    units: CLIENT_UNITS,
    group: Some("lanparty"),
    state: &[
        "/var/lib/lanparty-client",
        "/var/lib/private/lanparty-client",
    ],
};

const CLIENT_FILES: &[File] = &[
    File {
        from: "dist/linux/lanparty.desktop",
        to: "usr/share/applications/lanparty.desktop",
    },
    File {
        from: "dist/linux/lanparty.svg",
        to: "usr/share/icons/hicolor/scalable/apps/lanparty.svg",
    },
    File {
        from: "dist/linux/lanparty-client.sysusers",
        to: "usr/lib/sysusers.d/lanparty-client.conf",
    },
    // Who manages networks leaves the adapter alone; first in the order of names, as the first that fits counts.
    File {
        from: "dist/linux/lanparty.network",
        to: "usr/lib/systemd/network/00-lanparty.network",
    },
    File {
        from: "dist/linux/lanparty-networkmanager.conf",
        to: "usr/lib/NetworkManager/conf.d/00-lanparty.conf",
    },
    File {
        from: "dist/linux/net.softlan.lanparty.policy",
        to: "usr/share/polkit-1/actions/net.softlan.lanparty.policy",
    },
];

const CLIENT_UNITS: &[Unit] = &[
    Unit {
        file: "dist/linux/lanparty-client.socket",
        enabled: true,
    },
    Unit {
        file: "dist/linux/lanparty-client.service",
        enabled: true,
    },
];

/// All of them.
pub(crate) fn packages() -> [Package; 3] {
    [RELAY, GATEWAY, CLIENT]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_there() {
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for package in packages() {
            let files = package.files.iter().map(|file| file.from);
            let units = package.units.iter().map(|unit| unit.file);
            for file in files.chain(units) {
                assert!(above.join(file).is_file(), "{}: {file}", package.name);
            }
        }
    }

    /// The one that takes over is to be what a start would make.
    #[test]
    fn a_reload_that_hands_over_has_the_words_of_a_start() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let packages = packages();
        let units = packages.iter().flat_map(|package| package.units);
        for unit in units.filter(|unit| unit.is_handed_over()) {
            let text = std::fs::read_to_string(root.join(unit.file)).unwrap();
            let of = |key: &str| {
                let mut lines = text.lines();
                lines.find_map(|line| line.strip_prefix(key)).unwrap()
            };
            assert_eq!(of("ExecReload="), format!("{} --reload", of("ExecStart=")));
        }
    }

    #[test]
    fn what_is_enabled_says_by_what_it_is_wanted() {
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for unit in packages().iter().flat_map(|package| package.units) {
            let text = std::fs::read_to_string(above.join(unit.file)).unwrap();
            assert!(!unit.enabled || text.contains("[Install]"), "{}", unit.file);
        }
    }

    #[test]
    fn a_summary_is_one_that_debian_takes() {
        for Package { name, summary, .. } in packages() {
            assert!(summary.len() < 70 && !summary.starts_with(name), "{name}");
            assert!(!summary.ends_with('.'), "{name}");
        }
    }
}
