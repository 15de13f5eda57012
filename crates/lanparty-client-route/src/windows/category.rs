//! The Network List Manager: which network is behind an adapter, and its category.
#![allow(unsafe_code, reason = "COM has no safe wrapper")]

use crate::error::from_hresult;
use crate::guid::AdapterGuid;
use crate::network::{Category, Network};
use std::io;
use windows::Win32::Networking::NetworkListManager::{
    INetworkListManager, NLM_NETWORK_CATEGORY, NetworkListManager,
};
use windows::Win32::System::Com::{
    CLSCTX_ALL, COINIT_MULTITHREADED, CoCreateInstance, CoInitializeEx, CoUninitialize,
};
use windows::core::GUID;

/// The network behind an adapter, once Windows has recognized one.
///
/// # Errors
/// What the system says.
pub fn network(adapter: AdapterGuid) -> io::Result<Option<Network>> {
    with_manager(|manager| {
        // SAFETY: calls of a live COM object on the thread that made it, here and below.
        let connections = unsafe { manager.GetNetworkConnections() }?;
        loop {
            let mut next = [None];
            // SAFETY: as above; one connection is asked for, and there is room for one.
            unsafe { connections.Next(&mut next, None) }?;
            let [Some(connection)] = next else {
                return Ok(None);
            };
            // SAFETY: as above.
            if unsafe { connection.GetAdapterId() }?.to_u128() != adapter.as_u128() {
                continue;
            }
            // SAFETY: as above.
            let network = unsafe { connection.GetNetwork() }?;
            // SAFETY: as above.
            let (id, category) = unsafe { (network.GetNetworkId()?, network.GetCategory()?) };
            return Ok(Category::from_number(category.0).map(|category| Network {
                id: id.to_u128(),
                category,
            }));
        }
    })
}

/// Sets the category of a network.
///
/// # Errors
/// What the system says; a network that nobody is in any more may refuse.
pub fn set_category(network: u128, category: Category) -> io::Result<()> {
    with_manager(|manager| {
        // SAFETY: as in `network`.
        unsafe {
            manager
                .GetNetwork(GUID::from_u128(network))?
                .SetCategory(NLM_NETWORK_CATEGORY(category.number()))
        }
    })
}

fn with_manager<T>(
    work: impl FnOnce(&INetworkListManager) -> windows::core::Result<T>,
) -> io::Result<T> {
    // SAFETY: no reserved pointer; each success is matched by `Uninitialize` below, which is dropped
    // after the manager.
    unsafe { CoInitializeEx(None, COINIT_MULTITHREADED) }
        .ok()
        .map_err(from_hresult)?;
    let _com = Uninitialize;
    // SAFETY: COM is initialized on this thread; the class makes objects of this interface.
    let manager = unsafe { CoCreateInstance(&NetworkListManager, None, CLSCTX_ALL) };
    manager
        .and_then(|manager| work(&manager))
        .map_err(from_hresult)
}

struct Uninitialize;

impl Drop for Uninitialize {
    fn drop(&mut self) {
        // SAFETY: matches a CoInitializeEx that succeeded on this thread.
        unsafe { CoUninitialize() };
    }
}
