//! The relay as a container's image, from nothing: one static program, a user for it and a folder for its key.
//!
//! Written as the OCI's image layout in a tar, which `podman load`, `docker load` and `skopeo copy oci-archive:` read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::release::{HOMEPAGE, Release};
use super::tree::Tree;
use super::{output, succeeds, work};

const PROGRAM: &str = "lanparty-relay";
/// Nobody's number, as images without a system use it.
const USER: u32 = 65532;
const STATE: &str = "var/lib/lanparty";

/// Makes `lanparty-relay-VERSION-oci.tar`.
pub(super) fn make(programs: &Path, release: &Release, out: &Path) -> Result<PathBuf> {
    let work = work()?.join("image");
    let image = Tree::new(work.join("layout"))?;
    let layer = layer(&programs.join(PROGRAM), release, &work)?;
    let layers = [described(
        &image,
        "application/vnd.oci.image.layer.v1.tar",
        &fs::read(layer).context("read the layer")?,
    )?];
    let date = output(Command::new("date").args([
        "-u",
        "+%FT%TZ",
        "-d",
        &format!("@{}", release.seconds),
    ]))?;
    let config = written(
        &image,
        "application/vnd.oci.image.config.v1+json",
        &config(&layers[0]["digest"], &release.version, date.trim()),
    )?;
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let mut manifest = written(
        &image,
        manifest_type,
        &json!({"schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": layers}),
    )?;
    manifest["annotations"] = json!({
        "org.opencontainers.image.ref.name": format!("{PROGRAM}:{}", release.version),
    });
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest],
    });
    image.write("index.json", serde_json::to_vec(&index)?, 0o644)?;
    image.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
    let file = out.join(format!("{PROGRAM}-{}-oci.tar", release.version));
    pack(&file, image.root(), release, ROOT, &["."], "c")?;
    Ok(file)
}

/// The image's whole system.
fn layer(program: &Path, release: &Release, work: &Path) -> Result<PathBuf> {
    let system = Tree::new(work.join("system"))?;
    let placed = system.copy(program, &format!("usr/bin/{PROGRAM}"), 0o755)?;
    succeeds(Command::new("strip").arg("--strip-unneeded").arg(placed))?;
    let user = format!("lanparty:x:{USER}:{USER}::/{STATE}:/\n");
    system.write("etc/passwd", user, 0o644)?;
    system.write("etc/group", format!("lanparty:x:{USER}:\n"), 0o644)?;
    let file = work.join("layer.tar");
    pack(&file, system.root(), release, ROOT, &["etc", "usr"], "c")?;
    // A folder that is the user's own; only tar needs no rights to say so.
    fs::create_dir_all(system.root().join(STATE)).context("make the state folder")?;
    pack(&file, system.root(), release, USER, &[STATE], "r")?;
    Ok(file)
}

const ROOT: u32 = 0;

/// tar with nothing in it of this machine or this hour.
fn pack(
    file: &Path,
    from: &Path,
    release: &Release,
    owner: u32,
    what: &[&str],
    how: &str,
) -> Result<()> {
    succeeds(
        Command::new("tar")
            .args(["--sort=name", "--numeric-owner", "--format=gnu"])
            .arg(format!("--owner={owner}"))
            .arg(format!("--group={owner}"))
            .arg(format!("--mtime=@{}", release.seconds))
            .arg("-C")
            .arg(from)
            .arg(format!("-{how}f"))
            .arg(file)
            .args(what),
    )
}

fn config(layer: &Value, version: &str, created: &str) -> Value {
    let state = format!("/{STATE}");
    json!({
        "created": created,
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "ExposedPorts": {"443/udp": {}, "443/tcp": {}},
            "Env": ["PATH=/usr/bin", format!("STATE_DIRECTORY={state}")],
            "Entrypoint": [format!("/usr/bin/{PROGRAM}")],
            "Volumes": {&state: {}},
            "Labels": {
                "org.opencontainers.image.title": "Relay for LAN parties",
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.source": HOMEPAGE,
                "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [layer]},
        "history": [{"created": created, "created_by": "cargo xtask dist image"}],
    })
}

fn written(image: &Tree, kind: &str, value: &Value) -> Result<Value> {
    described(image, kind, &serde_json::to_vec(value)?)
}

/// Keeps a blob by the name that is its sum, and says so as manifests do.
fn described(image: &Tree, kind: &str, bytes: &[u8]) -> Result<Value> {
    let placed = image.write("blob", bytes, 0o644)?;
    let sum = output(Command::new("sha256sum").arg("--zero").arg(&placed))?;
    let sum = sum.split(' ').next().unwrap_or_default().to_owned();
    image.write(&format!("blobs/sha256/{sum}"), bytes, 0o644)?;
    fs::remove_file(placed).context("remove what has its name now")?;
    Ok(json!({"mediaType": kind, "digest": format!("sha256:{sum}"), "size": bytes.len()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `skopeo inspect` follows: from the index to the layer, every sum and size right.
    #[test]
    fn an_image_hangs_together() {
        let folder = std::env::temp_dir().join(format!("lanparty-image-{}", std::process::id()));
        let image = Tree::new(folder.clone()).unwrap();
        let layer = described(&image, "layer", b"not a tar").unwrap();
        let config = written(&image, "config", &config(&layer["digest"], "0.1.0", "then")).unwrap();
        let blob = |described: &Value| {
            let digest = described["digest"].as_str().unwrap().replace(':', "/");
            let bytes = fs::read(folder.join("blobs").join(digest)).unwrap();
            assert_eq!(described["size"], bytes.len());
            bytes
        };
        assert_eq!(blob(&layer), b"not a tar");
        let config: Value = serde_json::from_slice(&blob(&config)).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], layer["digest"]);
        assert_eq!(config["config"]["User"], "65532:65532");
        let ports = json!({"443/udp": {}, "443/tcp": {}});
        assert_eq!(config["config"]["ExposedPorts"], ports);
        assert_eq!(image.files("").unwrap().len(), 2, "no loose ends");
        fs::remove_dir_all(folder).unwrap();
    }
}
