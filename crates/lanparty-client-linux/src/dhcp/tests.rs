use super::*;
use std::process;

#[test]
fn udhcpc_is_preferred_and_setpriv_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let folders = [folder.path().to_owned()];
    let install = |name: &str| fs::write(folder.path().join(name), "").unwrap();
    let find = |is_confined| Ok(DhcpProgram::find_in(&folders, is_confined)?.kind);
    assert_eq!(find(false), Err(NoDhcpProgram::Setpriv));
    install("dhclient");
    assert_eq!(find(false), Err(NoDhcpProgram::Setpriv));
    fs::remove_file(folder.path().join("dhclient")).unwrap();
    install("setpriv");
    assert_eq!(find(false), Err(NoDhcpProgram::Client));
    install("dhclient");
    assert_eq!(find(false), Ok(Kind::Dhclient));
    assert_eq!(find(true), Err(NoDhcpProgram::Confined));
    install("udhcpc");
    assert_eq!(find(false), Ok(Kind::Udhcpc));
    assert_eq!(find(true), Ok(Kind::Udhcpc));
}

#[test]
fn a_profile_confines_where_apparmor_works_and_nobody_has_freed_the_program() {
    let root = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let file = root.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    let is_confined = || is_dhclient_confined(root.path());
    assert!(!is_confined());
    write(DHCLIENT_PROFILE, "/{,usr/}sbin/dhclient {}");
    assert!(!is_confined());
    write(APPARMOR, "N\n");
    assert!(!is_confined());
    write(APPARMOR, "Y\n");
    assert!(is_confined());
    write(
        DHCLIENT_PROFILE,
        "/{,usr/}sbin/dhclient flags=(complain) {}",
    );
    assert!(!is_confined());
    write(DHCLIENT_PROFILE, "/{,usr/}sbin/dhclient {}");
    write(DHCLIENT_FREED, "");
    assert!(!is_confined());
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
        ("new_dhcp_lease_time", "3600"),
        ("new_routers", "192.168.50.1"),
        ("new_domain_name_servers", "192.168.50.1"),
    ];
    let set = "-4 address show dev tap9\n-4 address flush dev tap9\n\
               -4 address replace 192.168.50.17/255.255.255.0 broadcast 192.168.50.255 dev tap9 \
               valid_lft 3600 preferred_lft 3600\n";
    assert_eq!(calls_of_ip(&[], &lease), (true, set.to_owned()));
    let lease = [
        ("ip", "192.168.50.17"),
        ("subnet", "255.255.255.0"),
        ("broadcast", "192.168.50.255"),
        ("lease", "3600"),
        ("router", "192.168.50.1"),
        ("dns", "192.168.50.1"),
    ];
    assert_eq!(calls_of_ip(&["bound"], &lease), (true, set.to_owned()));
}

#[test]
fn a_lease_without_an_end_has_none() {
    for lease in ["", "0", "-1", "soon"] {
        let lease = [
            ("ip", "10.0.0.7"),
            ("subnet", "255.0.0.0"),
            ("lease", lease),
        ];
        let (_, calls) = calls_of_ip(&["bound"], &lease);
        let end = "broadcast + dev tap9 valid_lft forever preferred_lft forever\n";
        assert!(calls.ends_with(end), "{calls}");
    }
}

#[test]
fn a_lease_that_ends_takes_the_address_away() {
    let flush = (true, "-4 address flush dev tap9\n".to_owned());
    for reason in ["EXPIRE", "FAIL", "RELEASE", "STOP"] {
        assert_eq!(calls_of_ip(&[], &[("reason", reason)]), flush);
    }
    // udhcpc's first word of all takes nothing: it may follow another that has ended.
    assert_eq!(calls_of_ip(&["deconfig"], &[]), (true, String::new()));
    let folder = tempfile::tempdir().unwrap();
    let [first, lost] = [(); 2].map(|()| calls_of_ip_in(folder.path(), &["deconfig"], &[]));
    assert_eq!((first, lost), ((true, String::new()), flush));
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
    calls_of_ip_in(tempfile::tempdir().unwrap().path(), arguments, variables)
}

fn calls_of_ip_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    use std::os::unix::fs::PermissionsExt as _;
    let (ip, script) = (folder.join("ip"), folder.join("lease.sh"));
    fs::write(&script, SCRIPT).unwrap();
    fs::write(&ip, "#!/bin/sh\necho \"$@\" >> \"${0%ip}calls\"\n").unwrap();
    fs::set_permissions(&ip, fs::Permissions::from_mode(0o700)).unwrap();
    let status = process::Command::new("sh")
        .arg(&script)
        .args(arguments)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("interface", "tap9")
        .envs(variables.iter().copied())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let calls = fs::read_to_string(folder.join("calls")).unwrap_or_default();
    (status.success(), calls)
}
