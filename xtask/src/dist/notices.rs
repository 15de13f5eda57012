//! Whose libraries are in the programs, and the terms that they want to be told with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::output;
use crate::cargo::cargo;

/// The programs that people get.
const ROOTS: [&str; 5] = [
    "lanparty-relay",
    "lanparty-gateway",
    "lanparty-client-linux",
    "lanparty-client-win",
    "lanparty-window",
];

/// A library, as cargo knows it.
pub(super) struct Library {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: Option<String>,
    pub(super) repository: Option<String>,
    /// Whether it is this project's own.
    pub(super) is_ours: bool,
    pub(super) manifest: String,
    /// What it needs in turn, by their ids.
    pub(super) needs: BTreeSet<String>,
}

/// Everything that is in the programs, on any system: what only builds or tests them is not.
pub(super) fn libraries() -> Result<Vec<Library>> {
    let text = output(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&text).context("read cargo's metadata")?;
    Ok(reached(&metadata))
}

fn reached(metadata: &Value) -> Vec<Library> {
    let nodes = list(&metadata["resolve"]["nodes"]);
    let needs: BTreeMap<&str, BTreeSet<String>> = nodes
        .iter()
        .map(|node| (word(&node["id"]), needs(node)))
        .collect();
    let packages = list(&metadata["packages"]);
    let roots = packages
        .iter()
        .filter(|package| ROOTS.contains(&word(&package["name"])));
    let mut waiting: Vec<String> = roots.map(|root| word(&root["id"]).to_owned()).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        let next = needs.get(&*id).into_iter().flatten().cloned();
        if seen.insert(id.clone()) {
            waiting.extend(next);
        }
    }
    let mut libraries: Vec<_> = packages
        .iter()
        .filter(|package| seen.contains(word(&package["id"])))
        .map(|package| library(package, &needs))
        .collect();
    libraries.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    libraries
}

/// Normal dependencies only; those for building and testing have a kind.
fn needs(node: &Value) -> BTreeSet<String> {
    let is_normal = |need: &&Value| {
        list(&need["dep_kinds"])
            .iter()
            .any(|kind| kind["kind"].is_null())
    };
    list(&node["deps"])
        .iter()
        .filter(is_normal)
        .map(|need| word(&need["pkg"]).to_owned())
        .collect()
}

fn library(package: &Value, needs: &BTreeMap<&str, BTreeSet<String>>) -> Library {
    let text = |field: &str| package[field].as_str().map(str::to_owned);
    let id = word(&package["id"]);
    Library {
        id: id.to_owned(),
        name: word(&package["name"]).to_owned(),
        version: word(&package["version"]).to_owned(),
        license: text("license"),
        repository: text("repository"),
        is_ours: package["source"].is_null(),
        manifest: word(&package["manifest_path"]).to_owned(),
        needs: needs.get(id).cloned().unwrap_or_default(),
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Each licence text once, with the libraries that have it.
pub(super) fn text() -> Result<String> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut list = String::new();
    for library in libraries()? {
        let manifest = Path::new(&library.manifest);
        // Of ours, only what we have from others has terms of its own.
        let (name, texts_there) = match library.is_ours {
            true => (
                format!("fonts of {}", library.name),
                license_texts(&manifest.with_file_name("fonts").join("Cargo.toml")),
            ),
            false => (
                format!("{} {}", library.name, library.version),
                license_texts(manifest),
            ),
        };
        if !library.is_ours {
            let license = library.license.as_deref().unwrap_or("see its own file");
            list += &format!("  {name}: {license}\n");
        }
        for text in texts_there {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let mut whole = format!("Libraries in these programs, and their licences:\n\n{list}");
    for (text, names) in texts {
        let rule = "-".repeat(76);
        whole += &format!("\n{rule}\n{}:\n\n{}\n", names.join(", "), text.trim_end());
    }
    Ok(whole)
}

/// What lies beside the manifest and is named as such.
fn license_texts(manifest: &Path) -> Vec<String> {
    let folder = manifest
        .parent()
        .and_then(|folder| fs::read_dir(folder).ok());
    let files = folder.into_iter().flatten().flatten();
    let mut paths: Vec<_> = files
        .map(|file| file.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.to_uppercase();
            ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"]
                .iter()
                .any(|begin| name.starts_with(begin))
        })
        .collect();
    paths.sort();
    paths
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_in_a_program_counts() {
        let package = |name: &str, source: Option<&str>| {
            json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT",
                   "source": source, "manifest_path": "/x/Cargo.toml", "repository": null})
        };
        let need =
            |name: &str, kind: Option<&str>| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [
                package("lanparty-relay", None), package("ring", Some("registry")),
                package("cc", Some("registry")), package("proptest", Some("registry")),
                package("untrusted", Some("registry")),
            ],
            "resolve": {"nodes": [
                {"id": "lanparty-relay", "deps": [need("ring", None), need("proptest", Some("dev"))]},
                {"id": "ring", "deps": [need("untrusted", None), need("cc", Some("build"))]},
                {"id": "untrusted", "deps": []}, {"id": "cc", "deps": []}, {"id": "proptest", "deps": []},
            ]},
        });
        let libraries = reached(&metadata);
        let names: Vec<_> = libraries.iter().map(|library| &*library.name).collect();
        assert_eq!(names, ["lanparty-relay", "ring", "untrusted"]);
        assert!(libraries[0].is_ours && !libraries[1].is_ours);
        assert_eq!(libraries[1].needs, BTreeSet::from(["untrusted".to_owned()]));
    }
}
