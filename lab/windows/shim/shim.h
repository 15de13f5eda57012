/* The parts of the shim; see README.md. */
#ifndef SHIM_H
#define SHIM_H

#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <iphlpapi.h>
#include <netioapi.h>

/* A function of ours that takes the place of one that the program imports. */
struct hook {
    const char *name;
    void *replacement;
};

/* Each list ends with a hook without a name. */
extern const struct hook socket_hooks[], ip_helper_hooks[], device_hooks[], network_hooks[];

/* Where the lab listens on the loopback device; also in lab/src/windows/stack.rs. */
#define LAB_PORT 47003

/* Asks the lab: one line out, one line back. The line begins with the function's name; the answer begins with a
 * Windows error code, and what is behind it goes to `values`, when there is room for it. Without a lab the answer is
 * `without_lab`. */
#define ANSWER 512
DWORD ask_lab(DWORD without_lab, char values[ANSWER], const char *format, ...) __attribute__((format(gnu_printf, 3, 4)));

/* The text behind `key=` in `values`, up to the next blank, or an empty one. */
const char *text_of(const char *values, const char *key, char text[64]);
unsigned long number_of(const char *values, const char *key);

#endif
