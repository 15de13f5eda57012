/*
 * Stands for the TAP-Windows6 driver (tap0901.sys) under Wine.
 *
 * One adapter: what a program writes to \\.\Global\{GUID}.tap goes by UDP to the lab, which sends it on a real
 * Linux interface, and back. Wine runs a driver as an ordinary process, so the driver can own a socket; it lives in
 * the network namespace in which wineserver was started.
 *
 * Behaviour follows the driver's source (github.com/OpenVPN/tap-windows6, src/device.c, rxpath.c, txpath.c,
 * adapter.c); see README.md for what is left out.
 *
 * Datagrams between driver and lab: an Ethernet frame (14 bytes or more), or two bytes or more of control:
 *   to the lab    "M0" "M1"  media status       "A" + 6 bytes  the hardware address now in force
 *                 "D0"       it is disabled now
 *   to the driver "D0" "D1"  disable, enable    "S0" "S1"      sleep, wake
 */
#include <ddk/wdm.h>

#include "wire.h"

#define HEADER 14
#define QUEUE 64 /* PACKET_QUEUE_SIZE in constants.h */

#define TAP_IOCTL(n) CTL_CODE(FILE_DEVICE_UNKNOWN, n, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define GET_MAC TAP_IOCTL(1)
#define GET_VERSION TAP_IOCTL(2)
#define GET_MTU TAP_IOCTL(3)
#define GET_INFO TAP_IOCTL(4)
#define SET_MEDIA_STATUS TAP_IOCTL(6)
#define PRIORITY_BEHAVIOR TAP_IOCTL(11)
#define WAS_I_LET_IN TAP_IOCTL(0x700) /* ours: Wine 8 opens a device whatever its driver says, so the shim asks */

static const UCHAR permanent_mac[6] = {0x00, 0xff, 0x4c, 0x41, 0x42, 0x01};
static const ULONG version[3] = {9, 27, 0};

static struct {
    KSPIN_LOCK lock;
    BOOLEAN enabled, awake, media;
    FILE_OBJECT *owner; /* the one open handle */
    UCHAR mac[6];
    LIST_ENTRY reads; /* IRPs that wait for a frame */
    struct { ULONG length; UCHAR bytes[WIRE_LONGEST]; } frames[QUEUE]; /* a ring of frames that wait for a read */
    ULONG first, count;
} tap;

static DEVICE_OBJECT *device;
static HANDLE class_key;
static WCHAR link_text[96];
static UNICODE_STRING link_name;

static NTSTATUS complete(IRP *irp, NTSTATUS status, ULONG_PTR length)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = length;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

/* ---- the pending reads; the lock is held ---- */

/* Takes the next read that nobody is cancelling. */
static IRP *take_read(void)
{
    while (!IsListEmpty(&tap.reads)) {
        LIST_ENTRY *entry = RemoveHeadList(&tap.reads);
        IRP *irp = CONTAINING_RECORD(entry, IRP, Tail.Overlay.ListEntry);
        if (IoSetCancelRoutine(irp, NULL))
            return irp;
        InitializeListHead(entry); /* on_cancel is waiting for the lock and removes it once more */
    }
    return NULL;
}

static void take_all_reads(LIST_ENTRY *taken)
{
    IRP *irp;
    InitializeListHead(taken);
    while ((irp = take_read()))
        InsertTailList(taken, &irp->Tail.Overlay.ListEntry);
    tap.count = 0;
}

static void cancel_all(LIST_ENTRY *taken)
{
    while (!IsListEmpty(taken))
        complete(CONTAINING_RECORD(RemoveHeadList(taken), IRP, Tail.Overlay.ListEntry), STATUS_CANCELLED, 0);
}

static void NTAPI on_cancel(DEVICE_OBJECT *unused, IRP *irp)
{
    KIRQL irql;
    (void)unused;
    IoReleaseCancelSpinLock(irp->CancelIrql);
    KeAcquireSpinLock(&tap.lock, &irql);
    RemoveEntryList(&irp->Tail.Overlay.ListEntry);
    KeReleaseSpinLock(&tap.lock, irql);
    complete(irp, STATUS_CANCELLED, 0);
}

/* ---- words with the lab ---- */

static void tell_media(void)
{
    wire_send(tap.media ? "M1" : "M0", 2);
}

static void tell_mac(void)
{
    char message[7] = {'A'};
    memcpy(message + 1, tap.mac, 6);
    wire_send(message, sizeof message);
}

static int hex(WCHAR c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* NetworkAddress as NDIS reads it at the start of an adapter: 12 digits, perhaps with separators. The driver
 * takes it when it is an individual, locally administered address, and else the permanent one. */
static void read_mac(void)
{
    UCHAR buffer[128], mac[6] = {0};
    KEY_VALUE_PARTIAL_INFORMATION *value = (void *)buffer;
    UNICODE_STRING name;
    ULONG size, digits = 0;
    RtlInitUnicodeString(&name, L"NetworkAddress");
    memcpy(tap.mac, permanent_mac, 6);
    if (ZwQueryValueKey(class_key, &name, KeyValuePartialInformation, buffer, sizeof buffer, &size) || value->Type != REG_SZ)
        return;
    for (ULONG i = 0; i < value->DataLength / sizeof(WCHAR); i++) {
        int digit = hex(((WCHAR *)value->Data)[i]);
        if (digit >= 0 && digits < 12)
            mac[digits / 2] |= digit << (digits % 2 ? 0 : 4), digits++;
    }
    if (digits == 12 && (mac[0] & 3) == 2)
        memcpy(tap.mac, mac, 6);
}

static void start_adapter(void)
{
    read_mac();
    tap.enabled = TRUE;
    tell_mac();
}

/* What the adapter's handle was good for is over: a program must open a new one. */
static void halt_adapter(void)
{
    KIRQL irql;
    LIST_ENTRY reads;
    KeAcquireSpinLock(&tap.lock, &irql);
    tap.enabled = tap.media = FALSE;
    tap.owner = NULL;
    take_all_reads(&reads);
    KeReleaseSpinLock(&tap.lock, irql);
    cancel_all(&reads);
    tell_media();
}

static void sleep_or_wake(BOOLEAN awake)
{
    KIRQL irql;
    LIST_ENTRY reads;
    KeAcquireSpinLock(&tap.lock, &irql);
    tap.awake = awake;
    take_all_reads(&reads);
    KeReleaseSpinLock(&tap.lock, irql);
    cancel_all(&reads);
}

static void on_control(const UCHAR *message)
{
    switch (message[0] << 8 | message[1]) {
    case 'D' << 8 | '0': halt_adapter(); wire_send("D0", 2); break;
    case 'D' << 8 | '1': start_adapter(); break;
    case 'S' << 8 | '0': sleep_or_wake(FALSE); break;
    case 'S' << 8 | '1': sleep_or_wake(TRUE); break;
    }
}

/* Gives a frame to the oldest read, or keeps it, or drops it. */
static void on_frame(const UCHAR *frame, ULONG length)
{
    KIRQL irql;
    IRP *irp = NULL;
    KeAcquireSpinLock(&tap.lock, &irql);
    if (tap.owner && tap.media && tap.awake && !(irp = take_read()) && tap.count < QUEUE) {
        ULONG slot = (tap.first + tap.count++) % QUEUE;
        tap.frames[slot].length = length;
        memcpy(tap.frames[slot].bytes, frame, length);
    }
    KeReleaseSpinLock(&tap.lock, irql);
    if (!irp)
        return;
    if (IoGetCurrentIrpStackLocation(irp)->Parameters.Read.Length < length) {
        complete(irp, STATUS_BUFFER_OVERFLOW, 0);
    } else {
        memcpy(irp->AssociatedIrp.SystemBuffer, frame, length);
        complete(irp, STATUS_SUCCESS, length);
    }
}

static void on_datagram(const unsigned char *bytes, int length)
{
    if (length >= HEADER)
        on_frame(bytes, length);
    else if (length >= 2)
        on_control(bytes);
}

/* ---- what programs call ---- */

static NTSTATUS admission(FILE_OBJECT *file)
{
    if (!tap.enabled)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    return tap.owner == file ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

static NTSTATUS NTAPI on_create(DEVICE_OBJECT *unused, IRP *irp)
{
    FILE_OBJECT *file = IoGetCurrentIrpStackLocation(irp)->FileObject;
    (void)unused;
    if (tap.enabled)
        InterlockedCompareExchangePointer((void **)&tap.owner, file, NULL);
    return complete(irp, admission(file), 0);
}

static NTSTATUS NTAPI on_cleanup(DEVICE_OBJECT *unused, IRP *irp)
{
    KIRQL irql;
    LIST_ENTRY reads;
    (void)unused;
    if (tap.owner != IoGetCurrentIrpStackLocation(irp)->FileObject)
        return complete(irp, STATUS_SUCCESS, 0);
    KeAcquireSpinLock(&tap.lock, &irql);
    tap.media = FALSE;
    take_all_reads(&reads);
    tap.owner = NULL;
    KeReleaseSpinLock(&tap.lock, irql);
    cancel_all(&reads);
    tell_media();
    return complete(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI on_close(DEVICE_OBJECT *unused, IRP *irp)
{
    (void)unused;
    return complete(irp, STATUS_SUCCESS, 0);
}

/* tapAdapterReadAndWriteReady */
static BOOLEAN ready(IRP *irp)
{
    return tap.owner == IoGetCurrentIrpStackLocation(irp)->FileObject && tap.media && tap.awake;
}

static NTSTATUS NTAPI on_read(DEVICE_OBJECT *unused, IRP *irp)
{
    ULONG room = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.Length, length = 0;
    NTSTATUS status = STATUS_PENDING;
    KIRQL irql;
    (void)unused;
    KeAcquireSpinLock(&tap.lock, &irql);
    if (!ready(irp)) {
        status = STATUS_CANCELLED;
    } else if (tap.count) {
        length = tap.frames[tap.first].length;
        status = length > room ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
        if (length > room)
            length = 0;
        memcpy(irp->AssociatedIrp.SystemBuffer, tap.frames[tap.first].bytes, length);
        tap.first = (tap.first + 1) % QUEUE;
        tap.count--;
    } else {
        IoMarkIrpPending(irp);
        InsertTailList(&tap.reads, &irp->Tail.Overlay.ListEntry);
        IoSetCancelRoutine(irp, on_cancel);
    }
    KeReleaseSpinLock(&tap.lock, irql);
    return status == STATUS_PENDING ? status : complete(irp, status, length);
}

static NTSTATUS NTAPI on_write(DEVICE_OBJECT *unused, IRP *irp)
{
    ULONG length = IoGetCurrentIrpStackLocation(irp)->Parameters.Write.Length;
    (void)unused;
    if (!ready(irp))
        return complete(irp, STATUS_CANCELLED, 0);
    if (length < HEADER)
        return complete(irp, STATUS_BUFFER_TOO_SMALL, 0);
    wire_send(irp->AssociatedIrp.SystemBuffer, length);
    return complete(irp, STATUS_SUCCESS, length);
}

static NTSTATUS answer(IRP *irp, const void *bytes, ULONG length)
{
    if (IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.OutputBufferLength < length)
        return complete(irp, STATUS_BUFFER_TOO_SMALL, 0);
    memcpy(irp->AssociatedIrp.SystemBuffer, bytes, length);
    return complete(irp, STATUS_SUCCESS, length);
}

static NTSTATUS NTAPI on_ioctl(DEVICE_OBJECT *unused, IRP *irp)
{
    static const ULONG mtu = 1500;
    IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
    BOOLEAN has_argument = stack->Parameters.DeviceIoControl.InputBufferLength >= sizeof(ULONG);
    ULONG argument = has_argument ? *(ULONG *)irp->AssociatedIrp.SystemBuffer : 0;
    (void)unused;
    if (stack->Parameters.DeviceIoControl.IoControlCode == WAS_I_LET_IN)
        return complete(irp, admission(stack->FileObject), 0);
    if (tap.owner != stack->FileObject)
        return complete(irp, STATUS_CANCELLED, 0);
    switch (stack->Parameters.DeviceIoControl.IoControlCode) {
    case GET_MAC:
        return answer(irp, tap.mac, sizeof tap.mac);
    case GET_VERSION:
        return answer(irp, version, sizeof version);
    case GET_MTU:
        return answer(irp, &mtu, sizeof mtu);
    case SET_MEDIA_STATUS:
        if (!has_argument)
            return complete(irp, STATUS_INVALID_PARAMETER, 0);
        tap.media = argument != 0;
        tell_media();
        return complete(irp, STATUS_SUCCESS, 1);
    case PRIORITY_BEHAVIOR:
        if (!has_argument || argument > 2)
            return complete(irp, STATUS_INVALID_PARAMETER, 0);
        return complete(irp, STATUS_SUCCESS, 1);
    default:
        return complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

/* ---- start and end ---- */

static NTSTATUS open_class_key(void)
{
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    RtlInitUnicodeString(&name, L"\\Registry\\Machine\\System\\CurrentControlSet\\Control\\Class\\"
                                L"{4D36E972-E325-11CE-BFC1-08002BE10318}\\0000");
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return ZwOpenKey(&class_key, KEY_READ, &attributes);
}

/* The adapter's name is the class key's NetCfgInstanceId. */
static NTSTATUS make_device(DRIVER_OBJECT *driver)
{
    static const WCHAR prefix[] = L"\\DosDevices\\Global\\", suffix[] = L".tap";
    UCHAR buffer[160];
    KEY_VALUE_PARTIAL_INFORMATION *guid = (void *)buffer;
    UNICODE_STRING value, name;
    ULONG size;
    NTSTATUS status;
    RtlInitUnicodeString(&value, L"NetCfgInstanceId");
    status = ZwQueryValueKey(class_key, &value, KeyValuePartialInformation, buffer, sizeof buffer, &size);
    if (status)
        return status;
    size = 38 * sizeof(WCHAR); /* a GUID in braces */
    if (guid->DataLength < size)
        return STATUS_INVALID_PARAMETER;
    memcpy(link_text, prefix, sizeof prefix);
    memcpy((char *)link_text + sizeof prefix - sizeof(WCHAR), guid->Data, size);
    memcpy((char *)link_text + sizeof prefix - sizeof(WCHAR) + size, suffix, sizeof suffix);
    RtlInitUnicodeString(&name, L"\\Device\\LanPartyLabTap");
    status = IoCreateDevice(driver, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (status)
        return status;
    RtlInitUnicodeString(&link_name, link_text);
    device->Flags |= DO_BUFFERED_IO;
    device->Flags &= ~DO_DEVICE_INITIALIZING;
    return IoCreateSymbolicLink(&link_name, &name);
}

static VOID NTAPI unload(DRIVER_OBJECT *unused)
{
    (void)unused;
    halt_adapter();
    wire_close();
    IoDeleteSymbolicLink(&link_name);
    IoDeleteDevice(device);
}

/* Wine takes a driver that imports ws2_32 for an ordinary DLL as well and calls this as its DllMain: the second argument
 * is then a reason from 0 to 3 and no pointer. */
NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *registry_path)
{
    NTSTATUS status;
    if ((ULONG_PTR)registry_path <= 3)
        return TRUE;
    KeInitializeSpinLock(&tap.lock);
    InitializeListHead(&tap.reads);
    tap.awake = TRUE;
    driver->MajorFunction[IRP_MJ_CREATE] = on_create;
    driver->MajorFunction[IRP_MJ_CLEANUP] = on_cleanup;
    driver->MajorFunction[IRP_MJ_CLOSE] = on_close;
    driver->MajorFunction[IRP_MJ_READ] = on_read;
    driver->MajorFunction[IRP_MJ_WRITE] = on_write;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = on_ioctl;
    driver->DriverUnload = unload;
    if ((status = open_class_key()) || (status = make_device(driver)))
        return status;
    if (wire_open(on_datagram))
        return STATUS_UNSUCCESSFUL;
    start_adapter();
    return STATUS_SUCCESS;
}
