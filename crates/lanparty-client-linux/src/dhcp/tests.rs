use super::*;
use std::process;

#[test]
fn dhclient_is_preferred_and_setpriv_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let folders = [folder.path().to_owned()];
    let install = |name: &str| fs::write(folder.path().join(name), "").unwrap();
    assert_eq!(DhcpProgram::find_in(&folders), Err(NoDhcpProgram));
    install("udhcpc");
    assert_eq!(DhcpProgram::find_in(&folders), Err(NoDhcpProgram));
    install("setpriv");
    assert_eq!(DhcpProgram::find_in(&folders).unwrap().kind, Kind::Udhcpc);
    install("dhclient");
    assert_eq!(DhcpProgram::find_in(&folders).unwrap().kind, Kind::Dhclient);
}

#[test]
fn dhclient_gets_files_of_its_own() {
    let files = Files::create().unwrap();
    let folder = files.0.path().display().to_string();
    let arguments = files.dhclient_arguments("-d", &"tap9".parse().unwrap());
    let line = arguments
        .join(" ".as_ref())
        .into_string()
        .unwrap()
        .replace(&folder, "DIR");
    assert_eq!(
        line,
        "-4 -d -cf DIR/dhclient.conf -sf DIR/lease.sh -lf DIR/leases -pf DIR/pid tap9"
    );
}

#[tokio::test]
async fn a_dhcp_client_has_ordinary_priority_also_when_we_have_more() {
    use rustix::process::{Pid, getpriority_process, setpriority_process};
    // Of this thread alone; for root only.
    if setpriority_process(None, -10).is_err() {
        lanparty_skip::skip("only root may raise its priority");
        return;
    }
    privilege::narrow(true).unwrap();
    let program = DhcpProgram {
        kind: Kind::Udhcpc,
        file: "/bin/sleep".into(),
    };
    let child = program.spawn(words("9")).unwrap();
    let pid = Pid::from_raw(child.id().unwrap().cast_signed());
    assert_eq!(getpriority_process(pid), Ok(0));
}

#[test]
fn a_folder_says_whose_it_is() {
    let files = Files::create().unwrap();
    assert_eq!(
        owner(files.0.path().file_name().unwrap()),
        Some(process::id())
    );
    for other in [
        "lanparty-dhcp-",
        "lanparty-dhcp-x-1",
        "lanparty-dhcp-12",
        "12-ab",
    ] {
        assert_eq!(owner(other.as_ref()), None, "{other}");
    }
}

#[test]
fn a_lease_sets_the_address_and_nothing_else() {
    let lease = [
        ("reason", "BOUND"),
        ("new_ip_address", "192.168.50.17"),
        ("new_subnet_mask", "255.255.255.0"),
        ("new_broadcast_address", "192.168.50.255"),
        ("new_routers", "192.168.50.1"),
        ("new_domain_name_servers", "192.168.50.1"),
    ];
    let set = "-4 address show dev tap9\n-4 address flush dev tap9\n\
               -4 address replace 192.168.50.17/255.255.255.0 broadcast 192.168.50.255 dev tap9\n";
    assert_eq!(calls_of_ip(&[], &lease), (true, set.to_owned()));
    let lease = [
        ("ip", "192.168.50.17"),
        ("subnet", "255.255.255.0"),
        ("broadcast", "192.168.50.255"),
        ("router", "192.168.50.1"),
        ("dns", "192.168.50.1"),
    ];
    assert_eq!(calls_of_ip(&["bound"], &lease), (true, set.to_owned()));
}

#[test]
fn a_lease_that_ends_takes_the_address_away() {
    let flush = (true, "-4 address flush dev tap9\n".to_owned());
    for reason in ["EXPIRE", "FAIL", "RELEASE", "STOP"] {
        assert_eq!(calls_of_ip(&[], &[("reason", reason)]), flush);
    }
    assert_eq!(calls_of_ip(&["deconfig"], &[]), flush);
    assert_eq!(
        calls_of_ip(&[], &[("reason", "PREINIT")]),
        (true, String::new())
    );
    assert_eq!(calls_of_ip(&["leasefail"], &[]), (true, String::new()));
}

#[test]
fn a_mask_that_covers_the_internet_is_refused() {
    for mask in ["0.0.0.0", "128.0.0.0", "254.0.0.0", ""] {
        let lease = [
            ("reason", "BOUND"),
            ("new_ip_address", "10.0.0.7"),
            ("new_subnet_mask", mask),
        ];
        assert_eq!(calls_of_ip(&[], &lease), (false, String::new()), "{mask}");
    }
}

/// Runs the script with an `ip` that only writes down how it is called.
fn calls_of_ip(arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let ip = folder.path().join("ip");
    fs::write(&ip, "#!/bin/sh\necho \"$@\" >> \"${0%ip}calls\"\n").unwrap();
    fs::set_permissions(&ip, fs::Permissions::from_mode(0o700)).unwrap();
    let status = process::Command::new("sh")
        .args(["-c", SCRIPT, "lease.sh"])
        .args(arguments)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .env("interface", "tap9")
        .envs(variables.iter().copied())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let calls = fs::read_to_string(folder.path().join("calls")).unwrap_or_default();
    (status.success(), calls)
}
