//! Which adapter is ours: what the registry says about network adapters, and the choice among them.

use crate::driver::DriverVersion;
use lanparty_client_route::AdapterGuid;
use lanparty_proto::MacAddr;
use std::fmt;
use std::io;

/// The device class of network adapters (`GUID_DEVCLASS_NET`), as registry keys spell it.
pub const NET_CLASS: &str = "{4D36E972-E325-11CE-BFC1-08002BE10318}";

/// The driver's hardware ids, the one that `tapctl` uses first: drivers know one of them or both.
pub const HARDWARE_IDS: [&str; 2] = [r"root\tap0901", "tap0901"];

/// What the device instance of an adapter that we make begins with; a number follows. Nobody else has it, so
/// it can be removed by whoever knows only that there may be one.
pub const OWN_INSTANCE: &str = r"ROOT\SOFTLAN-VPN\";

/// What the network connections call the adapter that we make.
pub const OWN_NAME: &str = "softlan-vpn";

/// A TAP-Windows6 adapter that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// What names it for good.
    pub guid: AdapterGuid,
    /// Its key below the device class, like `0007`.
    pub class_key: String,
    /// What the network connections call it, like `Ethernet 3`.
    pub name: Option<String>,
    /// Its device instance, like `ROOT\NET\0000`.
    pub instance: Option<String>,
}

/// What an adapter says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdapterFacts {
    /// The driver's.
    pub version: DriverVersion,
    /// The one it has now.
    pub mac: MacAddr,
    /// The largest packet the driver takes, in bytes.
    pub mtu: u32,
}

impl Adapter {
    /// Whether it is the one that we make.
    pub fn is_own(&self) -> bool {
        let instance = self.instance.as_deref();
        let start = instance.and_then(|instance| instance.get(..OWN_INSTANCE.len()));
        start.is_some_and(|start| start.eq_ignore_ascii_case(OWN_INSTANCE))
    }

    /// The file by which programs open it.
    pub fn device_path(&self) -> String {
        format!(r"\\.\Global\{}.tap", self.guid)
    }

    /// The registry key of its driver, below `HKEY_LOCAL_MACHINE`.
    pub fn driver_key(&self) -> String {
        format!("{}\\{}", class_key(), self.class_key)
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("without a name");
        write!(f, "{} ({name})", self.guid)
    }
}

/// The registry key whose subkeys are the network adapters, below `HKEY_LOCAL_MACHINE`.
pub fn class_key() -> String {
    format!(r"SYSTEM\CurrentControlSet\Control\Class\{NET_CLASS}")
}

/// The registry key of an adapter's place among the network connections.
pub fn connection_key(guid: AdapterGuid) -> String {
    format!(r"SYSTEM\CurrentControlSet\Control\Network\{NET_CLASS}\{guid}\Connection")
}

/// A list of one text as the registry has it: UTF-16, each text with a zero behind it and one more behind
/// the last.
pub fn multi_string(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0, 0]).collect()
}

/// The one error about devices that could not be removed, each with what the system says; nothing when there are
/// none, or when they have gone meanwhile.
pub fn left_behind(left: Vec<(String, io::Error)>) -> Option<io::Error> {
    let left: Vec<_> = left
        .into_iter()
        .filter(|(_, error)| error.kind() != io::ErrorKind::NotFound)
        .map(|(instance, error)| format!("{instance} ({error})"))
        .collect();
    if left.is_empty() {
        return None;
    }
    let left = left.join(", ");
    Some(io::Error::other(format!(
        "Windows keeps {left}; remove it in the device manager"
    )))
}

/// Whether a `ComponentId` or `MatchingDeviceId` is TAP-Windows6.
pub fn is_tap(component: &str) -> bool {
    HARDWARE_IDS
        .iter()
        .any(|id| component.eq_ignore_ascii_case(id))
}

/// Why no adapter can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// The driver is not installed, or has no adapter.
    #[error(
        "there is no TAP-Windows6 adapter on this PC; install the TAP-Windows driver (tap0901) and \
         start again"
    )]
    None,
    /// The adapter that was asked for is another one, or gone.
    #[error("there is no TAP-Windows6 adapter {0}; --list-tap-adapters shows which there are")]
    Unknown(AdapterGuid),
    /// Any of them may belong to another program.
    #[error("there are several TAP-Windows6 adapters; choose one with --tap-instance-id: {0}")]
    Several(String),
}

/// Takes the adapter that is wanted, or the only one.
///
/// # Errors
/// [`ChooseError`]: none, not the wanted one, or several and no word about which.
pub fn choose(adapters: &[Adapter], wanted: Option<AdapterGuid>) -> Result<&Adapter, ChooseError> {
    match (wanted, adapters) {
        (_, []) => Err(ChooseError::None),
        (Some(guid), adapters) => adapters
            .iter()
            .find(|adapter| adapter.guid == guid)
            .ok_or(ChooseError::Unknown(guid)),
        (None, [only]) => Ok(only),
        (None, several) => {
            let names: Vec<_> = several.iter().map(ToString::to_string).collect();
            Err(ChooseError::Several(names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_known_in_any_spelling() {
        for id in ["tap0901", "TAP0901", r"root\tap0901", r"ROOT\TAP0901"] {
            assert!(is_tap(id), "{id}");
        }
        for id in ["", "tap0801", "tap09012", r"root\wintun", r"pci\tap0901"] {
            assert!(!is_tap(id), "{id}");
        }
    }

    #[test]
    fn the_only_adapter_needs_no_choice() {
        let one = [adapter(1)];
        assert_eq!(choose(&one, None), Ok(&one[0]));
        assert_eq!(choose(&[], None), Err(ChooseError::None));
    }

    #[test]
    fn of_several_one_must_be_named() {
        let two = [adapter(1), adapter(2)];
        let sentence = choose(&two, None).unwrap_err().to_string();
        assert!(sentence.contains("--tap-instance-id") && sentence.contains("Ethernet 2"));
        assert_eq!(choose(&two, Some(two[1].guid)), Ok(&two[1]));
        let other = AdapterGuid::from_u128(3);
        assert_eq!(choose(&two, Some(other)), Err(ChooseError::Unknown(other)));
    }

    #[test]
    fn our_own_adapter_is_known_by_its_device() {
        assert!(!adapter(1).is_own());
        let own = Adapter {
            instance: Some(r"root\softlan-vpn\0000".into()),
            ..adapter(1)
        };
        assert!(own.is_own());
    }

    #[test]
    fn a_hardware_id_is_a_list_of_one() {
        assert_eq!(multi_string("ab"), [0x61, 0x62, 0, 0]);
        assert!(HARDWARE_IDS.into_iter().all(is_tap));
    }

    #[test]
    fn what_could_not_be_removed_is_told_in_one_sentence() {
        let device = |number: u8, kind: io::ErrorKind| (own(number), kind.into());
        let error = left_behind(vec![
            device(1, io::ErrorKind::PermissionDenied),
            device(2, io::ErrorKind::NotFound),
            device(3, io::ErrorKind::PermissionDenied),
        ]);
        let sentence = error.unwrap().to_string();
        let is_told = |number| sentence.contains(&own(number));
        assert!(is_told(1) && !is_told(2) && is_told(3), "{sentence}");
        assert!(left_behind(vec![device(2, io::ErrorKind::NotFound)]).is_none());
    }

    #[test]
    fn a_program_opens_it_by_its_guid() {
        assert_eq!(
            adapter(7).device_path(),
            r"\\.\Global\{00000000-0000-0000-0000-000000000007}.tap"
        );
    }

    fn own(number: u8) -> String {
        format!("{OWN_INSTANCE}{number:04}")
    }

    fn adapter(number: u8) -> Adapter {
        Adapter {
            guid: AdapterGuid::from_u128(number.into()),
            class_key: format!("{number:04}"),
            name: Some(format!("Ethernet {number}")),
            instance: None,
        }
    }
}
