/* The Network List Manager, of which Wine has only stubs: it knows one network, the one behind the stand-in adapter,
 * and the lab keeps its category. The firewall, as far as its profiles in force go. The objects live as long as the
 * program. */
#define CINTERFACE
#include "shim.h"

#include <netfw.h>
#include <netlistmgr.h>

/* Not in the import libraries of every mingw. */
static const CLSID manager_class = {0xDCB00C01, 0x570F, 0x4A9B, {0x8D, 0x69, 0x19, 0x9F, 0xDB, 0xA5, 0x72, 0x3B}};
static const CLSID policy_class = {0xE2B3C97F, 0x6AE1, 0x41AC, {0x81, 0x7A, 0xF6, 0xF9, 0x21, 0x66, 0xD7, 0xDD}};
static const GUID network_id = {0x4c414e50, 0x4152, 0x5459, {0x80, 0, 0, 0, 0, 0, 0, 1}};

/* Every interface asked for is the object's own, or IUnknown. */
static HRESULT STDMETHODCALLTYPE query(void *object, REFIID id, void **result)
{
    (void)id;
    *result = object;
    return S_OK;
}

static ULONG STDMETHODCALLTYPE count(void *object)
{
    (void)object;
    return 1;
}

#define UNKNOWN(type)                                                                                              \
    .QueryInterface = (HRESULT(STDMETHODCALLTYPE *)(type *, REFIID, void **))query,                                \
    .AddRef = (ULONG(STDMETHODCALLTYPE *)(type *))count, .Release = (ULONG(STDMETHODCALLTYPE *)(type *))count

static HRESULT result_of(DWORD error)
{
    return HRESULT_FROM_WIN32(error);
}

/* ---- the network ---- */

static HRESULT STDMETHODCALLTYPE get_network_id(INetwork *network, GUID *id)
{
    (void)network;
    *id = network_id;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE get_category(INetwork *network, NLM_NETWORK_CATEGORY *category)
{
    char values[ANSWER] = "";
    DWORD error = ask_lab(ERROR_NOT_SUPPORTED, values, "GetNetworkCategory");
    (void)network;
    *category = number_of(values, "category");
    return result_of(error);
}

static HRESULT STDMETHODCALLTYPE set_category(INetwork *network, NLM_NETWORK_CATEGORY category)
{
    (void)network;
    return result_of(ask_lab(ERROR_NOT_SUPPORTED, NULL, "SetNetworkCategory category=%d", category));
}

static INetworkVtbl network_table = {
    UNKNOWN(INetwork), .GetNetworkId = get_network_id, .GetCategory = get_category, .SetCategory = set_category,
};
static INetwork network = {&network_table};

/* ---- its connection, and the list of connections ---- */

static HRESULT STDMETHODCALLTYPE connection_network(INetworkConnection *connection, INetwork **result)
{
    (void)connection;
    *result = &network;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE connection_adapter(INetworkConnection *connection, GUID *id)
{
    char values[ANSWER] = "", text[64];
    WCHAR wide[64];
    DWORD error = ask_lab(ERROR_NOT_SUPPORTED, values, "GetNetworkCategory");
    (void)connection;
    if (error)
        return result_of(error);
    MultiByteToWideChar(CP_ACP, 0, text_of(values, "adapter", text), -1, wide, 64);
    return CLSIDFromString(wide, id);
}

static INetworkConnectionVtbl connection_table = {
    UNKNOWN(INetworkConnection), .GetNetwork = connection_network, .GetAdapterId = connection_adapter,
};
static INetworkConnection connection = {&connection_table};
static BOOL is_listed; /* the enumeration's place: at the end */

/* A network is there while the adapter's media is. */
static HRESULT STDMETHODCALLTYPE next(IEnumNetworkConnections *list, ULONG room, INetworkConnection **result, ULONG *fetched)
{
    char values[ANSWER] = "";
    DWORD error = ask_lab(ERROR_NOT_SUPPORTED, values, "GetNetworkCategory");
    BOOL is_there = !error && room && !is_listed && number_of(values, "connected");
    (void)list;
    if (is_there)
        *result = &connection;
    if (fetched)
        *fetched = is_there;
    is_listed = TRUE;
    return error ? result_of(error) : is_there && room == 1 ? S_OK : S_FALSE;
}

static IEnumNetworkConnectionsVtbl list_table = {UNKNOWN(IEnumNetworkConnections), .Next = next};
static IEnumNetworkConnections list = {&list_table};

/* ---- the manager ---- */

static HRESULT STDMETHODCALLTYPE manager_network(INetworkListManager *manager, GUID id, INetwork **result)
{
    (void)manager;
    *result = &network;
    return IsEqualGUID(&id, &network_id) ? S_OK : result_of(ERROR_NOT_FOUND);
}

static HRESULT STDMETHODCALLTYPE manager_connections(INetworkListManager *manager, IEnumNetworkConnections **result)
{
    (void)manager;
    is_listed = FALSE;
    *result = &list;
    return S_OK;
}

static INetworkListManagerVtbl manager_table = {
    UNKNOWN(INetworkListManager), .GetNetwork = manager_network, .GetNetworkConnections = manager_connections,
};
static INetworkListManager manager = {&manager_table};

/* ---- the firewall ---- */

static HRESULT STDMETHODCALLTYPE profiles_in_force(INetFwPolicy2 *policy, LONG *profiles)
{
    char values[ANSWER] = "";
    DWORD error = ask_lab(ERROR_NOT_SUPPORTED, values, "GetFirewallProfiles");
    (void)policy;
    *profiles = number_of(values, "profiles");
    return result_of(error);
}

static INetFwPolicy2Vtbl policy_table = {UNKNOWN(INetFwPolicy2), .get_CurrentProfileTypes = profiles_in_force};
static INetFwPolicy2 policy = {&policy_table};

static HRESULT WINAPI create_instance(REFCLSID class, IUnknown *outer, DWORD context, REFIID id, void **result)
{
    if (IsEqualGUID(class, &manager_class))
        *result = &manager;
    else if (IsEqualGUID(class, &policy_class))
        *result = &policy;
    else
        return CoCreateInstance(class, outer, context, id, result);
    return S_OK;
}

const struct hook network_hooks[] = {{"CoCreateInstance", create_instance}, {0}};
