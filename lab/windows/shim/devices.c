/* Other changes to the machine, which Wine can make or which concern the stand-in adapter: they are told to the lab
 * first, so that its record has them in order and it can refuse them. */
#include "shim.h"

#include <setupapi.h>
#include <cfgmgr32.h>
#include <winioctl.h>

#define SET_MEDIA_STATUS CTL_CODE(FILE_DEVICE_UNKNOWN, 6, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define WAS_I_LET_IN CTL_CODE(FILE_DEVICE_UNKNOWN, 0x700, METHOD_BUFFERED, FILE_ANY_ACCESS) /* see tap/driver.c */
#define CLOSE_GRACE_MS 30000 /* Windows gives a program whose console is closed 5 s, on a PC that is not as busy as ours */

/* ---- the adapter's media and settings ---- */

/* The driver refuses a second handle, but Wine 8 gives it out all the same. */
static HANDLE WINAPI create_file(LPCWSTR path, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD disposition,
                                 DWORD flags, HANDLE template)
{
    HANDLE file = CreateFileW(path, access, share, security, disposition, flags, template);
    size_t length = path ? wcslen(path) : 0;
    OVERLAPPED io = {0};
    DWORD unused, error = NO_ERROR;
    if (file == INVALID_HANDLE_VALUE || length < 4 || wcsncmp(path, L"\\\\.\\", 4) || _wcsicmp(path + length - 4, L".tap"))
        return file;
    io.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!DeviceIoControl(file, WAS_I_LET_IN, NULL, 0, NULL, 0, NULL, &io) && GetLastError() != ERROR_IO_PENDING)
        error = GetLastError();
    else if (!GetOverlappedResult(file, &io, &unused, TRUE))
        error = GetLastError();
    CloseHandle(io.hEvent);
    if (!error)
        return file;
    CloseHandle(file);
    SetLastError(error);
    return INVALID_HANDLE_VALUE;
}

static BOOL WINAPI device_io_control(HANDLE device, DWORD code, LPVOID in, DWORD in_length, LPVOID out, DWORD out_length,
                                     LPDWORD returned, LPOVERLAPPED overlapped)
{
    DWORD error = NO_ERROR;
    if (code == SET_MEDIA_STATUS && in_length >= sizeof(ULONG))
        error = ask_lab(NO_ERROR, NULL, "SetMediaStatus connected=%lu", *(ULONG *)in);
    if (error) {
        SetLastError(error);
        return FALSE;
    }
    return DeviceIoControl(device, code, in, in_length, out, out_length, returned, overlapped);
}

static LSTATUS WINAPI reg_set_value(HKEY key, LPCWSTR name, DWORD reserved, DWORD type, const BYTE *bytes, DWORD length)
{
    DWORD error = ask_lab(NO_ERROR, NULL, "RegSetValue name=%ls value=%ls", name ? name : L"",
                          type == REG_SZ && bytes ? (WCHAR *)bytes : L"");
    return error ? (LSTATUS)error : RegSetValueExW(key, name, reserved, type, bytes, length);
}

static LSTATUS WINAPI reg_delete_value(HKEY key, LPCWSTR name)
{
    DWORD error = ask_lab(NO_ERROR, NULL, "RegDeleteValue name=%ls", name ? name : L"");
    return error ? (LSTATUS)error : RegDeleteValueW(key, name);
}

/* ---- restarting the adapter: the lab passes it on to the driver ---- */

static DWORD state_change; /* what SetupDiSetClassInstallParams said last */

static DWORD change_state(DWORD change)
{
    return ask_lab(ERROR_NOT_SUPPORTED, NULL, "ChangeDeviceState change=%s",
                   change == DICS_ENABLE ? "enable" : change == DICS_DISABLE ? "disable" : "restart");
}

static BOOL WINAPI set_class_install_params(HDEVINFO set, PSP_DEVINFO_DATA device, PSP_CLASSINSTALL_HEADER params, DWORD size)
{
    (void)set, (void)device;
    if (params && params->InstallFunction == DIF_REMOVE && size == sizeof(SP_REMOVEDEVICE_PARAMS))
        return TRUE;
    if (!params || params->InstallFunction != DIF_PROPERTYCHANGE || size < sizeof(SP_PROPCHANGE_PARAMS)) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return FALSE;
    }
    state_change = ((SP_PROPCHANGE_PARAMS *)params)->StateChange;
    return TRUE;
}

/* ---- making an adapter and removing it: Wine keeps the device, and we do what the driver's INF file would do ---- */

static const WCHAR driver_key[] = L"System\\CurrentControlSet\\Control\\Class\\"
                                  L"{4D36E972-E325-11CE-BFC1-08002BE10318}\\0000";

static BOOL succeed(DWORD error)
{
    SetLastError(error);
    return !error;
}

static BOOL WINAPI install_device(HWND window, HDEVINFO set, PSP_DEVINFO_DATA device, PVOID driver, DWORD flags, PBOOL restart)
{
    WCHAR id[64] = L"";
    DWORD error;
    (void)window, (void)driver, (void)flags;
    if (!SetupDiGetDeviceRegistryPropertyW(set, device, SPDRP_HARDWAREID, NULL, (BYTE *)id, sizeof id, NULL))
        return FALSE;
    error = ask_lab(ERROR_NO_MORE_ITEMS, NULL, "InstallDevice id=%ls", id);
    if (!error)
        error = RegSetKeyValueW(HKEY_LOCAL_MACHINE, driver_key, L"ComponentId", REG_SZ, id, (wcslen(id) + 1) * sizeof *id);
    if (restart)
        *restart = FALSE;
    return succeed(error);
}

static BOOL remove_device(HDEVINFO set, PSP_DEVINFO_DATA device)
{
    DWORD error = ask_lab(NO_ERROR, NULL, "RemoveDevice");
    if (error)
        return succeed(error);
    RegDeleteKeyValueW(HKEY_LOCAL_MACHINE, driver_key, L"ComponentId");
    return SetupDiRemoveDevice(set, device);
}

static BOOL WINAPI call_class_installer(DI_FUNCTION function, HDEVINFO set, PSP_DEVINFO_DATA device)
{
    DWORD error;
    switch (function) {
    case DIF_PROPERTYCHANGE:
        return succeed(change_state(state_change));
    case DIF_REGISTERDEVICE:
        error = ask_lab(NO_ERROR, NULL, "RegisterDevice");
        return error ? succeed(error) : SetupDiRegisterDeviceInfo(set, device, 0, NULL, NULL, NULL);
    case DIF_REMOVE:
        return remove_device(set, device);
    default:
        return SetupDiCallClassInstaller(function, set, device);
    }
}

static CONFIGRET WINAPI locate_node(DEVINST *node, DEVINSTID_W id, ULONG flags)
{
    (void)flags;
    *node = 1;
    if (id && (!_wcsicmp(id, L"ROOT\\NET\\0000") || !_wcsicmp(id, L"ROOT\\SOFTLAN-VPN\\0000")))
        return CR_SUCCESS;
    return CR_NO_SUCH_DEVNODE;
}

static CONFIGRET WINAPI disable_node(DEVINST node, ULONG flags)
{
    (void)node, (void)flags;
    return change_state(DICS_DISABLE) ? CR_FAILURE : CR_SUCCESS;
}

static CONFIGRET WINAPI enable_node(DEVINST node, ULONG flags)
{
    (void)node, (void)flags;
    return change_state(DICS_ENABLE) ? CR_FAILURE : CR_SUCCESS;
}

static CONFIGRET WINAPI node_status(ULONG *status, ULONG *problem, DEVINST node, ULONG flags)
{
    (void)node, (void)flags;
    *status = DN_DRIVER_LOADED | DN_STARTED;
    *problem = 0;
    return CR_SUCCESS;
}

static DWORD WINAPI error_of(CONFIGRET result, DWORD otherwise)
{
    return result == CR_NO_SUCH_DEVNODE ? ERROR_NOT_FOUND : otherwise;
}

/* ---- closing the console's window, which Wine does not report to programs ---- */

static PHANDLER_ROUTINE console_handler;

static DWORD WINAPI run_handler(void *unused)
{
    (void)unused;
    return console_handler(CTRL_CLOSE_EVENT);
}

static DWORD WINAPI wait_for_close(void *unused)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(LAB_PORT)};
    WSADATA data;
    SOCKET line;
    char answer[16];
    (void)unused;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    WSAStartup(MAKEWORD(2, 2), &data);
    line = socket(AF_INET, SOCK_DGRAM, 0);
    connect(line, (struct sockaddr *)&address, sizeof address);
    send(line, "WaitForClose", 12, 0);
    if (recv(line, answer, sizeof answer, 0) <= 0)
        return 0;
    WaitForSingleObject(CreateThread(NULL, 0, run_handler, NULL, 0, NULL), CLOSE_GRACE_MS);
    return !TerminateProcess(GetCurrentProcess(), STATUS_CONTROL_C_EXIT);
}

static BOOL WINAPI set_console_handler(PHANDLER_ROUTINE handler, BOOL add)
{
    if (add && handler && !InterlockedCompareExchangePointer((void **)&console_handler, (void *)handler, NULL))
        CloseHandle(CreateThread(NULL, 0, wait_for_close, NULL, 0, NULL));
    return SetConsoleCtrlHandler(handler, add);
}

const struct hook device_hooks[] = {
    {"CreateFileW", create_file},
    {"DeviceIoControl", device_io_control},
    {"RegSetValueExW", reg_set_value},
    {"RegDeleteValueW", reg_delete_value},
    {"SetupDiSetClassInstallParamsW", set_class_install_params},
    {"SetupDiCallClassInstaller", call_class_installer},
    {"DiInstallDevice", install_device},
    {"CM_Locate_DevNodeW", locate_node},
    {"CM_Disable_DevNode", disable_node},
    {"CM_Enable_DevNode", enable_node},
    {"CM_Get_DevNode_Status", node_status},
    {"CM_MapCrToWin32Err", error_of},
    {"SetConsoleCtrlHandler", set_console_handler},
    {0},
};
