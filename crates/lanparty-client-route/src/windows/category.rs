//! The Network List Manager, which knows the network behind an adapter and its category, and the firewall
//! that goes by it.
#![allow(unsafe_code, reason = "COM has no safe wrapper")]

use crate::error::from_hresult;
use crate::guid::AdapterGuid;
use crate::network::{Category, Network, categories_of_profiles};
use std::io;
use windows::Win32::NetworkManagement::WindowsFirewall::{INetFwPolicy2, NetFwPolicy2};
use windows::Win32::Networking::NetworkListManager::{
    INetworkListManager, NLM_NETWORK_CATEGORY, NetworkListManager,
};
use windows::Win32::System::Com::{
    CLSCTX_ALL, COINIT_MULTITHREADED, CoCreateInstance, CoInitializeEx, CoUninitialize,
};
use windows::core::{GUID, Interface};

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

/// Sets the category of a network, unless it has that one.
///
/// # Errors
/// What the system says; a network that nobody is in any more may refuse.
pub fn set_category(network: u128, category: Category) -> io::Result<()> {
    let category = NLM_NETWORK_CATEGORY(category.number());
    with_manager(|manager| {
        // SAFETY: as in `network`.
        let network = unsafe { manager.GetNetwork(GUID::from_u128(network)) }?;
        // SAFETY: as in `network`.
        match unsafe { network.GetCategory() }? == category {
            true => Ok(()),
            // SAFETY: as in `network`.
            false => unsafe { network.SetCategory(category) },
        }
    })
}

/// The categories whose firewall profiles are in force now, for whichever adapter.
///
/// # Errors
/// What the system says.
pub fn firewall_profiles() -> io::Result<Vec<Category>> {
    with_object(&NetFwPolicy2, |policy: &INetFwPolicy2| {
        // SAFETY: as in `network`.
        unsafe { policy.CurrentProfileTypes() }.map(categories_of_profiles)
    })
}

fn with_manager<T>(
    work: impl FnOnce(&INetworkListManager) -> windows::core::Result<T>,
) -> io::Result<T> {
    with_object(&NetworkListManager, work)
}

fn with_object<I: Interface, T>(
    class: &GUID,
    work: impl FnOnce(&I) -> windows::core::Result<T>,
) -> io::Result<T> {
    // SAFETY: no reserved pointer; each success is matched by `Uninitialize` below, which is dropped
    // after the object.
    unsafe { CoInitializeEx(None, COINIT_MULTITHREADED) }
        .ok()
        .map_err(from_hresult)?;
    let _com = Uninitialize;
    // SAFETY: COM is initialized on this thread, and asks the class for this interface.
    let object: windows::core::Result<I> = unsafe { CoCreateInstance(class, None, CLSCTX_ALL) };
    object
        .and_then(|object| work(&object))
        .map_err(from_hresult)
}

struct Uninitialize;

impl Drop for Uninitialize {
    fn drop(&mut self) {
        // SAFETY: matches a CoInitializeEx that succeeded on this thread.
        unsafe { CoUninitialize() };
    }
}
