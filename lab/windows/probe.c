/* A program that does what a TAP program does and prints what came of it, to hold the stand-ins against what the real
 * driver and Windows answer: one line `what: number` each. Usage: probe {GUID} */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <cfgmgr32.h>
#include <iphlpapi.h>
#include <netioapi.h>
#include <stdio.h>
#include <winioctl.h>

#define TAP_IOCTL(n) CTL_CODE(FILE_DEVICE_UNKNOWN, n, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define DRIVER_KEY L"SYSTEM\\CurrentControlSet\\Control\\Class\\{4D36E972-E325-11CE-BFC1-08002BE10318}\\0000"

static WCHAR path[128];

static void say(const char *what, unsigned long number)
{
    printf("%s: %lu\n", what, number);
    fflush(stdout);
}

static HANDLE open_tap(void)
{
    return CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                       FILE_ATTRIBUTE_SYSTEM | FILE_FLAG_OVERLAPPED, NULL);
}

/* Waits for an overlapped call; answers with the error and leaves the length. */
static DWORD finish(HANDLE tap, OVERLAPPED *io, BOOL started, DWORD *length)
{
    *length = 0;
    if (!started && GetLastError() != ERROR_IO_PENDING)
        return GetLastError();
    if (WaitForSingleObject(io->hEvent, 10000) == WAIT_TIMEOUT)
        return WAIT_TIMEOUT;
    return GetOverlappedResult(tap, io, length, FALSE) ? 0 : GetLastError();
}

static DWORD ask(HANDLE tap, DWORD request, void *argument, DWORD argument_length, void *answer, DWORD room)
{
    OVERLAPPED io = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    DWORD length;
    return finish(tap, &io, DeviceIoControl(tap, TAP_IOCTL(request), argument, argument_length, answer, room, NULL, &io), &length);
}

static DWORD read_frame(HANDLE tap, DWORD *length)
{
    static char frame[2048];
    OVERLAPPED io = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    return finish(tap, &io, ReadFile(tap, frame, sizeof frame, NULL, &io), length);
}

static void print_mac(HANDLE tap)
{
    unsigned char mac[6] = {0};
    ask(tap, 1, NULL, 0, mac, sizeof mac);
    printf("mac: %02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* A read that is cancelled before a frame comes; frames that come first are read away. */
static DWORD cancel_a_read(HANDLE tap)
{
    for (;;) {
        static char frame[2048];
        OVERLAPPED io = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
        BOOL started = ReadFile(tap, frame, sizeof frame, NULL, &io);
        DWORD length, error;
        CancelIoEx(tap, &io);
        error = finish(tap, &io, started, &length);
        if (error)
            return error;
    }
}

static HANDLE change_mac(HANDLE tap, const WCHAR *mac)
{
    WCHAR instance[] = L"ROOT\\NET\\0000";
    DEVINST node;
    DWORD length;
    HKEY key;
    RegOpenKeyExW(HKEY_LOCAL_MACHINE, DRIVER_KEY, 0, KEY_SET_VALUE, &key);
    say("write NetworkAddress", RegSetValueExW(key, L"NetworkAddress", 0, REG_SZ, (const BYTE *)mac, (lstrlenW(mac) + 1) * 2));
    say("find the device", CM_Locate_DevNodeW(&node, instance, 0));
    say("disable", CM_Disable_DevNode(node, 0));
    say("open while disabled", open_tap() == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    say("enable", CM_Enable_DevNode(node, 0));
    say("read by an old handle", read_frame(tap, &length));
    CloseHandle(tap);
    tap = open_tap();
    say("open again", tap == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    return tap;
}

static void try_tap(void)
{
    ULONG version[3] = {0}, mtu = 0, on = 1;
    DWORD length;
    HANDLE tap = open_tap();
    say("open", tap == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    say("open twice", open_tap() == INVALID_HANDLE_VALUE ? GetLastError() : 0);
    print_mac(tap);
    ask(tap, 2, NULL, 0, version, sizeof version);
    say("version", version[0] * 100 + version[1]);
    ask(tap, 3, NULL, 0, &mtu, sizeof mtu);
    say("mtu", mtu);
    say("unknown request", ask(tap, 77, NULL, 0, NULL, 0));
    say("read without media", read_frame(tap, &length));
    say("media on", ask(tap, 6, &on, sizeof on, &on, sizeof on));
    say("read", read_frame(tap, &length));
    say("a whole frame", length >= 14);
    say("cancel", cancel_a_read(tap));
    tap = change_mac(tap, L"021A00000007");
    print_mac(tap);
    say("media on", ask(tap, 6, &on, sizeof on, &on, sizeof on));
    say("read", read_frame(tap, &length));
    CloseHandle(tap);
}

static void try_routes(void)
{
    SOCKADDR_INET to = {.Ipv4 = {.sin_family = AF_INET}}, source;
    MIB_IPFORWARD_ROW2 best, pin;
    to.Ipv4.sin_addr.s_addr = htonl(0x0a090101);
    say("best route", GetBestRoute2(NULL, 0, NULL, &to, 0, &best, &source));
    say("its length", best.DestinationPrefix.PrefixLength);
    InitializeIpForwardEntry(&pin);
    pin.InterfaceLuid = best.InterfaceLuid;
    pin.NextHop = best.NextHop;
    pin.DestinationPrefix.Prefix = to;
    pin.DestinationPrefix.PrefixLength = 32;
    pin.Metric = 0;
    say("create", CreateIpForwardEntry2(&pin));
    say("create twice", CreateIpForwardEntry2(&pin));
    GetBestRoute2(NULL, 0, NULL, &to, 0, &best, &source);
    say("best route's length now", best.DestinationPrefix.PrefixLength);
    say("delete", DeleteIpForwardEntry2(&pin));
    say("delete twice", DeleteIpForwardEntry2(&pin));
}

static void try_interface(const char *guid_text)
{
    MIB_IPINTERFACE_ROW row;
    WCHAR wide[64];
    GUID guid;
    NET_LUID luid = {0};
    MultiByteToWideChar(CP_ACP, 0, guid_text, -1, wide, 64);
    CLSIDFromString(wide, &guid);
    say("luid", ConvertInterfaceGuidToLuid(&guid, &luid));
    InitializeIpInterfaceEntry(&row);
    row.Family = AF_INET;
    row.InterfaceLuid = luid;
    say("get interface", GetIpInterfaceEntry(&row));
    row.NlMtu = 1300;
    row.UseAutomaticMetric = FALSE;
    row.Metric = 1;
    row.DisableDefaultRoutes = TRUE;
    say("set as it came", SetIpInterfaceEntry(&row));
    row.SitePrefixLength = 0;
    say("set", SetIpInterfaceEntry(&row));
    GetIpInterfaceEntry(&row);
    say("mtu now", row.NlMtu);
    say("metric now", row.Metric);
    row.Family = AF_INET6;
    row.NlMtu = 1200;
    say("too short for IPv6", SetIpInterfaceEntry(&row));
}

int main(int count, char **arguments)
{
    WSADATA data;
    if (count != 2 || !LoadLibraryA("bcryptprimitives.dll")) /* the shim; Rust programs load it by themselves */
        return 2;
    WSAStartup(MAKEWORD(2, 2), &data);
    swprintf(path, 128, L"\\\\.\\Global\\%hs.tap", arguments[1]);
    try_tap();
    try_routes();
    try_interface(arguments[1]);
    return 0;
}
