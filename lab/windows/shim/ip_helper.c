/* The IP Helper functions that Wine lacks: each becomes a question to the lab, which asks or changes the Linux
 * kernel. Rules that Windows documents and a program may trip over are kept where they can be checked here. */
#include <stdio.h>
#include <string.h>

#include "shim.h"

#define SITE_PREFIX_OF_WINDOWS 64 /* what GetIpInterfaceEntry reports, and SetIpInterfaceEntry refuses for IPv4 */

static NET_IFINDEX index_of(NET_LUID luid, NET_IFINDEX index)
{
    if (luid.Value && ConvertInterfaceLuidToIndex(&luid, &index))
        return 0;
    return index;
}

static int family_of(ADDRESS_FAMILY family)
{
    return family == AF_INET ? 4 : family == AF_INET6 ? 6 : 0;
}

static const char *text_of_address(const SOCKADDR_INET *address, char text[64])
{
    text[0] = 0;
    if (address->si_family == AF_INET)
        inet_ntop(AF_INET, (void *)&address->Ipv4.sin_addr, text, 64);
    else if (address->si_family == AF_INET6)
        inet_ntop(AF_INET6, (void *)&address->Ipv6.sin6_addr, text, 64);
    return text;
}

/* Of an address or a prefix; an empty text is the unspecified address of the family. */
static void parse_address(const char *text, ADDRESS_FAMILY family, SOCKADDR_INET *address)
{
    char alone[64];
    snprintf(alone, sizeof alone, "%.*s", (int)strcspn(text, "/"), text);
    memset(address, 0, sizeof *address);
    address->si_family = family;
    inet_pton(family, alone, family == AF_INET ? (void *)&address->Ipv4.sin_addr : (void *)&address->Ipv6.sin6_addr);
}

/* ---- routes ---- */

static DWORD ask_about_route(const char *function, const MIB_IPFORWARD_ROW2 *row, char values[ANSWER])
{
    char to[64], via[64];
    if (!family_of(row->DestinationPrefix.Prefix.si_family))
        return ERROR_INVALID_PARAMETER;
    return ask_lab(ERROR_NOT_SUPPORTED, values, "%s to=%s/%d via=%s if=%lu metric=%lu", function,
                   text_of_address(&row->DestinationPrefix.Prefix, to), row->DestinationPrefix.PrefixLength,
                   text_of_address(&row->NextHop, via), index_of(row->InterfaceLuid, row->InterfaceIndex), row->Metric);
}

static VOID WINAPI initialize_route(MIB_IPFORWARD_ROW2 *row)
{
    memset(row, 0, sizeof *row);
    row->ValidLifetime = row->PreferredLifetime = 0xffffffff;
    row->Metric = 0xffffffff;
    row->Protocol = MIB_IPPROTO_NETMGMT;
    row->Loopback = row->AutoconfigureAddress = row->Publish = row->Immortal = TRUE;
}

static DWORD WINAPI create_route(const MIB_IPFORWARD_ROW2 *row)
{
    return ask_about_route("CreateIpForwardEntry2", row, NULL);
}

static DWORD WINAPI delete_route(const MIB_IPFORWARD_ROW2 *row)
{
    return ask_about_route("DeleteIpForwardEntry2", row, NULL);
}

static DWORD WINAPI set_route(const MIB_IPFORWARD_ROW2 *row)
{
    return ask_about_route("SetIpForwardEntry2", row, NULL);
}

static DWORD WINAPI get_route(MIB_IPFORWARD_ROW2 *row)
{
    char values[ANSWER] = "";
    DWORD error = ask_about_route("GetIpForwardEntry2", row, values);
    if (error)
        return error;
    row->Metric = number_of(values, "metric");
    row->InterfaceIndex = index_of(row->InterfaceLuid, row->InterfaceIndex);
    ConvertInterfaceIndexToLuid(row->InterfaceIndex, &row->InterfaceLuid);
    row->Protocol = MIB_IPPROTO_NETMGMT;
    return NO_ERROR;
}

static DWORD WINAPI best_route(NET_LUID *luid, NET_IFINDEX index, const SOCKADDR_INET *source, const SOCKADDR_INET *to,
                               ULONG options, MIB_IPFORWARD_ROW2 *row, SOCKADDR_INET *best_source)
{
    char values[ANSWER] = "", text[64];
    const char *length;
    DWORD error;
    (void)source, (void)options;
    error = ask_lab(ERROR_NOT_SUPPORTED, values, "GetBestRoute2 to=%s if=%lu", text_of_address(to, text),
                    luid || index ? index_of(luid ? *luid : (NET_LUID){0}, index) : 0);
    if (error)
        return error;
    initialize_route(row);
    text_of(values, "to", text);
    parse_address(text, to->si_family, &row->DestinationPrefix.Prefix);
    length = strchr(text, '/');
    row->DestinationPrefix.PrefixLength = length ? atoi(length + 1) : 0;
    parse_address(text_of(values, "via", text), to->si_family, &row->NextHop);
    parse_address(text_of(values, "src", text), to->si_family, best_source);
    row->InterfaceIndex = number_of(values, "if");
    row->Metric = number_of(values, "metric");
    return ConvertInterfaceIndexToLuid(row->InterfaceIndex, &row->InterfaceLuid);
}

/* ---- interface settings ---- */

static VOID WINAPI initialize_interface(MIB_IPINTERFACE_ROW *row)
{
    memset(row, 0, sizeof *row);
    memset(row->ZoneIndices, 0xff, sizeof row->ZoneIndices);
}

static DWORD WINAPI get_interface(MIB_IPINTERFACE_ROW *row)
{
    char values[ANSWER] = "";
    NET_IFINDEX index = index_of(row->InterfaceLuid, row->InterfaceIndex);
    DWORD error = ask_lab(ERROR_NOT_SUPPORTED, values, "GetIpInterfaceEntry family=%d if=%lu", family_of(row->Family), index);
    if (error)
        return error;
    row->InterfaceIndex = index;
    ConvertInterfaceIndexToLuid(index, &row->InterfaceLuid);
    row->NlMtu = number_of(values, "mtu");
    row->Metric = number_of(values, "metric");
    row->UseAutomaticMetric = number_of(values, "auto") != 0;
    row->DisableDefaultRoutes = number_of(values, "nodefault") != 0;
    row->RouterDiscoveryBehavior = number_of(values, "routers");
    row->Connected = number_of(values, "connected") != 0;
    row->SitePrefixLength = SITE_PREFIX_OF_WINDOWS;
    return NO_ERROR;
}

static DWORD WINAPI set_interface(MIB_IPINTERFACE_ROW *row)
{
    if (row->Family == AF_INET && row->SitePrefixLength > 32)
        return ERROR_INVALID_PARAMETER;
    return ask_lab(ERROR_NOT_SUPPORTED, NULL, "SetIpInterfaceEntry family=%d if=%lu mtu=%lu metric=%lu auto=%d nodefault=%d routers=%d",
                   family_of(row->Family), index_of(row->InterfaceLuid, row->InterfaceIndex), row->NlMtu, row->Metric,
                   row->UseAutomaticMetric, row->DisableDefaultRoutes, row->RouterDiscoveryBehavior);
}

/* ---- addresses ---- */

static VOID WINAPI initialize_address(MIB_UNICASTIPADDRESS_ROW *row)
{
    memset(row, 0, sizeof *row);
    row->ValidLifetime = row->PreferredLifetime = 0xffffffff;
    row->OnLinkPrefixLength = 255;
}

static DWORD ask_about_address(const char *function, const MIB_UNICASTIPADDRESS_ROW *row)
{
    char address[64];
    int length = row->OnLinkPrefixLength == 255 ? (row->Address.si_family == AF_INET ? 32 : 128) : row->OnLinkPrefixLength;
    return ask_lab(ERROR_NOT_SUPPORTED, NULL, "%s address=%s/%d if=%lu", function, text_of_address(&row->Address, address),
                   length, index_of(row->InterfaceLuid, row->InterfaceIndex));
}

static DWORD WINAPI create_address(const MIB_UNICASTIPADDRESS_ROW *row)
{
    return ask_about_address("CreateUnicastIpAddressEntry", row);
}

static DWORD WINAPI delete_address(const MIB_UNICASTIPADDRESS_ROW *row)
{
    return ask_about_address("DeleteUnicastIpAddressEntry", row);
}

static DWORD WINAPI release_address(IP_ADAPTER_INDEX_MAP *adapter)
{
    return ask_lab(ERROR_NOT_SUPPORTED, NULL, "IpReleaseAddress if=%lu", adapter->Index);
}

/* ---- names and neighbours ---- */

static DWORD WINAPI flush_neighbours(ADDRESS_FAMILY family, NET_IFINDEX index)
{
    return ask_lab(ERROR_NOT_SUPPORTED, NULL, "FlushIpNetTable2 family=%d if=%lu", family_of(family), index);
}

/* DNS_INTERFACE_SETTINGS in its first version, which mingw's headers lack; later ones only add to it. */
struct dns_settings {
    ULONG version;
    ULONG64 flags;
    WCHAR *domain, *name_server, *search_list;
    ULONG registration_enabled, register_adapter_name, enable_llmnr, query_adapter_name;
    WCHAR *profile_name_server;
};

#define OF_IPV6 1 /* DNS_SETTING_IPV6 */

/* Windows keeps them in the registry, where programs read them. */
static DWORD WINAPI set_dns(GUID guid, const struct dns_settings *settings)
{
    const WCHAR *servers = settings->name_server ? settings->name_server : L"";
    int family = settings->flags & OF_IPV6 ? 6 : 4;
    WCHAR text[40], key[160];
    NET_LUID luid;
    DWORD error = ConvertInterfaceGuidToLuid(&guid, &luid);
    if (!error)
        error = ask_lab(ERROR_NOT_SUPPORTED, NULL, "SetInterfaceDnsSettings family=%d if=%lu servers=%ls", family,
                        index_of(luid, 0), servers);
    if (error)
        return error;
    StringFromGUID2(&guid, text, 40);
    swprintf(key, 160, L"SYSTEM\\CurrentControlSet\\Services\\%ls\\Parameters\\Interfaces\\%ls",
             family == 6 ? L"Tcpip6" : L"Tcpip", text);
    return RegSetKeyValueW(HKEY_LOCAL_MACHINE, key, L"NameServer", REG_SZ, servers, (lstrlenW(servers) + 1) * sizeof(WCHAR));
}

const struct hook ip_helper_hooks[] = {
    {"InitializeIpForwardEntry", initialize_route},
    {"CreateIpForwardEntry2", create_route},
    {"DeleteIpForwardEntry2", delete_route},
    {"SetIpForwardEntry2", set_route},
    {"GetIpForwardEntry2", get_route},
    {"GetBestRoute2", best_route},
    {"InitializeIpInterfaceEntry", initialize_interface},
    {"GetIpInterfaceEntry", get_interface},
    {"SetIpInterfaceEntry", set_interface},
    {"InitializeUnicastIpAddressEntry", initialize_address},
    {"CreateUnicastIpAddressEntry", create_address},
    {"DeleteUnicastIpAddressEntry", delete_address},
    {"IpReleaseAddress", release_address},
    {"FlushIpNetTable2", flush_neighbours},
    {"SetInterfaceDnsSettings", set_dns},
    {0},
};
