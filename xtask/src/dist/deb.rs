//! A Debian package: the tree, what dpkg wants to know of it, and the scripts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::contents::{File, LOCAL_PROGRAMS, Package, SETTINGS, Unit};
use super::release::{HOMEPAGE, MAINTAINER, Release};
use super::tree::Tree;
use super::{notices, output, scripts, succeeds, work};

/// Where programs are that a package brings.
const PROGRAMS: &str = "/usr/bin/";
const UNITS: &str = "usr/lib/systemd/system";

/// Makes a package of the programs in that folder, and answers with its file.
pub(crate) fn make(
    package: &Package,
    programs: &Path,
    release: &Release,
    out: &Path,
) -> Result<PathBuf> {
    let work = work()?;
    let tree = Tree::new(work.join(package.name))?;
    for program in package.programs {
        place_program(&tree, &programs.join(program), program)?;
        let placed = tree.root().join("usr/bin").join(program);
        place_manual(&tree, program, &placed, str::to_owned)?;
    }
    for File { from, to } in package.files {
        tree.write(to, adapted(from, PROGRAMS)?, 0o644)?;
    }
    for unit in package.units {
        let to = format!("{UNITS}/{}", unit.name());
        tree.write(&to, adapted(unit.file, PROGRAMS)?, 0o644)?;
    }
    place_documents(&tree, package, release)?;
    place_control(&tree, package, release, &work)?;
    build(&tree, package, release, out)
}

/// A text of the repository, with the programs where this package has them.
pub(super) fn adapted(file: &str, programs: &str) -> Result<Vec<u8>> {
    let bytes = fs::read(file).with_context(|| format!("read {file}"))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.replace(LOCAL_PROGRAMS, programs).into_bytes()),
        Err(picture) => Ok(picture.into_bytes()),
    }
}

/// Without what only a debugger reads.
fn place_program(tree: &Tree, program: &Path, name: &str) -> Result<()> {
    let placed = tree.copy(program, &format!("usr/bin/{name}"), 0o755)?;
    succeeds(Command::new("strip").arg("--strip-unneeded").arg(placed))
}

/// What the program says of itself (`lanparty_edge::manual`); `place` may have another idea of where that belongs.
pub(super) fn place_manual(
    tree: &Tree,
    program: &str,
    placed: &Path,
    place: impl Fn(&str) -> String,
) -> Result<()> {
    let written = Tree::new(work()?.join(format!("{program}-manual")))?;
    succeeds(
        Command::new(placed)
            .arg("--write-manual")
            .arg(written.root()),
    )?;
    for file in written.files("")? {
        let text = fs::read(written.root().join(&file)).context("read the manual")?;
        if file.ends_with(".1") {
            tree.write_compressed(&place(&format!("usr/share/man/man1/{file}")), text)?;
        } else {
            tree.write(&place(&completion_place(&file, program)), text, 0o644)?;
        }
    }
    Ok(())
}

/// Where each shell looks for what it completes.
fn completion_place(file: &str, program: &str) -> String {
    match Path::new(file).extension().and_then(|end| end.to_str()) {
        Some("bash") => format!("usr/share/bash-completion/completions/{program}"),
        Some("fish") => format!("usr/share/fish/vendor_completions.d/{file}"),
        _ => format!("usr/share/zsh/vendor-completions/{file}"),
    }
}

fn place_documents(tree: &Tree, package: &Package, release: &Release) -> Result<()> {
    let folder = format!("usr/share/doc/{}", package.name);
    tree.write(&format!("{folder}/copyright"), copyright()?, 0o644)?;
    let changelog = release.debian_changelog(package.name)?;
    tree.write_compressed(&format!("{folder}/changelog"), changelog)?;
    let notices = notices::text()?;
    tree.write_compressed(&format!("{folder}/third-party-notices"), notices)
}

fn copyright() -> Result<String> {
    let mit = fs::read_to_string("LICENSE-MIT").context("read LICENSE-MIT")?;
    let holder = mit
        .lines()
        .find_map(|line| line.strip_prefix("Copyright (c) "))
        .context("LICENSE-MIT names nobody")?;
    let terms: Vec<_> = mit
        .lines()
        .skip_while(|line| !line.starts_with("Permission is"))
        .map(|line| {
            if line.is_empty() {
                " .".to_owned()
            } else {
                format!(" {line}")
            }
        })
        .collect();
    Ok(format!(
        "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: softlan-vpn
Source: {HOMEPAGE}
Comment: The programs contain libraries of others, with these terms and their
 own: third-party-notices.gz beside this file has them all.

Files: *
Copyright: {holder}
License: MIT or Apache-2.0

License: MIT
{}

License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.
",
        terms.join("\n")
    ))
}

fn place_control(tree: &Tree, package: &Package, release: &Release, work: &Path) -> Result<()> {
    let installed = tree.files("")?;
    let sums = output(
        Command::new("md5sum")
            .args(&installed)
            .current_dir(tree.root()),
    )?;
    let bytes = installed.iter().map(|file| {
        let size = fs::metadata(tree.root().join(file));
        size.map_or(0, |size| size.len().div_ceil(1024))
    });
    let kilobytes = bytes.sum();
    let depends = depends(tree, package, work)?;
    tree.write("DEBIAN/md5sums", sums, 0o644)?;
    tree.write(
        "DEBIAN/control",
        control(package, &release.version, &depends, kilobytes)?,
        0o644,
    )?;
    let settings: String = installed
        .iter()
        .filter(|file| file.starts_with(SETTINGS))
        .map(|file| format!("/{file}\n"))
        .collect();
    if !settings.is_empty() {
        tree.write("DEBIAN/conffiles", settings, 0o644)?;
    }
    for (name, text) in scripts::of(package) {
        tree.write(&format!("DEBIAN/{name}"), text, 0o755)?;
    }
    Ok(())
}

/// What the programs are linked with, as Debian's own tool finds it, and what the package says.
fn depends(tree: &Tree, package: &Package, work: &Path) -> Result<Vec<String>> {
    let source = Tree::new(work.join("shlibdeps"))?;
    source.write(
        "debian/control",
        "Source: none\n\nPackage: none\nArchitecture: any\n",
        0o644,
    )?;
    let programs = package
        .programs
        .iter()
        .map(|name| tree.root().join("usr/bin").join(name));
    let found = output(
        Command::new("dpkg-shlibdeps")
            .args(["-O", "--warnings=0"])
            .args(programs)
            .current_dir(source.root()),
    )?;
    let libraries = found
        .trim()
        .strip_prefix("shlibs:Depends=")
        .unwrap_or_default();
    let mut all: Vec<_> = libraries
        .split(", ")
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if package.group.is_some() {
        all.push("systemd | systemd-standalone-sysusers | systemd-sysusers".to_owned());
    }
    all.extend(package.depends.iter().map(|&name| name.to_owned()));
    Ok(all)
}

fn control(package: &Package, version: &str, depends: &[String], kilobytes: u64) -> Result<String> {
    let mut text = format!(
        "\
Package: {}
Version: {version}
Architecture: {}
Maintainer: {MAINTAINER}
Installed-Size: {kilobytes}
Section: {}
Priority: optional
Homepage: {HOMEPAGE}
",
        package.name,
        architecture()?,
        package.section,
    );
    let relations = [
        ("Depends", depends.join(", ")),
        ("Recommends", package.recommends.join(", ")),
    ];
    for (field, names) in relations.iter().filter(|(_, names)| !names.is_empty()) {
        text += &format!("{field}: {names}\n");
    }
    text += &format!("Description: {}\n", package.summary);
    for (index, paragraph) in package.description.iter().enumerate() {
        if index > 0 {
            text += " .\n";
        }
        text += &folded(paragraph);
    }
    Ok(text)
}

/// Lines of at most 78 characters, each behind a space.
fn folded(paragraph: &str) -> String {
    let mut text = String::new();
    let mut line = String::new();
    for word in paragraph.split_whitespace() {
        if line.len() + 1 + word.len() > 78 {
            text += &format!("{line}\n");
            line.clear();
        }
        line += &format!(" {word}");
    }
    text + &line + "\n"
}

fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => anyhow::bail!("packages are not made for {other}"),
    }
}

fn build(tree: &Tree, package: &Package, release: &Release, out: &Path) -> Result<PathBuf> {
    let name = format!(
        "{}_{}_{}.deb",
        package.name,
        release.version,
        architecture()?
    );
    let file = out.join(name);
    // xz: what older systems read as well.
    let compressed: &[&str] = match release.is_draft {
        true => &["-Zgzip", "-z1"],
        false => &["-Zxz"],
    };
    let built = Command::new("dpkg-deb")
        .arg("--root-owner-group")
        .args(compressed)
        .arg("--build")
        .arg(tree.root())
        .arg(&file)
        .env("SOURCE_DATE_EPOCH", release.seconds.to_string())
        .output()
        .context("run dpkg-deb")?;
    ensure!(
        built.status.success(),
        "dpkg-deb failed: {}",
        String::from_utf8_lossy(&built.stderr)
    );
    Ok(file)
}

/// Where the package puts a unit; for who looks at it afterwards.
pub(crate) fn unit_place(unit: &Unit) -> String {
    format!("/{UNITS}/{}", unit.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::contents::packages;

    #[test]
    fn control_says_what_dpkg_asks() {
        let packages = packages();
        let depends = ["libc6 (>= 2.17)".to_owned()];
        let text = control(&packages[0], "0.1.0", &depends, 1234).unwrap();
        for line in [
            "Package: lanparty-relay",
            "Version: 0.1.0",
            "Installed-Size: 1234",
            "Depends: libc6 (>= 2.17)",
            " .",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in:\n{text}");
        }
        assert!(text.lines().all(|line| line.len() < 80), "{text}");
        assert!(!text.contains("Recommends"));
    }

    #[test]
    fn each_shell_has_its_place() {
        assert!(completion_place("_lanparty", "lanparty").contains("zsh"));
        assert!(completion_place("lanparty.fish", "lanparty").ends_with("lanparty.fish"));
        assert!(completion_place("lanparty.bash", "lanparty").ends_with("/lanparty"));
    }
}
