//! Icon, version and manifest of the Windows program.

use std::io;

/// The client's: a person sees one product.
const ICON: &str = "../lanparty-client-win/resources/lanparty-client.ico";
const MANIFEST: &str = "resources/lanparty.manifest";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed={ICON}");
    println!("cargo:rerun-if-changed={MANIFEST}");
    if std::env::var_os("CARGO_CFG_WINDOWS").is_none() {
        return Ok(());
    }
    winresource::WindowsResource::new()
        .set_icon(ICON)
        .set_manifest_file(MANIFEST)
        .set("ProductName", "softlan-vpn")
        .set("FileDescription", "LAN party")
        .set("OriginalFilename", "lanparty.exe")
        .compile_for("lanparty")
}
