/*
 * Stands for bcryptprimitives.dll, which every Rust program loads and Wine 8 lacks, and while it is there: puts our
 * functions into the program's import table in place of those that Wine lacks or gets wrong. The program's file is
 * unchanged. By name only, and only what the program itself imports.
 */
#include <stdio.h>

#include "shim.h"

BOOLEAN NTAPI SystemFunction036(PVOID, ULONG); /* RtlGenRandom */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T length)
{
    while (length) {
        ULONG part = length < 1 << 20 ? (ULONG)length : 1 << 20;
        if (!SystemFunction036(bytes, part))
            return FALSE;
        bytes += part;
        length -= part;
    }
    return TRUE;
}

static void *replacement(const char *name)
{
    const struct hook *lists[] = {socket_hooks, ip_helper_hooks, device_hooks, network_hooks};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const struct hook *hook = lists[i]; hook->name; hook++)
            if (!strcmp(hook->name, name))
                return hook->replacement;
    return NULL;
}

static void patch_imports(char *image)
{
    IMAGE_NT_HEADERS *headers = (void *)(image + ((IMAGE_DOS_HEADER *)image)->e_lfanew);
    DWORD imports = headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress;
    if (!imports)
        return;
    for (IMAGE_IMPORT_DESCRIPTOR *dll = (void *)(image + imports); dll->Name; dll++) {
        IMAGE_THUNK_DATA *name = (void *)(image + dll->OriginalFirstThunk);
        IMAGE_THUNK_DATA *address = (void *)(image + dll->FirstThunk);
        if (!dll->OriginalFirstThunk)
            continue;
        for (; name->u1.AddressOfData; name++, address++) {
            void *ours;
            DWORD before;
            if (IMAGE_SNAP_BY_ORDINAL(name->u1.Ordinal))
                continue;
            ours = replacement((char *)((IMAGE_IMPORT_BY_NAME *)(image + name->u1.AddressOfData))->Name);
            if (!ours)
                continue;
            VirtualProtect(&address->u1, sizeof address->u1, PAGE_READWRITE, &before);
            address->u1.Function = (ULONG_PTR)ours;
            VirtualProtect(&address->u1, sizeof address->u1, before, &before);
        }
    }
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID unused)
{
    (void)unused;
    if (reason == DLL_PROCESS_ATTACH) {
        DisableThreadLibraryCalls(instance);
        patch_imports((char *)GetModuleHandleA(NULL));
    }
    return TRUE;
}
