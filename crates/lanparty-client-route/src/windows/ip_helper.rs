//! The calls of the IP Helper API.
#![allow(unsafe_code, reason = "the IP Helper API has no safe wrapper")]

use super::rows;
use crate::guid::AdapterGuid;
use crate::neighbours::Neighbour;
use crate::overlap::OwnAddress;
use crate::route::{Family, Luid, Route};
use crate::settings::InterfaceSettings;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{
    ERROR_FILE_NOT_FOUND, ERROR_HOST_UNREACHABLE, ERROR_INVALID_PARAMETER,
    ERROR_NETWORK_UNREACHABLE, ERROR_NOT_FOUND, ERROR_SUCCESS, WIN32_ERROR,
};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    ConvertInterfaceGuidToLuid, ConvertInterfaceLuidToAlias, ConvertInterfaceLuidToGuid,
    CreateIpForwardEntry2, DNS_INTERFACE_SETTINGS, DNS_INTERFACE_SETTINGS_VERSION1,
    DNS_SETTING_IPV6, DNS_SETTING_NAMESERVER, DeleteIpForwardEntry2, FreeMibTable, GetBestRoute2,
    GetIpForwardEntry2, GetIpForwardTable2, GetIpInterfaceEntry, GetIpNetTable2,
    GetUnicastIpAddressTable, InitializeIpForwardEntry, InitializeIpInterfaceEntry,
    MIB_IPFORWARD_ROW2, MIB_IPFORWARD_TABLE2, MIB_IPINTERFACE_ROW, MIB_IPNET_ROW2,
    MIB_IPNET_TABLE2, MIB_UNICASTIPADDRESS_ROW, MIB_UNICASTIPADDRESS_TABLE, ResolveIpNetEntry2,
    SetInterfaceDnsSettings, SetIpForwardEntry2, SetIpInterfaceEntry,
};
use windows_sys::Win32::NetworkManagement::Ndis::NET_LUID_LH;
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_UNSPEC, IpDadStatePreferred, SOCKADDR_INET,
};
use windows_sys::core::GUID;

/// The interface of an adapter.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] when the adapter is removed, disabled or still starting; else what the
/// system says.
pub fn interface_luid(adapter: AdapterGuid) -> io::Result<Luid> {
    let (guid, mut luid) = (rows::guid(adapter), NET_LUID_LH::default());
    // SAFETY: both point to values of ours of the right types.
    match unsafe { ConvertInterfaceGuidToLuid(&raw const guid, &raw mut luid) } {
        // What it says of a GUID that nobody has.
        ERROR_INVALID_PARAMETER => Err(io::ErrorKind::NotFound.into()),
        result => check(result).map(|()| rows::from_luid(luid)),
    }
}

/// The adapter behind an interface.
///
/// # Errors
/// What the system says.
pub fn interface_guid(interface: Luid) -> io::Result<AdapterGuid> {
    let (luid, mut guid) = (rows::luid(interface), GUID::default());
    // SAFETY: both point to values of ours of the right types.
    check(unsafe { ConvertInterfaceLuidToGuid(&raw const luid, &raw mut guid) })?;
    Ok(rows::from_guid(guid))
}

/// The route that a packet to `ip` takes now; nothing when there is none.
///
/// # Errors
/// What the system says.
pub fn best_route(ip: IpAddr) -> io::Result<Option<Route>> {
    let destination = rows::address(ip);
    let mut row = MIB_IPFORWARD_ROW2::default();
    let mut source = SOCKADDR_INET::default();
    // SAFETY: no interface and no source address are asked for; the rest points to values of ours.
    let result = unsafe {
        GetBestRoute2(
            null(),
            0,
            null(),
            &raw const destination,
            0,
            &raw mut row,
            &raw mut source,
        )
    };
    match result {
        ERROR_NETWORK_UNREACHABLE | ERROR_HOST_UNREACHABLE | ERROR_NOT_FOUND => Ok(None),
        result => check(result).map(|()| rows::read_route(&row)),
    }
}

/// The routes of a family.
///
/// # Errors
/// What the system says.
pub fn routes(family: Family) -> io::Result<Vec<Route>> {
    let mut table: *mut MIB_IPFORWARD_TABLE2 = null_mut();
    // SAFETY: the answer is a table of the system's, or an error and none.
    check(unsafe { GetIpForwardTable2(rows::family(family), &raw mut table) })?;
    let table = Table(table);
    // SAFETY: the table has as many rows behind its header as it says, and lives until `table` is
    // dropped.
    let rows = unsafe {
        let first = (&raw const (*table.0).Table).cast::<MIB_IPFORWARD_ROW2>();
        std::slice::from_raw_parts(first, (*table.0).NumEntries as usize)
    };
    Ok(rows.iter().filter_map(rows::read_route).collect())
}

/// Says what a route costs, which stays itself.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] when it is gone; else what the system says.
pub fn set_route_metric(route: &Route, metric: u32) -> io::Result<()> {
    let mut row = route_row(route);
    // SAFETY: a row of ours, which names the one that is asked for and is filled by the call.
    match unsafe { GetIpForwardEntry2(&raw mut row) } {
        ERROR_NOT_FOUND | ERROR_FILE_NOT_FOUND => return Err(io::ErrorKind::NotFound.into()),
        result => check(result)?,
    }
    if row.Metric == metric {
        return Ok(());
    }
    row.Metric = metric;
    // SAFETY: a row that the system has filled, with another number in it.
    check(unsafe { SetIpForwardEntry2(&raw const row) })
}

/// Whom this machine has looked for on its IPv4 networks.
///
/// # Errors
/// What the system says.
pub fn neighbours() -> io::Result<Vec<Neighbour>> {
    let mut table: *mut MIB_IPNET_TABLE2 = null_mut();
    // SAFETY: the answer is a table of the system's, or an error and none.
    match unsafe { GetIpNetTable2(AF_INET, &raw mut table) } {
        ERROR_NOT_FOUND => return Ok(Vec::new()),
        result => check(result)?,
    }
    let table = Table(table);
    // SAFETY: as in `routes`.
    let rows = unsafe {
        let first = (&raw const (*table.0).Table).cast::<MIB_IPNET_ROW2>();
        std::slice::from_raw_parts(first, (*table.0).NumEntries as usize)
    };
    Ok(rows.iter().filter_map(rows::read_neighbour).collect())
}

/// Looks by ARP for who has `ip` on the link of an interface, which [`neighbours`] shows then. Takes seconds where
/// nobody has it.
///
/// # Errors
/// What the system says, such as that nobody has answered.
pub fn look_for(interface: Luid, ip: Ipv4Addr) -> io::Result<()> {
    let mut row = MIB_IPNET_ROW2 {
        Address: rows::address(ip.into()),
        InterfaceLuid: rows::luid(interface),
        ..MIB_IPNET_ROW2::default()
    };
    // SAFETY: a row of ours, which the call fills; no source address is asked for.
    check(unsafe { ResolveIpNetEntry2(&raw mut row, null()) })
}

/// This machine's IPv4 addresses that can be used now.
///
/// # Errors
/// What the system says.
pub fn own_addresses() -> io::Result<Vec<OwnAddress>> {
    let mut table: *mut MIB_UNICASTIPADDRESS_TABLE = null_mut();
    // SAFETY: the answer is a table of the system's, or an error and none.
    check(unsafe { GetUnicastIpAddressTable(AF_INET, &raw mut table) })?;
    let table = Table(table);
    // SAFETY: as in `routes`.
    let rows = unsafe {
        let first = (&raw const (*table.0).Table).cast::<MIB_UNICASTIPADDRESS_ROW>();
        std::slice::from_raw_parts(first, (*table.0).NumEntries as usize)
    };
    let usable = rows
        .iter()
        .filter(|row| row.DadState == IpDadStatePreferred);
    Ok(usable.filter_map(rows::read_own_address).collect())
}

/// What people call an interface, such as `Wi-Fi`.
///
/// # Errors
/// What the system says.
pub fn interface_name(interface: Luid) -> io::Result<String> {
    let (luid, mut name) = (rows::luid(interface), [0_u16; 257]);
    // SAFETY: the number of ours, and room for so many letters.
    check(unsafe { ConvertInterfaceLuidToAlias(&raw const luid, name.as_mut_ptr(), name.len()) })?;
    let len = name.iter().position(|&unit| unit == 0);
    Ok(String::from_utf16_lossy(&name[..len.unwrap_or(name.len())]))
}

/// Adds a route for as long as Windows runs.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when there is that very row; else what the system says.
pub fn add_route(route: &Route) -> io::Result<()> {
    let row = route_row(route);
    // SAFETY: an initialized row of ours.
    match check(unsafe { CreateIpForwardEntry2(&raw const row) }) {
        Err(error) if error.raw_os_error() == Some(OBJECT_ALREADY_EXISTS) => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, error))
        }
        result => result,
    }
}

/// `ERROR_OBJECT_ALREADY_EXISTS`, which std does not take for what it is.
const OBJECT_ALREADY_EXISTS: i32 = 5010;

/// Removes a route; that there is none is no error.
///
/// # Errors
/// What the system says.
pub fn remove_route(route: &Route) -> io::Result<()> {
    let row = route_row(route);
    // SAFETY: an initialized row of ours.
    match unsafe { DeleteIpForwardEntry2(&raw const row) } {
        // The second when its interface is gone, and the route with it.
        ERROR_NOT_FOUND | ERROR_FILE_NOT_FOUND => Ok(()),
        result => check(result),
    }
}

fn route_row(route: &Route) -> MIB_IPFORWARD_ROW2 {
    let mut row = MIB_IPFORWARD_ROW2::default();
    // SAFETY: a row of ours, which the call fills.
    unsafe { InitializeIpForwardEntry(&raw mut row) };
    rows::write_route(route, &mut row);
    row
}

/// An interface's settings for a family; nothing when it does not have that family.
///
/// # Errors
/// What the system says.
pub fn interface_settings(
    interface: Luid,
    family: Family,
) -> io::Result<Option<InterfaceSettings>> {
    let row = interface_row(interface, family)?;
    Ok(row.as_ref().map(rows::read_settings))
}

/// Sets them; an interface that does not have that family is left alone.
///
/// # Errors
/// What the system says.
pub fn set_interface_settings(
    interface: Luid,
    family: Family,
    settings: InterfaceSettings,
) -> io::Result<()> {
    let Some(mut row) = interface_row(interface, family)? else {
        return Ok(());
    };
    rows::write_settings(settings, &mut row);
    // SAFETY: a row that the system has filled, with changes of the right types.
    check(unsafe { SetIpInterfaceEntry(&raw mut row) })
}

/// The metric that counts now, be it automatic or not.
pub(super) fn effective_metric(interface: Luid, family: Family) -> Option<u32> {
    Some(interface_row(interface, family).ok()??.Metric)
}

fn interface_row(interface: Luid, family: Family) -> io::Result<Option<MIB_IPINTERFACE_ROW>> {
    let mut row = MIB_IPINTERFACE_ROW::default();
    // SAFETY: a row of ours, which the call fills.
    unsafe { InitializeIpInterfaceEntry(&raw mut row) };
    row.Family = rows::family(family);
    row.InterfaceLuid = rows::luid(interface);
    // SAFETY: an initialized row of ours.
    match unsafe { GetIpInterfaceEntry(&raw mut row) } {
        ERROR_NOT_FOUND | ERROR_FILE_NOT_FOUND => Ok(None),
        result => check(result).map(|()| Some(row)),
    }
}

/// The addresses of an interface that can be used now, IPv4 first.
///
/// # Errors
/// What the system says.
pub fn addresses(interface: Luid) -> io::Result<Vec<IpAddr>> {
    let mut table: *mut MIB_UNICASTIPADDRESS_TABLE = null_mut();
    // SAFETY: the answer is a table of the system's, or an error and none.
    check(unsafe { GetUnicastIpAddressTable(AF_UNSPEC, &raw mut table) })?;
    let table = Table(table);
    // SAFETY: as in `routes`.
    let rows = unsafe {
        let first = (&raw const (*table.0).Table).cast::<MIB_UNICASTIPADDRESS_ROW>();
        std::slice::from_raw_parts(first, (*table.0).NumEntries as usize)
    };
    let mut addresses: Vec<_> = rows
        .iter()
        .filter(|row| {
            rows::from_luid(row.InterfaceLuid) == interface && row.DadState == IpDadStatePreferred
        })
        .filter_map(|row| rows::from_address(&row.Address))
        .collect();
    addresses.sort();
    Ok(addresses)
}

pub(super) fn set_name_servers(
    adapter: AdapterGuid,
    family: Family,
    servers: &str,
) -> io::Result<()> {
    let mut servers: Vec<u16> = servers.encode_utf16().chain([0]).collect();
    let of_family = match family {
        Family::V4 => 0,
        Family::V6 => DNS_SETTING_IPV6,
    };
    let settings = DNS_INTERFACE_SETTINGS {
        Version: DNS_INTERFACE_SETTINGS_VERSION1,
        Flags: u64::from(DNS_SETTING_NAMESERVER | of_family),
        NameServer: servers.as_mut_ptr(),
        ..DNS_INTERFACE_SETTINGS::default()
    };
    // SAFETY: the flags name the one text that is set, which ends with a zero and outlives the call.
    check(unsafe { SetInterfaceDnsSettings(rows::guid(adapter), &raw const settings) })
}

/// A table that the system has allocated.
struct Table<T>(*mut T);

impl<T> Drop for Table<T> {
    fn drop(&mut self) {
        // SAFETY: the table came from the system, and nobody has freed it.
        unsafe { FreeMibTable(self.0.cast()) };
    }
}

pub(super) fn check(result: WIN32_ERROR) -> io::Result<()> {
    match result {
        ERROR_SUCCESS => Ok(()),
        error => Err(io::Error::from_raw_os_error(error.cast_signed())),
    }
}
