//! The installer, as a person who asks for no questions runs it.

use std::fs;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{WindowsPc, eventually};

use crate::guest::{Guest, PROGRAM, SOON};

const FOLDER: &str = "Program Files/softlan-vpn";
const MENU: &str = "ProgramData/Microsoft/Windows/Start Menu/Programs/softlan-vpn";
const SCHEME: &str = r"HKLM\Software\Classes\lanparty\shell\open\command";

pub(crate) fn the_installer_installs_and_removes_the_client(guest: &Guest) -> Result<()> {
    let setup = WindowsPc::program("lanparty-client-setup.exe")?;
    guest.pc.output([setup.as_os_str(), "/S".as_ref()])?;
    let installed = guest.pc.drive_c().join(FOLDER);
    let program = fs::metadata(installed.join("lanparty-client.exe")).context("find the client")?;
    let built = fs::metadata(WindowsPc::program(PROGRAM)?)?;
    ensure!(program.len() == built.len(), "the client is another one");
    ensure!(
        guest.registry_says(SCHEME, "lanparty-client.exe")?,
        "invite links do not lead to the client"
    );

    let menu = guest.pc.drive_c().join(MENU);
    let join = menu.join("Join a LAN party.lnk");
    ensure!(join.is_file(), "{} is not there", join.display());

    // It goes on in a copy of itself and returns at once.
    let uninstall = installed.join("uninstall.exe");
    guest.pc.output([uninstall.as_os_str(), "/S".as_ref()])?;
    eventually("the client's folder and menu are gone", SOON, || {
        (!installed.exists() && !menu.exists()).then_some(())
    })?;
    eventually("invite links are gone", SOON, || {
        guest
            .registry_says(SCHEME, "lanparty-client.exe")
            .is_ok_and(|there| !there)
            .then_some(())
    })
}
