/* net, arp, udp: what the interfaces are, who the neighbours are, and a word with them. */
#include "net.h"

static unsigned current; /* the interface that commands are about */

struct net *net_current(void)
{
    if (net_count > 0)
        return &nets[current];
    print("there is no network: labos found no VirtIO network device that it can drive\n");
    return NULL;
}

static void print_mac(const uint8_t mac[MAC])
{
    for (unsigned i = 0; i < MAC; i++)
        print("%s%02x", i > 0 ? ":" : "", mac[i]);
}

/* 255.255.255.0 is 24. */
static unsigned prefix(uint32_t mask)
{
    unsigned bits = 0;
    while (bits < 32 && mask & 1u << (31 - bits))
        bits++;
    return bits;
}

int cmd_net_info(unsigned count, char **words)
{
    (void)count, (void)words;
    if (!net_current())
        return FAILED;
    for (unsigned i = 0; i < net_count; i++) {
        struct net *net = &nets[i];
        print("%c net %u in ", i == current ? '*' : ' ', i);
        net->device->transport->print_place(net->device);
        print(": ");
        print_mac(net->mac);
        print(", link %s, ", net_link(net) ? "up" : "down");
        if (net->address) {
            ip_print(net->address);
            print("/%u", prefix(net->mask));
        } else {
            print("no address");
        }
        if (net->router) {
            print(" via ");
            ip_print(net->router);
        }
        print(", %lu frames in, %lu out\n", net->received, net->sent);
    }
    return 0;
}

static int cmd_use(unsigned count, char **words)
{
    (void)count;
    uint64_t chosen;
    if (!net_current())
        return FAILED;
    if (!number(words[1], "NET", 0, net_count - 1, &chosen))
        return USAGE;
    current = (unsigned)chosen;
    return 0;
}

static int cmd_address(unsigned count, char **words)
{
    struct net *net = net_current();
    uint32_t router = 0;
    if (!net)
        return FAILED;
    if ((count > 2 && !ip_parse(words[2], &router)) || !ip_configure(net, words[1]))
        return USAGE;
    net->router = router;
    return 0;
}

const struct command net_commands[] = {
    {"info",    cmd_net_info, 0, 0, "", "all interfaces, a * before the one in use"},
    {"use",     cmd_use,      1, 1, "NET", "let dhcp and net address be about this one"},
    {"address", cmd_address,  1, 2, "ADDRESS/BITS [ROUTER]", "give it an address, as 10.0.0.2/24"},
    {0},
};

int cmd_arp(unsigned count, char **words)
{
    (void)count, (void)words;
    for (const struct arp_entry *entry = arp_entries; entry < arp_entries + ARP_LIMIT; entry++) {
        if (!entry->net)
            continue;
        print("net %u ", (unsigned)(entry->net - nets));
        print_mac(entry->mac);
        print(" ");
        ip_print(entry->address);
        print("\n");
    }
    return 0;
}
