#include <winsock2.h>

#include "wire.h"

/* Also in lab/src/windows/adapter.rs. */
#define DRIVER_PORT 47001
#define LAB_PORT 47002

static SOCKET lab = INVALID_SOCKET;
static HANDLE receiver;

static DWORD WINAPI receive(void *received)
{
    unsigned char buffer[WIRE_LONGEST];
    for (;;) {
        int length = recv(lab, (char *)buffer, sizeof buffer, 0);
        if (length > 0)
            ((void (*)(const unsigned char *, int))received)(buffer, length);
        else if (length < 0 && WSAGetLastError() != WSAECONNRESET)
            return 0; /* wire_close */
    }
}

static struct sockaddr_in loopback(unsigned short port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int wire_open(void (*received)(const unsigned char *, int))
{
    WSADATA data;
    struct sockaddr_in own = loopback(DRIVER_PORT), other = loopback(LAB_PORT);
    int room = 4 << 20;
    if (WSAStartup(MAKEWORD(2, 2), &data))
        return -1;
    lab = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(lab, SOL_SOCKET, SO_RCVBUF, (char *)&room, sizeof room);
    if (bind(lab, (struct sockaddr *)&own, sizeof own) || connect(lab, (struct sockaddr *)&other, sizeof other))
        return -1;
    receiver = CreateThread(NULL, 0, receive, (void *)received, 0, NULL);
    return receiver ? 0 : -1;
}

void wire_send(const void *bytes, int length)
{
    send(lab, bytes, length, 0); /* a full or absent receiver loses it, as a cable does */
}

void wire_close(void)
{
    closesocket(lab);
    WaitForSingleObject(receiver, INFINITE);
}
