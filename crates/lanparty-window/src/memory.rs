//! What the window remembers from one start to the next: nothing about the session, which is the service's.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The first page was read, or a party joined.
    pub welcomed: bool,
    /// It was said that the window goes on in the tray.
    pub knows_tray: bool,
    /// What the player wants to be called.
    pub name: Option<String>,
    /// How much larger than usual everything is; nothing for the usual size.
    pub zoom: Option<f32>,
}

impl Memory {
    /// What a file has; a missing or spoilt one is as good as none.
    pub fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Writes it down, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let new = file.with_extension("new");
        fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        fs::rename(new, file)
    }

    /// How much larger than usual everything is, within what a window can show.
    pub fn zoom(&self) -> f32 {
        let zoom = self.zoom.unwrap_or(1.0);
        if zoom.is_finite() {
            zoom.clamp(0.8, 2.0)
        } else {
            1.0
        }
    }
}

/// Where this user's is kept.
pub(crate) fn file() -> Option<PathBuf> {
    let folder = if cfg!(windows) {
        PathBuf::from(env::var_os("APPDATA")?)
    } else if let Some(folder) = env::var_os("XDG_CONFIG_HOME").filter(|it| !it.is_empty()) {
        PathBuf::from(folder)
    } else {
        PathBuf::from(env::var_os("HOME")?).join(".config")
    };
    Some(folder.join("softlan-vpn").join("window.json"))
}

/// The user's name on this machine, as the service says it: on Windows with a domain, or the PC's name, before it.
pub(crate) fn account() -> Option<String> {
    let said = |name| env::var(name).ok().filter(|it| !it.is_empty());
    if !cfg!(windows) {
        return said("USER");
    }
    let name = said("USERNAME")?;
    Some(match said("USERDOMAIN") {
        Some(domain) => format!("{domain}\\{name}"),
        None => name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_and_read_and_a_spoilt_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/window.json");
        assert_eq!(Memory::read(&file), Memory::default());
        let memory = Memory {
            welcomed: true,
            knows_tray: false,
            name: Some("Bert".to_owned()),
            zoom: Some(1e9),
        };
        memory.write(&file).unwrap();
        assert_eq!(Memory::read(&file), memory);
        assert!((memory.zoom() - 2.0).abs() < 1e-6);
        fs::write(&file, "{\"welcomed\":").unwrap();
        assert_eq!(Memory::read(&file), Memory::default());
    }
}
