//! The bill of materials: every library in every program, as CycloneDX 1.5.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::notices::{Library, libraries};
use super::release::Release;

/// Writes it beside the rest.
pub(super) fn write(release: &Release, out: &Path) -> Result<()> {
    let lock = fs::read_to_string("Cargo.lock").context("read Cargo.lock")?;
    let bill = bill(&libraries()?, &checksums(&lock), &release.version);
    let file = out.join(format!("softlan-vpn-{}.cdx.json", release.version));
    let text = serde_json::to_string_pretty(&bill)? + "\n";
    fs::write(file, text).context("write the bill of materials")
}

fn bill(
    libraries: &[Library],
    checksums: &BTreeMap<(String, String), String>,
    version: &str,
) -> Value {
    let names: BTreeMap<&str, String> = libraries
        .iter()
        .map(|library| (&*library.id, reference(library)))
        .collect();
    let dependencies: Vec<_> = libraries
        .iter()
        .map(|library| {
            let needs = library.needs.iter();
            let needs: Vec<_> = needs.filter_map(|id| names.get(&**id)).collect();
            json!({"ref": reference(library), "dependsOn": needs})
        })
        .collect();
    let components: Vec<_> = libraries
        .iter()
        .map(|library| component(library, checksums))
        .collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {
            "type": "application", "bom-ref": "softlan-vpn", "name": "softlan-vpn", "version": version,
            "licenses": [{"expression": env!("CARGO_PKG_LICENSE")}],
        }},
        "components": components,
        "dependencies": dependencies,
    })
}

fn component(library: &Library, checksums: &BTreeMap<(String, String), String>) -> Value {
    let mut component = json!({
        "type": "library", "bom-ref": reference(library),
        "name": library.name, "version": library.version,
    });
    if !library.is_ours {
        component["purl"] = json!(reference(library));
    }
    if let Some(license) = &library.license {
        // An older spelling that some still have.
        let expression = license.replace('/', " OR ");
        component["licenses"] = json!([{"expression": expression}]);
    }
    if let Some(sum) = checksums.get(&(library.name.clone(), library.version.clone())) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": sum}]);
    }
    if let Some(repository) = &library.repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    component
}

fn reference(library: &Library) -> String {
    format!("pkg:cargo/{}@{}", library.name, library.version)
}

/// Of each package in `Cargo.lock`, by its name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let begin = format!("{key} = \"");
        let line = block.lines().find_map(|line| line.strip_prefix(&begin));
        line.and_then(|rest| rest.strip_suffix('"'))
            .map(str::to_owned)
    };
    lock.split("[[package]]")
        .filter_map(|block| {
            let package = (value(block, "name")?, value(block, "version")?);
            Some((package, value(block, "checksum")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_library_with_its_licence_and_sum() {
        let lock = "[[package]]\nname = \"ring\"\nversion = \"0.17.1\"\nchecksum = \"ab12\"\n\n\
                    [[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n";
        let libraries = [Library {
            id: "registry#ring".into(),
            name: "ring".into(),
            version: "0.17.1".into(),
            license: Some("MIT/Apache-2.0".into()),
            repository: None,
            is_ours: false,
            manifest: String::new(),
            needs: ["registry#ring".to_owned()].into(),
        }];
        let bill = bill(&libraries, &checksums(lock), "0.1.0");
        let ring = &bill["components"][0];
        assert_eq!(ring["purl"], "pkg:cargo/ring@0.17.1");
        assert_eq!(ring["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(ring["hashes"][0]["content"], "ab12");
        assert_eq!(
            bill["dependencies"][0]["dependsOn"][0],
            "pkg:cargo/ring@0.17.1"
        );
    }

    #[test]
    fn the_projects_own_bill_has_its_programs_and_what_they_stand_on() {
        let names: Vec<_> = libraries()
            .unwrap()
            .into_iter()
            .map(|own| own.name)
            .collect();
        for name in [
            "lanparty-relay",
            "lanparty-client-win",
            "noq-proto",
            "ring",
            "windows-sys",
        ] {
            assert!(names.iter().any(|own| own == name), "{name}");
        }
        for name in ["proptest", "xtask", "divan"] {
            assert!(!names.iter().any(|own| own == name), "{name}");
        }
    }
}
