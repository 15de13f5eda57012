//! Proxies as networks have them that let nothing else out (`CONNECT`, RFC 9110 section 9.3.6).

use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;

use crate::{Lab, Machine, Process, eventually};

/// Starting takes well under a second; a busy machine gets the rest.
const SOON: Duration = Duration::from_secs(30);

/// Starts tinyproxy on port 8888, which lets everybody through to port 443.
pub fn tinyproxy(lab: &Lab, machine: &Machine) -> Result<Process> {
    let settings = "Port 8888\nAllow 0.0.0.0/0\nConnectPort 443\nMaxClients 50\nLogLevel Connect\n";
    let file = lab.write("tinyproxy.conf", settings)?;
    let proxy = machine.spawn("tinyproxy", ["tinyproxy", "-d", "-c", &file])?;
    listens(machine, 8888)?;
    Ok(proxy)
}

/// Starts Squid on port 3128. It keeps nothing, and what it shares with others of its kind ends with it.
pub fn squid(lab: &Lab, machine: &Machine) -> Result<Process> {
    let settings = "http_port 3128\nhttp_access allow all\ncache deny all\naccess_log none\ncache_log stdio:/dev/null\n\
        pid_filename none\npinger_enable off\nnetdb_filename none\nshutdown_lifetime 0 seconds\n";
    let file = lab.write("squid.conf", settings)?;
    let command = format!("mount -t tmpfs none /dev/shm && exec squid -N -f {file}");
    let proxy = machine.spawn("squid", ["unshare", "--mount", "sh", "-c", &command])?;
    listens(machine, 3128)?;
    Ok(proxy)
}

/// Waits until somebody listens on this TCP port of the machine.
pub fn listens(machine: &Machine, port: u16) -> Result<()> {
    eventually(&format!("port {port} is open"), SOON, || {
        machine
            .enter(|| TcpStream::connect(("127.0.0.1", port)))
            .ok()
            .map(drop)
    })
}
