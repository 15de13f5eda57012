/* The driver's line to the lab: datagrams on the loopback device. Apart from driver.c because the headers of
 * sockets and of drivers exclude each other. */
#ifndef WIRE_H
#define WIRE_H

#define WIRE_LONGEST 1600

/* Opens the line and calls `received` on a thread of its own for each datagram; 0 when it is open. */
int wire_open(void (*received)(const unsigned char *bytes, int length));
void wire_send(const void *bytes, int length);
void wire_close(void);

#endif
