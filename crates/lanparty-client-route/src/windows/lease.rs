//! The address that DHCP lends.
#![allow(unsafe_code, reason = "the IP Helper API has no safe wrapper")]

use super::ip_helper::check;
use super::rows;
use crate::route::Luid;
use std::io;
use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_NO_DATA};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    ConvertInterfaceLuidToIndex, GetInterfaceInfo, IP_ADAPTER_INDEX_MAP, IP_INTERFACE_INFO,
    IpReleaseAddress,
};

/// How often the list of interfaces may grow while it is asked for.
const TRIES: usize = 4;

/// Gives the address that DHCP has lent an interface back to the server. Blocks until the word is sent,
/// which nobody answers.
///
/// # Errors
/// What the system says, above all that no address was lent.
pub fn release_lease(interface: Luid) -> io::Result<()> {
    let (luid, mut index) = (rows::luid(interface), 0);
    // SAFETY: both point to values of ours of the right types.
    check(unsafe { ConvertInterfaceLuidToIndex(&raw const luid, &raw mut index) })?;
    let adapter = adapters()?
        .into_iter()
        .find(|adapter| adapter.Index == index)
        .ok_or(io::ErrorKind::NotFound)?;
    // SAFETY: a value of ours that the system has made.
    check(unsafe { IpReleaseAddress(&raw const adapter) })
}

/// The interfaces with IPv4, as the functions for leases want them.
fn adapters() -> io::Result<Vec<IP_ADAPTER_INDEX_MAP>> {
    // Words, for the alignment; room for the few that a PC has.
    let mut table = vec![0_u32; 4096];
    for _ in 0..TRIES {
        let mut bytes = (table.len() * size_of::<u32>()) as u32;
        let info: *mut IP_INTERFACE_INFO = table.as_mut_ptr().cast();
        // SAFETY: there is room for as many bytes as said.
        match unsafe { GetInterfaceInfo(info, &raw mut bytes) } {
            ERROR_NO_DATA => return Ok(Vec::new()),
            ERROR_INSUFFICIENT_BUFFER => table.resize(bytes as usize, 0),
            result => {
                check(result)?;
                // SAFETY: the system has filled the table, which has as many entries behind its header
                // as it says.
                return Ok(unsafe {
                    let first = (&raw const (*info).Adapter).cast::<IP_ADAPTER_INDEX_MAP>();
                    let count = usize::try_from((*info).NumAdapters).unwrap_or(0);
                    std::slice::from_raw_parts(first, count).to_vec()
                });
            }
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}
