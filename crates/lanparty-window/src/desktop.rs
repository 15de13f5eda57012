//! How the desktop wants things to look: dark or light, and how large the text.

#[cfg_attr(target_os = "linux", path = "desktop/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "desktop/other.rs")]
mod imp;

pub(crate) use imp::follow;
