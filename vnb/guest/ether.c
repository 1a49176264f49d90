/* Ethernet: frames to one of us or to all, and what is in them.
 *
 *     to (6 bytes), from (6 bytes), type (2 bytes), payload (46 to 1500 bytes)
 *
 * Shorter payloads are filled up with zeros, so what is in a frame may end before it does: each
 * protocol says itself how long it is. */
#include "net.h"

enum { SHORTEST = 60 };

struct frame {
    uint8_t to[MAC], from[MAC];
    struct big16 type;
    uint8_t payload[PACKET_LIMIT];
};

enum { HEADER = offsetof(struct frame, payload) };

const uint8_t ether_everybody[MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

uint16_t from_big16(struct big16 number)
{
    return (uint16_t)(number.byte[0] << 8 | number.byte[1]);
}

uint32_t from_big32(struct big32 number)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++)
        value = value << 8 | number.byte[i];
    return value;
}

struct big16 big16(uint16_t number)
{
    return (struct big16){{(uint8_t)(number >> 8), (uint8_t)number}};
}

struct big32 big32(uint32_t number)
{
    return (struct big32){{(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                           (uint8_t)number}};
}

static bool same(const uint8_t a[MAC], const uint8_t b[MAC])
{
    return memcmp(a, b, MAC) == 0;
}

static void receive(struct net *net, const struct frame *frame, size_t length)
{
    if (length < HEADER || !(same(frame->to, net->mac) || same(frame->to, ether_everybody)))
        return; /* a card may well show us what is for others */
    switch (from_big16(frame->type)) {
    case ETHER_ARP: arp_receive(net, frame->payload, length - HEADER); break;
    case ETHER_IP: ip_receive(net, frame->payload, length - HEADER); break;
    }
}

/* At most so many at a time: a flood must not keep whoever calls from its own work for ever.  And
 * one after the other, although whoever looks at a frame may wait for something meanwhile. */
void ether_serve(void)
{
    enum { AT_ONCE = 64 };
    static bool serving;
    if (serving)
        return;
    serving = true;
    for (struct net *net = nets; net < nets + net_count; net++) {
        size_t length;
        const uint8_t *data;
        for (unsigned i = 0; i < AT_ONCE && (data = net_receive(net, &length)); i++) {
            receive(net, (const struct frame *)data, length);
            net_release(net, data);
        }
    }
    serving = false;
}

bool ether_send(struct net *net, const uint8_t to[MAC], uint16_t type, const void *payload,
                size_t length)
{
    static struct frame frame;
    if (length > PACKET_LIMIT)
        return false;
    memcpy(frame.to, to, MAC);
    memcpy(frame.from, net->mac, MAC);
    frame.type = big16(type);
    memcpy(frame.payload, payload, length);
    length += HEADER;
    for (; length < SHORTEST; length++)
        frame.payload[length - HEADER] = 0;
    return net_send(net, &frame, length);
}
