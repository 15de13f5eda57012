//! A Debian in a folder.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

const SUITE: &str = "bookworm";
const MIRROR: &str = "http://deb.debian.org/debian";
/// What changes by itself, or is no package's.
pub(super) const PASSING: [&str; 10] = [
    "/dev",
    "/proc",
    "/run",
    "/sys",
    "/tmp",
    "/var/cache",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/log",
    "/root",
];
/// Copies that tools make of what they change.
pub(super) const COPIES: [&str; 5] = [
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/.pwd.lock",
];

/// The smallest Debian that there is, and what has been done to it.
pub(super) struct Root {
    folder: PathBuf,
    /// What apt has fetched, for the next time.
    archives: PathBuf,
}

impl Root {
    /// A copy of one that is made once.
    pub(super) fn fresh(work: &Path) -> Result<Self> {
        let base = work.join("base");
        if !base.exists() {
            debootstrap(&base)?;
        }
        let root = Self {
            folder: work.join("root"),
            archives: work.join("archives"),
        };
        root.remove()?;
        let mut copy = Command::new("cp");
        copy.args(["-a", "--reflink=auto"]);
        let status = copy.arg(&base).arg(&root.folder).status();
        ensure!(
            status.context("run cp")?.success(),
            "the base could not be copied"
        );
        fs::create_dir_all(&root.archives).context("make a folder for what apt fetches")?;
        let resolver = fs::read("/etc/resolv.conf").unwrap_or_default();
        fs::write(root.inside("/etc/resolv.conf"), resolver).context("copy resolv.conf")?;
        Ok(root)
    }

    pub(super) fn remove(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).context("remove the test's Debian")?;
        }
        Ok(())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn inside(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }

    /// Runs a program in there, with a /proc and nothing else of this machine, and answers with what it said.
    pub(super) fn run(&self, words: &[&str]) -> Result<String> {
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c"])
            .arg("mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \"$@\"")
            .arg(&self.folder)
            .args(words)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", "/root")
            .output()
            .context("run unshare")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "{words:?} failed there:\n{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    /// Installs what these packages depend on, and not the packages.
    pub(super) fn satisfy(&self, debs: &[PathBuf]) -> Result<()> {
        let mut all = Vec::new();
        for deb in debs {
            let field = Command::new("dpkg-deb")
                .arg("-f")
                .arg(deb)
                .arg("Depends")
                .output();
            let field =
                String::from_utf8_lossy(&field.context("run dpkg-deb")?.stdout).into_owned();
            all.extend(
                field
                    .split(',')
                    .map(|one| one.trim().to_owned())
                    .filter(|one| !one.is_empty()),
            );
        }
        let all = all.join(", ");
        copy_files(&self.archives, &self.inside("/var/cache/apt/archives"))?;
        let satisfy = [
            "apt-get",
            "satisfy",
            "--yes",
            "--no-install-recommends",
            &all,
        ];
        let first = self.run(&satisfy);
        if first.is_err() {
            self.run(&["apt-get", "update"])?;
            self.run(&satisfy)?;
        }
        copy_files(&self.inside("/var/cache/apt/archives"), &self.archives)
    }

    /// `apt-get install ./…deb`, as a person would.
    pub(super) fn apt_install(&self, debs: &[PathBuf]) -> Result<String> {
        let mut words = vec![
            "apt-get".to_owned(),
            "install".into(),
            "--yes".into(),
            "--no-install-recommends".into(),
        ];
        for deb in debs {
            let name = deb
                .file_name()
                .context("a package has a name")?
                .to_string_lossy();
            fs::copy(deb, self.inside("/tmp").join(&*name)).context("bring a package")?;
            words.push(format!("/tmp/{name}"));
        }
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        self.run(&words)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.inside(path).exists()
    }

    pub(super) fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.inside(path)).with_context(|| format!("read {path} there"))
    }

    pub(super) fn write(&self, path: &str, text: &str, mode: u32) -> Result<()> {
        let file = self.inside(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("make the folder of {path}"))?;
        }
        fs::write(&file, text).with_context(|| format!("write {path} there"))?;
        fs::set_permissions(file, Permissions::from_mode(mode)).context("set a mode there")
    }

    /// Whether what stands for systemd was told to do this to that unit.
    pub(super) fn was_told(&self, log: &str, verb: &str, unit: &str) -> Result<bool> {
        let told = self.read(log)?;
        Ok(told.lines().any(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            words.contains(&verb) && words.contains(&unit)
        }))
    }

    /// Every file and folder, and who is in which group.
    pub(super) fn contents(&self) -> Result<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        self.collect(&self.folder, &mut all)?;
        for file in ["/etc/passwd", "/etc/group"] {
            let text = self.read(file)?;
            all.extend(text.lines().map(|line| format!("{file}: {line}")));
        }
        Ok(all)
    }

    fn collect(&self, folder: &Path, all: &mut BTreeSet<String>) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
            let entry = entry?;
            let path = entry.path();
            let name = path.strip_prefix(&self.folder).context("a name below")?;
            let name = format!("/{}", name.display());
            if PASSING.contains(&&*name) || COPIES.contains(&&*name) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                self.collect(&path, all)?;
            }
            all.insert(name);
        }
        Ok(())
    }
}

fn debootstrap(base: &Path) -> Result<()> {
    println!("Making a Debian to install on; this once takes a minute.");
    let making = base.with_extension("making");
    let _ = fs::remove_dir_all(&making);
    let mut debootstrap = Command::new("debootstrap");
    debootstrap
        .args(["--variant=minbase", SUITE])
        .arg(&making)
        .arg(MIRROR);
    let output = debootstrap.output().context("run debootstrap")?;
    ensure!(
        output.status.success(),
        "debootstrap failed: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    fs::rename(making, base).context("keep the Debian")
}

/// The packages in one folder that the other has not.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for file in fs::read_dir(from).context("list packages")? {
        let file = file?.path();
        let Some(name) = file
            .file_name()
            .filter(|_| file.extension().is_some_and(|end| end == "deb"))
        else {
            continue;
        };
        if !to.join(name).exists() {
            fs::copy(&file, to.join(name)).context("copy a package")?;
        }
    }
    Ok(())
}
