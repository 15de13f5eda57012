//! The files of a package, laid out as on the machine that gets them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::succeeds;

/// A folder that stands for `/`.
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// An empty one.
    pub(super) fn new(root: PathBuf) -> Result<Self> {
        let _ = fs::remove_dir_all(&root);
        let tree = Self { root };
        tree.folder(&tree.root)?;
        Ok(tree)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Puts a file there, with the folders that lead to it.
    pub(super) fn write(&self, to: &str, bytes: impl AsRef<[u8]>, mode: u32) -> Result<PathBuf> {
        let path = self.root.join(to);
        if let Some(folder) = path.parent() {
            self.folder(folder)?;
        }
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .with_context(|| format!("set the mode of {}", path.display()))?;
        Ok(path)
    }

    pub(super) fn copy(&self, from: &Path, to: &str, mode: u32) -> Result<PathBuf> {
        let bytes = fs::read(from).with_context(|| format!("read {}", from.display()))?;
        self.write(to, bytes, mode)
    }

    /// The same compressed, with `.gz` behind its name and no date in it.
    pub(super) fn write_compressed(&self, to: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        let path = self.write(to, bytes, 0o644)?;
        succeeds(Command::new("gzip").arg("-9nf").arg(path))
    }

    /// Every file below `part`, by its name from the root, in order.
    pub(super) fn files(&self, part: &str) -> Result<Vec<String>> {
        let mut files = Vec::new();
        self.collect(&self.root.join(part), &mut files)?;
        files.sort();
        Ok(files)
    }

    fn collect(&self, folder: &Path, files: &mut Vec<String>) -> Result<()> {
        let entries = fs::read_dir(folder);
        for entry in entries.with_context(|| format!("list {}", folder.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.collect(&entry.path(), files)?;
            } else {
                let path = entry.path();
                let name = path.strip_prefix(&self.root).context("a name below")?;
                files.push(name.to_string_lossy().into_owned());
            }
        }
        Ok(())
    }

    /// Whatever this user's mask is, folders can be read by everybody.
    fn folder(&self, folder: &Path) -> Result<()> {
        let say = || format!("make {}", folder.display());
        fs::create_dir_all(folder).with_context(say)?;
        let below = folder
            .ancestors()
            .take_while(|part| part.starts_with(&self.root));
        for part in below {
            fs::set_permissions(part, Permissions::from_mode(0o755)).with_context(say)?;
        }
        Ok(())
    }
}
