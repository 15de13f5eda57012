//! The stand-ins behave as what they stand for.

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Plan, Venue, WindowsPc, World};

/// A PC at home, with the internet but no party.
pub(crate) struct Desk {
    pc: WindowsPc,
    venue: Venue,
}

impl World for Desk {}

impl Desk {
    pub(crate) fn new() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 1,
            ..Plan::default()
        })?;
        let pc = WindowsPc::new(&venue.lab, &venue.remotes[0])?;
        Ok(Self { pc, venue })
    }
}

/// What `lab/windows/probe.c` prints on a PC whose stand-ins are right; 0 is success, the others are Windows error codes.
const EXPECTED: &str = "\
open: 0
open twice: 31
mac: 00:ff:4c:41:42:01
version: 927
mtu: 1500
unknown request: 1
read without media: 995
media on: 0
read: 0
a whole frame: 1
cancel: 995
write NetworkAddress: 0
find the device: 0
disable: 0
open while disabled: 2
enable: 0
read by an old handle: 995
open again: 0
mac: 02:1a:00:00:00:07
media on: 0
read: 0
best route: 0
its length: 0
create: 0
create twice: 5010
best route's length now: 32
delete: 0
delete twice: 1168
luid: 0
get interface: 0
set as it came: 87
set: 0
mtu now: 1300
metric now: 1
too short for IPv6: 87
";

pub(crate) fn the_stand_ins_answer_as_the_driver_and_windows_do(desk: &Desk) -> Result<()> {
    let probe = WindowsPc::program("probe.exe")?;
    let guid = desk.pc.adapter_guid()?;
    desk.pc.forget(None);
    let output = desk.pc.output([probe.as_os_str(), guid.as_ref()])?;
    let said = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let wrong: Vec<_> = said
        .lines()
        .zip(EXPECTED.lines())
        .filter(|(said, expected)| said != expected)
        .collect();
    ensure!(
        said == EXPECTED,
        "{wrong:?} among\n{said}{}calls:\n{}",
        String::from_utf8_lossy(&output.stderr),
        desk.pc.calls().join("\n")
    );
    let mac = desk.venue.remotes[0].mac(WindowsPc::TAP)?;
    ensure!(mac == [0x02, 0x1a, 0, 0, 0, 7], "Linux has {mac:02x?}");
    let changes = desk.pc.changes();
    let order = [
        "SetMediaStatus",
        "RegSetValue",
        "ChangeDeviceState",
        "CreateIpForwardEntry2",
    ];
    let at = order.map(|name| changes.iter().position(|change| change.starts_with(name)));
    ensure!(
        at.is_sorted() && at[0].is_some(),
        "recorded as {changes:#?}"
    );
    changes.first().context("nothing is on record").map(drop)
}
