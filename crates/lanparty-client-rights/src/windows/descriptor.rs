//! An access list as Windows keeps it.
#![allow(unsafe_code, reason = "security descriptors have no safe wrapper")]

use super::{check, wide};
use std::ffi::c_void;
use std::io;
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, ConvertStringSidToSidW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID, SECURITY_ATTRIBUTES,
};

/// A security descriptor.
#[derive(Debug)]
pub struct Descriptor(PSECURITY_DESCRIPTOR);

// SAFETY: a block of memory that is ours alone and that nobody changes after it was made.
unsafe impl Send for Descriptor {}
// SAFETY: as above.
unsafe impl Sync for Descriptor {}

impl Descriptor {
    /// Reads Windows' own language, see [`crate::access`].
    ///
    /// # Errors
    /// When Windows does not understand it.
    pub fn parse(words: &str) -> io::Result<Self> {
        let (words, mut descriptor) = (wide(words), null_mut());
        // SAFETY: a text that ends with a zero; the answer is a block of memory that becomes ours.
        check(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                words.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                null_mut(),
            )
        })?;
        Ok(Descriptor(descriptor))
    }

    /// Takes a descriptor that Windows has allocated for us.
    ///
    /// # Safety
    /// It must be a valid one that `LocalFree` frees, and nobody else's.
    pub(super) unsafe fn take(descriptor: PSECURITY_DESCRIPTOR) -> Self {
        Descriptor(descriptor)
    }

    /// The access list in Windows' language, as Windows has understood it.
    ///
    /// # Errors
    /// What the system says.
    pub fn list(&self) -> io::Result<String> {
        let (mut text, mut length) = (null_mut(), 0);
        // SAFETY: a valid descriptor; the answer is a text of so many characters, which becomes ours.
        check(unsafe {
            ConvertSecurityDescriptorToStringSecurityDescriptorW(
                self.0,
                SDDL_REVISION_1,
                DACL_SECURITY_INFORMATION,
                &raw mut text,
                &raw mut length,
            )
        })?;
        // SAFETY: as above; the zero at the end may be counted.
        let words = unsafe { std::slice::from_raw_parts(text, length as usize) };
        let words = String::from_utf16_lossy(words);
        // SAFETY: allocated for us by the call above, and not used any more.
        unsafe { LocalFree(text.cast()) };
        Ok(words.trim_end_matches('\0').to_owned())
    }

    pub(super) fn as_ptr(&self) -> PSECURITY_DESCRIPTOR {
        self.0
    }

    /// Calls `make` with a pointer to the `SECURITY_ATTRIBUTES` of this descriptor, which are valid for so long; what is
    /// made is not handed to child processes.
    pub fn with_attributes<T>(&self, make: impl FnOnce(*mut c_void) -> T) -> T {
        let mut attributes = SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.0,
            bInheritHandle: 0,
        };
        make((&raw mut attributes).cast())
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: allocated by Windows for us, and nobody else has it.
        unsafe { LocalFree(self.0) };
    }
}

/// A SID of our own.
pub(super) struct Sid(PSID);

impl Sid {
    pub(super) fn as_ptr(&self) -> PSID {
        self.0
    }
}

impl Drop for Sid {
    fn drop(&mut self) {
        // SAFETY: allocated by Windows for us, and nobody else has it.
        unsafe { LocalFree(self.0) };
    }
}

/// The SID that is written like this.
pub(super) fn sid_of(words: &str) -> io::Result<Sid> {
    let (words, mut sid) = (wide(words), null_mut());
    // SAFETY: a text that ends with a zero; the answer is a block of memory that becomes ours.
    check(unsafe { ConvertStringSidToSidW(words.as_ptr(), &raw mut sid) })?;
    Ok(Sid(sid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{OF_FOLDER, OF_PIPE, OF_SERVICE};

    #[test]
    fn windows_reads_every_list_as_it_is_meant() {
        let list = |words| Descriptor::parse(words).unwrap().list().unwrap();
        assert_eq!(list(OF_PIPE), OF_PIPE);
        assert_eq!(format!("O:BAG:SY{}", list(OF_FOLDER)), OF_FOLDER);
        assert_eq!(list(OF_SERVICE), OF_SERVICE);
    }

    #[test]
    fn what_windows_does_not_understand_is_refused() {
        assert!(Descriptor::parse("D:P(A;;everything;;;IU)").is_err());
    }
}
