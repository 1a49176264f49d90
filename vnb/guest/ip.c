/* IP, version 4: packets between hosts.  [rfc 791]
 *
 * labos neither cuts packets in pieces nor puts pieces together, and forwards nothing. */
#include "net.h"

enum { VERSION_4_FIVE_WORDS = 0x45, LIFE = 64 };
enum { MORE_FRAGMENTS = 0x2000, DO_NOT_FRAGMENT = 0x4000, FRAGMENT_OFFSET = 0x1fff };

struct packet {
    uint8_t version;            /* and in the low half how many words the header has */
    uint8_t service;
    struct big16 length;        /* of it all */
    struct big16 id, fragment;
    uint8_t life;               /* how many routers may still forward it */
    uint8_t protocol;
    struct big16 checksum;      /* of the header */
    struct big32 from, to;
    uint8_t payload[IP_PAYLOAD_LIMIT];
};

enum { HEADER = offsetof(struct packet, payload) };

/* The sum of all 16-bit words in ones' complement, and then its complement.  Whoever computes it
 * again over data that has its checksum in place gets zero.  [rfc 1071] */
uint16_t ip_checksum(uint32_t sum, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* As long as we have no address, everything may be for us: it is how we get one (dhcp.c). */
static bool is_ours(const struct net *net, uint32_t to)
{
    return !net->address || to == net->address || to == IP_EVERYBODY ||
           to == (net->address | ~net->mask);
}

void ip_receive(struct net *net, const uint8_t *data, size_t length)
{
    const struct packet *packet = (const struct packet *)data;
    if (length < HEADER || packet->version >> 4 != 4)
        return;
    size_t header = (packet->version & 15) * 4u, whole = from_big16(packet->length);
    uint32_t from = from_big32(packet->from), to = from_big32(packet->to);
    if (header < HEADER || whole < header || whole > length || ip_checksum(0, data, header) != 0 ||
        from_big16(packet->fragment) & (MORE_FRAGMENTS | FRAGMENT_OFFSET) || !is_ours(net, to))
        return;
    switch (packet->protocol) {
    case IP_ICMP: icmp_receive(net, from, data + header, whole - header); break;
    case IP_UDP: udp_receive(net, from, to, data + header, whole - header); break;
    }
}

/* ADDRESS/BITS, as in 10.0.0.2/24: who we are, and how many bits the neighbours' addresses have
 * in common with ours, from the first one on. */
bool ip_configure(struct net *net, char *text)
{
    uint32_t address;
    uint64_t bits = 24;
    char *slash = strchr(text, '/');
    if (slash)
        *slash = 0;
    if ((slash && !number(slash + 1, "BITS", 1, 32, &bits)) || !ip_parse(text, &address))
        return false;
    net->address = address;
    net->mask = UINT32_MAX << (32 - bits);
    return true;
}

/* The host may have said already who we are. */
void ip_start_all(void)
{
    char option[] = "vnb.ip=eth0=", value[32];
    for (struct net *net = nets; net < nets + net_count; net++) {
        option[sizeof option - 3] = (char)('0' + (net - nets));
        if (option_find(option, value, sizeof value) && !strchr(value, ':')) /* that is version 6 */
            ip_configure(net, value);
    }
}

/* Through which interface a packet leaves, and to which neighbour: to the host itself if it is on
 * our network, otherwise to the router, who knows more. */
static struct net *route(uint32_t to, uint32_t *next)
{
    *next = to;
    for (struct net *net = nets; net < nets + net_count; net++)
        if (net->address && ((to ^ net->address) & net->mask) == 0)
            return net;
    for (struct net *net = nets; net < nets + net_count; net++) {
        *next = net->router;
        if (net->address && net->router)
            return net;
    }
    return NULL;
}

/* False, having asked for it, if the neighbour's Ethernet address is not known yet. */
bool ip_send(struct net *net, uint32_t to, uint8_t protocol, const void *payload, size_t length)
{
    static struct packet packet;
    static uint16_t id;
    const uint8_t *mac = ether_everybody;
    if (HEADER + length > net_limit(net))
        return false;
    if (to != IP_EVERYBODY && to != (net->address | ~net->mask)) {
        uint32_t next = ((to ^ net->address) & net->mask) == 0 ? to : net->router;
        mac = arp_find(net, next);
        if (!mac) {
            if (next)
                arp_ask(net, next);
            return false;
        }
    }
    packet.version = VERSION_4_FIVE_WORDS;
    packet.length = big16((uint16_t)(HEADER + length));
    packet.id = big16(id++);
    packet.fragment = big16(DO_NOT_FRAGMENT);
    packet.life = LIFE;
    packet.protocol = protocol;
    packet.from = big32(net->address);
    packet.to = big32(to);
    packet.checksum = big16(0);
    packet.checksum = big16(ip_checksum(0, &packet, HEADER));
    memcpy(packet.payload, payload, length);
    return ether_send(net, mac, ETHER_IP, &packet, HEADER + length);
}

struct neighbour {
    struct net *net;
    uint32_t address;
};

static bool is_known(void *neighbour)
{
    struct neighbour *it = neighbour;
    return arp_find(it->net, it->address) != NULL;
}

struct net *ip_reach(uint32_t to)
{
    enum { TRIES = 3, PATIENCE = 1000 };
    struct neighbour neighbour;
    neighbour.net = route(to, &neighbour.address);
    if (!neighbour.net) {
        print("there is no way to ");
        ip_print(to);
        print("; try: dhcp, or net address\n");
        return NULL;
    }
    for (unsigned i = 0; i < TRIES && !is_known(&neighbour) && !stopped(); i++) {
        arp_ask(neighbour.net, neighbour.address);
        command_wait(is_known, &neighbour, PATIENCE);
    }
    if (is_known(&neighbour))
        return neighbour.net;
    ip_print(neighbour.address);
    print(" does not answer%s\n", net_link(neighbour.net) ? "" : ": the link is down");
    return NULL;
}

void ip_print(uint32_t address)
{
    print("%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

bool ip_parse(const char *word, uint32_t *address)
{
    const char *text = word;
    unsigned parts = 0, value = 0, digits = 0;
    for (*address = 0; parts < 4; text++) {
        if (*text >= '0' && *text <= '9' && ++digits <= 3) {
            value = value * 10 + (unsigned)(*text - '0');
        } else if (digits > 0 && digits <= 3 && value < 256 && *text == (parts < 3 ? '.' : 0)) {
            *address = *address << 8 | value;
            value = digits = 0;
            parts++;
        } else {
            break;
        }
    }
    if (parts == 4)
        return true;
    print("an address is like 10.0.2.15, not like '%s'\n", word);
    return false;
}
