/* Socket options that Wine does not know and QUIC libraries insist on. */
#include "shim.h"

#define IP_RECVECN 50 /* and IPV6_RECVECN */

static int WSAAPI set_option(SOCKET s, int level, int option, const char *value, int length)
{
    if ((level == IPPROTO_IP || level == IPPROTO_IPV6) && option == IP_RECVECN)
        return 0; /* marks of congestion are then never reported, which is allowed */
    return setsockopt(s, level, option, value, length);
}

/* Windows answers this for IPv4 sockets too. */
static int WSAAPI get_option(SOCKET s, int level, int option, char *value, int *length)
{
    WSAPROTOCOL_INFOW info;
    int info_length = sizeof info;
    if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY && *length >= (int)sizeof(DWORD) &&
        !getsockopt(s, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&info, &info_length) && info.iAddressFamily == AF_INET) {
        *(DWORD *)value = 1;
        *length = sizeof(DWORD);
        return 0;
    }
    return getsockopt(s, level, option, value, length);
}

const struct hook socket_hooks[] = {{"setsockopt", set_option}, {"getsockopt", get_option}, {0}};
