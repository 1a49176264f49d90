/* UDP: datagrams from port to port, which arrive whole or not at all.  [rfc 768] */
#include "net.h"

enum { LISTENERS = 4 };

struct udp {
    struct big16 from, to;
    struct big16 length;        /* with this header */
    struct big16 checksum;      /* 0: there is none */
    uint8_t data[UDP_LIMIT];
};

enum { HEADER = offsetof(struct udp, data) };

static struct { uint16_t port; udp_handler handler; } listeners[LISTENERS];

void udp_listen(uint16_t port, udp_handler handler)
{
    unsigned place = 0;
    while (place < LISTENERS && listeners[place].handler && listeners[place].port != port)
        place++;
    if (place == LISTENERS)
        return;
    listeners[place].port = port;
    listeners[place].handler = handler;
}

/* The checksum also covers what of the IP header says between whom this is. */
static uint16_t checksum(uint32_t from, uint32_t to, const void *data, size_t length)
{
    uint32_t sum = (from >> 16) + (from & 0xffff) + (to >> 16) + (to & 0xffff);
    return ip_checksum(sum + IP_UDP + (uint32_t)length, data, length);
}

void udp_receive(struct net *net, uint32_t from, uint32_t to, const uint8_t *data, size_t length)
{
    const struct udp *udp = (const struct udp *)data;
    if (length < HEADER)
        return;
    size_t whole = from_big16(udp->length);
    if (whole < HEADER || whole > length ||
        (from_big16(udp->checksum) != 0 && checksum(from, to, data, whole) != 0))
        return;
    struct datagram datagram = {net, from, from_big16(udp->from), udp->data, whole - HEADER};
    for (unsigned i = 0; i < LISTENERS; i++)
        if (listeners[i].handler && listeners[i].port == from_big16(udp->to))
            listeners[i].handler(&datagram);
}

bool udp_send(struct net *net, uint32_t to, uint16_t from_port, uint16_t to_port, const void *data,
              size_t length)
{
    static struct udp udp;
    if (length > UDP_LIMIT)
        return false;
    udp.from = big16(from_port);
    udp.to = big16(to_port);
    udp.length = big16((uint16_t)(HEADER + length));
    udp.checksum = big16(0);
    memcpy(udp.data, data, length);
    uint16_t sum = checksum(net->address, to, &udp, HEADER + length);
    udp.checksum = big16(sum ? sum : 0xffff); /* both are zero in ones' complement */
    return ip_send(net, to, IP_UDP, &udp, HEADER + length);
}
