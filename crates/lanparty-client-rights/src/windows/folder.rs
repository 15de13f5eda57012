//! A folder that nobody else has prepared.
//!
//! Anybody may make a folder below `%ProgramData%`, or a junction that leads elsewhere, before the service first does.
//! So what is there already counts only if it is a folder, belongs to whom it should, and nobody else may write into it;
//! anything else is moved aside. Inside, nobody else can plant anything.
#![allow(unsafe_code, reason = "security descriptors have no safe wrapper")]

use super::descriptor::Descriptor;
use super::process::{own_account, sid_in_words};
use super::{check, wide};
use crate::access::OF_FOLDER;
use std::ffi::{OsString, c_void};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStringExt as _;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::windows::io::AsRawHandle as _;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::Security::Authorization::{GetSecurityInfo, SE_FILE_OBJECT};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, DACL_SECURITY_INFORMATION, GetAce,
    OWNER_SECURITY_INFORMATION, PSID,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateDirectoryW, FILE_APPEND_DATA, FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_REPARSE_POINT,
    FILE_DELETE_CHILD, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE,
    FILE_WRITE_ATTRIBUTES, FILE_WRITE_DATA, FILE_WRITE_EA, READ_CONTROL, WRITE_DAC, WRITE_OWNER,
};
use windows_sys::Win32::System::Com::CoTaskMemFree;
use windows_sys::Win32::UI::Shell::{FOLDERID_ProgramData, SHGetKnownFolderPath};

/// The system and its administrators.
const TRUSTED: [&str; 2] = ["S-1-5-18", "S-1-5-32-544"];
/// `TrustedInstaller`, which owns what Windows has brought.
const INSTALLER: &str = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
/// Stands for whoever will own what is made in there, not for somebody.
const CREATOR_OWNER: &str = "S-1-3-0";
/// Any of these lets somebody put something into a folder, or take the folder away.
const GENERIC_ALL: u32 = 0x1000_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
const DELETE: u32 = 0x1_0000;
const CHANGES: u32 = FILE_WRITE_DATA
    | FILE_APPEND_DATA
    | FILE_WRITE_EA
    | FILE_WRITE_ATTRIBUTES
    | FILE_DELETE_CHILD
    | DELETE
    | WRITE_DAC
    | WRITE_OWNER
    | GENERIC_ALL
    | GENERIC_WRITE;
/// How many moved folders may lie beside it.
const MOVES: u32 = 1000;

/// `%ProgramData%`, from the system itself: whoever starts an elevated program chooses its environment.
///
/// # Errors
/// What the system says.
pub fn program_data() -> io::Result<PathBuf> {
    let mut path = null_mut();
    // SAFETY: a known folder's id, nobody's token; the answer is a text that becomes ours.
    let result =
        unsafe { SHGetKnownFolderPath(&FOLDERID_ProgramData, 0, null_mut(), &raw mut path) };
    if result < 0 {
        return Err(io::Error::from_raw_os_error(result));
    }
    // SAFETY: as above: it ends with a zero.
    let text = unsafe {
        let length = (0..).take_while(|&at| *path.add(at) != 0).count();
        OsString::from_wide(std::slice::from_raw_parts(path, length))
    };
    // SAFETY: allocated for us by the call above, and not used any more.
    unsafe { CoTaskMemFree(path.cast()) };
    Ok(text.into())
}

/// Makes a folder that only the system and administrators may look into, or takes the one that is there if it is one
/// like that. Answers with what was moved aside, if there was something else.
///
/// # Errors
/// What the system says.
pub fn private_folder(path: &Path) -> io::Result<Option<PathBuf>> {
    match create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map(|()| None),
    }
    if is_private(path)? {
        return Ok(None);
    }
    let aside = move_aside(path)?;
    create(path)?;
    Ok(Some(aside))
}

fn create(path: &Path) -> io::Result<()> {
    let path = wide(path);
    // Only an administrator may make a folder in the administrators' name; for anybody else it is their own.
    let list = Descriptor::parse(OF_FOLDER)?;
    list.with_attributes(|attributes| {
        // SAFETY: a text that ends with a zero, and attributes that live as long as the call.
        check(unsafe { CreateDirectoryW(path.as_ptr(), attributes.cast()) })
    })
}

/// A folder itself, not where it leads, that belongs to somebody trusted and that nobody else may change.
fn is_private(path: &Path) -> io::Result<bool> {
    let folder = OpenOptions::new()
        .access_mode(FILE_READ_ATTRIBUTES | READ_CONTROL)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)?;
    if !is_folder_itself(folder.metadata()?.file_attributes()) {
        return Ok(false);
    }
    let own = own_account()?.sid;
    let rights = Rights::of(&folder)?;
    Ok(rights.nobody_else_writes(|sid| sid == own || TRUSTED.contains(&sid)))
}

/// No file, and no link, junction or other thing that leads elsewhere.
fn is_folder_itself(attributes: u32) -> bool {
    attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)
        == FILE_ATTRIBUTE_DIRECTORY
}

/// Nothing that was there is deleted: it may be somebody's.
fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let name = |number| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".not-ours-{number}"));
        PathBuf::from(name)
    };
    let is_free = |aside: &PathBuf| fs::symlink_metadata(aside).is_err();
    let aside = (1..MOVES).map(name).find(is_free);
    let aside = aside.ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Who may do what with a file.
#[derive(Debug)]
struct Rights {
    owner: String,
    /// Nothing: there is no list, and everybody may do everything.
    allowed: Option<Vec<(String, u32)>>,
}

impl Rights {
    fn of(file: &File) -> io::Result<Self> {
        let (mut owner, mut list, mut descriptor) = (null_mut(), null_mut(), null_mut());
        // SAFETY: an open file; the answers point into the descriptor, which becomes ours.
        let result = unsafe {
            GetSecurityInfo(
                file.as_raw_handle(),
                SE_FILE_OBJECT,
                OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                &raw mut owner,
                null_mut(),
                &raw mut list,
                null_mut(),
                &raw mut descriptor,
            )
        };
        if result != ERROR_SUCCESS {
            return Err(io::Error::from_raw_os_error(result.cast_signed()));
        }
        // SAFETY: allocated for us by the call above; lives until the end of this function.
        let _descriptor = unsafe { Descriptor::take(descriptor) };
        // SAFETY: a valid SID and a valid list in it, or no list.
        unsafe {
            Ok(Rights {
                owner: sid_in_words(owner)?,
                allowed: match list.is_null() {
                    true => None,
                    false => Some(allowed(list)?),
                },
            })
        }
    }

    fn nobody_else_writes(&self, is_trusted: impl Fn(&str) -> bool) -> bool {
        let is_trusted = |sid: &str| is_trusted(sid) || sid == INSTALLER;
        let harmless = |(sid, mask): &(String, u32)| {
            is_trusted(sid) || sid == CREATOR_OWNER || mask & CHANGES == 0
        };
        is_trusted(&self.owner)
            && self
                .allowed
                .as_ref()
                .is_some_and(|allowed| allowed.iter().all(harmless))
    }
}

/// Who is allowed what; an entry of an unknown kind counts as everything for somebody unknown.
///
/// # Safety
/// `list` must be a valid one.
unsafe fn allowed(list: *const ACL) -> io::Result<Vec<(String, u32)>> {
    const ACCESS_ALLOWED_ACE_TYPE: u8 = 0;
    const ACCESS_DENIED_ACE_TYPE: u8 = 1;
    let mut allowed = Vec::new();
    // SAFETY: a valid list.
    let count = unsafe { (*list).AceCount };
    for at in 0..u32::from(count) {
        let mut entry: *mut c_void = null_mut();
        // SAFETY: a valid list, with so many entries.
        check(unsafe { GetAce(list, at, &raw mut entry) })?;
        // SAFETY: each entry begins with its header.
        match unsafe { (*entry.cast::<ACE_HEADER>()).AceType } {
            ACCESS_ALLOWED_ACE_TYPE => {
                // SAFETY: of this kind, so it has a mask, and a SID from `SidStart` on.
                let (mask, sid) = unsafe {
                    let entry = entry.cast::<ACCESS_ALLOWED_ACE>();
                    let sid: PSID = (&raw mut (*entry).SidStart).cast();
                    ((*entry).Mask, sid_in_words(sid)?)
                };
                allowed.push((sid, mask));
            }
            ACCESS_DENIED_ACE_TYPE => {}
            _ => allowed.push((String::new(), u32::MAX)),
        }
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: &str = "S-1-5-21-1-2-3-1001";
    const USERS: &str = "S-1-5-32-545";
    const READ: u32 = 0x12_0089;

    #[test]
    fn a_folder_counts_if_nobody_else_may_write_into_it() {
        let rights = |owner: &str, allowed: &[(&str, u32)]| Rights {
            owner: owner.to_owned(),
            allowed: Some(
                allowed
                    .iter()
                    .map(|(sid, mask)| ((*sid).to_owned(), *mask))
                    .collect(),
            ),
        };
        let is_ours = |rights: Rights| rights.nobody_else_writes(|sid| TRUSTED.contains(&sid));
        let all = 0x1f_01ff;
        let [system, admins] = TRUSTED;
        assert!(is_ours(rights(system, &[(system, all), (admins, all)])));
        assert!(is_ours(rights(
            admins,
            &[(USERS, READ), (CREATOR_OWNER, GENERIC_ALL)]
        )));
        // Whoever owns it may change its list.
        assert!(!is_ours(rights(ANNA, &[(system, all)])));
        assert!(!is_ours(rights(admins, &[(ANNA, all)])));
        // What a folder below %ProgramData% inherits: make files (2) and folders (4).
        for one in [
            0x2,
            0x4,
            0x10,
            0x40,
            0x100,
            DELETE,
            WRITE_DAC,
            WRITE_OWNER,
            GENERIC_WRITE,
        ] {
            assert!(!is_ours(rights(admins, &[(USERS, READ | one)])), "{one:#x}");
        }
        let open = Rights {
            owner: system.to_owned(),
            allowed: None,
        };
        assert!(!is_ours(open));
    }

    #[test]
    fn a_folder_is_made_once_and_taken_again() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("ours");
        assert_eq!(private_folder(&folder).unwrap(), None);
        fs::write(folder.join("kept"), "x").unwrap();
        assert_eq!(private_folder(&folder).unwrap(), None);
        assert!(folder.join("kept").exists());
    }

    #[test]
    fn what_somebody_put_in_its_place_is_moved_aside() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("ours");
        fs::write(&folder, "a file").unwrap();
        let aside = private_folder(&folder).unwrap().unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), "a file");
        assert!(folder.is_dir());
    }

    /// Wine makes no links, and says that it did; on Windows it takes an administrator.
    #[test]
    fn a_link_that_leads_elsewhere_is_moved_aside_and_not_followed() {
        let is_link = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;
        assert!(is_folder_itself(FILE_ATTRIBUTE_DIRECTORY));
        assert!(!is_folder_itself(is_link) && !is_folder_itself(0));

        let place = tempfile::tempdir().unwrap();
        let (folder, elsewhere) = (place.path().join("ours"), place.path().join("theirs"));
        fs::create_dir(&elsewhere).unwrap();
        let made = std::os::windows::fs::symlink_dir(&elsewhere, &folder);
        if made.is_err() || fs::symlink_metadata(&folder).is_err() {
            return;
        }
        let aside = private_folder(&folder).unwrap().unwrap();
        fs::write(folder.join("secret"), "x").unwrap();
        assert!(!elsewhere.join("secret").exists());
        assert!(fs::symlink_metadata(aside).unwrap().is_symlink());
    }

    #[test]
    fn where_programs_keep_data_is_a_folder() {
        assert!(program_data().unwrap().is_dir());
    }
}
