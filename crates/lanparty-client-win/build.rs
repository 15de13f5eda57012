//! Icon, version and manifest of the Windows program.

use std::io;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=resources");
    if std::env::var_os("CARGO_CFG_WINDOWS").is_none() {
        return Ok(());
    }
    winresource::WindowsResource::new()
        .set_icon("resources/lanparty-client.ico")
        .set_manifest_file("resources/lanparty-client.manifest")
        .set("ProductName", "softlan-vpn")
        .set("FileDescription", "LAN party client")
        .set("OriginalFilename", "lanparty-client.exe")
        .compile_for("lanparty-client-win")
}
