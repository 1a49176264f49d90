/* ARP: "who has 10.0.2.2? Tell 10.0.2.15." The answer is an Ethernet address.  [rfc 826]
 *
 * What we learn stays in a table.  Its entries have no end of life: a host that changes its card
 * says so in its next question or answer, and each of those is learnt from. */
#include "net.h"

enum { ETHERNET = 1, QUESTION = 1, ANSWER = 2 };

struct arp {
    struct big16 hardware, protocol;
    uint8_t hardware_size, protocol_size;
    struct big16 operation;
    uint8_t sender_mac[MAC];
    struct big32 sender;
    uint8_t target_mac[MAC];
    struct big32 target;
};

struct arp_entry arp_entries[ARP_LIMIT];

static struct arp_entry *find(const struct net *net, uint32_t address)
{
    for (struct arp_entry *entry = arp_entries; entry < arp_entries + ARP_LIMIT; entry++)
        if (entry->net == net && entry->address == address)
            return entry;
    return NULL;
}

const uint8_t *arp_find(const struct net *net, uint32_t address)
{
    struct arp_entry *entry = find(net, address);
    return entry ? entry->mac : NULL;
}

/* A full table forgets its entries one after the other, the oldest first. */
static void learn(struct net *net, uint32_t address, const uint8_t mac[MAC], bool may_add)
{
    static unsigned oldest;
    struct arp_entry *entry = find(net, address);
    if (!entry && may_add)
        entry = &arp_entries[oldest++ % ARP_LIMIT];
    if (!entry)
        return;
    entry->net = net;
    entry->address = address;
    memcpy(entry->mac, mac, MAC);
}

static void send(struct net *net, uint16_t operation, const uint8_t to[MAC], uint32_t target)
{
    struct arp arp = {
        .hardware = big16(ETHERNET),
        .protocol = big16(ETHER_IP),
        .hardware_size = MAC,
        .protocol_size = sizeof arp.sender,
        .operation = big16(operation),
        .sender = big32(net->address),
        .target = big32(target),
    };
    memcpy(arp.sender_mac, net->mac, MAC);
    if (operation == ANSWER)
        memcpy(arp.target_mac, to, MAC);
    ether_send(net, to, ETHER_ARP, &arp, sizeof arp);
}

void arp_ask(struct net *net, uint32_t address)
{
    send(net, QUESTION, ether_everybody, address);
}

/* The order is the specification's: an entry that we have is brought up to date whoever was asked,
 * a new one is made only if we were. */
void arp_receive(struct net *net, const uint8_t *data, size_t length)
{
    const struct arp *arp = (const struct arp *)data;
    if (length < sizeof *arp || from_big16(arp->hardware) != ETHERNET ||
        from_big16(arp->protocol) != ETHER_IP || arp->hardware_size != MAC ||
        arp->protocol_size != sizeof arp->sender)
        return;
    uint32_t sender = from_big32(arp->sender);
    bool for_us = net->address && from_big32(arp->target) == net->address;
    if (sender)
        learn(net, sender, arp->sender_mac, for_us);
    if (for_us && from_big16(arp->operation) == QUESTION)
        send(net, ANSWER, arp->sender_mac, sender);
}
