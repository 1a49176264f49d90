/* DHCP: an address, asked of whoever on the network has some to give.  [rfc 2131]
 *
 *     DISCOVER   us, to everybody     does anybody have an address for me?
 *     OFFER      a server             you could have 10.0.2.15
 *     REQUEST    us, to everybody     then I take the 10.0.2.15 of that server
 *     ACK        the server           it is yours, for a day
 *
 * labos keeps the address until it is switched off, and never asks to have it for longer. */
#include "net.h"

enum { CLIENT = 68, SERVER = 67 };                              /* ports */
enum { BOOT_REQUEST = 1, BOOT_REPLY = 2, ETHERNET = 1, BROADCAST_PLEASE = 0x8000 };
enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, NAK = 6 };
enum { /* options: a code, a length, so many bytes  [rfc 2132] */
    PAD = 0, MASK = 1, ROUTER = 3, REQUESTED = 50, LEASE = 51, KIND = 53, SERVER_ID = 54,
    PARAMETERS = 55, END = 255,
};
enum { OPTIONS = 312, MAGIC = 0x63825363 };

struct dhcp {
    uint8_t operation, hardware, hardware_size, hops;
    struct big32 transaction;
    struct big16 seconds, flags;
    struct big32 client, yours, server, relay;
    uint8_t mac[16];
    uint8_t names[64 + 128];
    struct big32 magic;
    uint8_t options[OPTIONS];
};

enum { HEADER = offsetof(struct dhcp, options) };

/* What we have heard. */
static struct lease {
    struct net *net;
    uint32_t transaction;
    uint8_t kind;               /* OFFER, ACK or NAK; 0: nothing yet */
    uint32_t yours, server, mask, router, seconds;
} lease;

static void read_option(uint8_t code, const uint8_t *data, size_t length)
{
    uint32_t value = length >= 4 ? from_big32(*(const struct big32 *)data) : 0;
    switch (code) {
    case KIND: lease.kind = length >= 1 ? data[0] : 0; break;
    case MASK: lease.mask = value; break;
    case ROUTER: lease.router = value; break;
    case LEASE: lease.seconds = value; break;
    case SERVER_ID: lease.server = value; break;
    }
}

static void receive(const struct datagram *datagram)
{
    const struct dhcp *dhcp = (const struct dhcp *)datagram->data;
    if (datagram->net != lease.net || datagram->length < HEADER || dhcp->operation != BOOT_REPLY ||
        from_big32(dhcp->transaction) != lease.transaction || from_big32(dhcp->magic) != MAGIC ||
        memcmp(dhcp->mac, lease.net->mac, MAC) != 0)
        return;
    lease.yours = from_big32(dhcp->yours);
    const uint8_t *at = dhcp->options, *end = datagram->data + datagram->length;
    while (at < end && *at != END) {
        if (*at == PAD) {
            at++;
            continue;
        }
        if (end - at < 2 || end - at - 2 < at[1])
            return; /* the option is longer than the message */
        read_option(at[0], at + 2, at[1]);
        at += 2 + at[1];
    }
}

static uint8_t *add(uint8_t *at, uint8_t code, uint32_t value)
{
    struct big32 big = big32(value);
    *at++ = code;
    *at++ = sizeof big;
    memcpy(at, &big, sizeof big);
    return at + sizeof big;
}

static void say(struct net *net, uint8_t kind)
{
    static struct dhcp dhcp;
    dhcp = (struct dhcp){
        .operation = BOOT_REQUEST,
        .hardware = ETHERNET,
        .hardware_size = MAC,
        .transaction = big32(lease.transaction),
        .flags = big16(BROADCAST_PLEASE), /* as yet there is no address to send an answer to */
        .magic = big32(MAGIC),
        .options = {KIND, 1, kind, PARAMETERS, 3, MASK, ROUTER, LEASE},
    };
    memcpy(dhcp.mac, net->mac, MAC);
    uint8_t *at = dhcp.options + 8;
    if (kind == REQUEST) {
        at = add(at, REQUESTED, lease.yours);
        at = add(at, SERVER_ID, lease.server);
    }
    *at = END;
    udp_send(net, IP_EVERYBODY, CLIENT, SERVER, &dhcp, sizeof dhcp);
}

static bool heard(void *unused)
{
    (void)unused;
    return lease.kind != 0;
}

/* Says it up to three times, and waits longer each time: whatever was in the way has time to go. */
static bool ask(struct net *net, uint8_t kind)
{
    enum { TRIES = 3, PATIENCE = 1000 };
    lease.kind = 0;
    for (unsigned i = 0; i < TRIES && !stopped(); i++) {
        say(net, kind);
        if (command_wait(heard, NULL, PATIENCE << i))
            return true;
    }
    return false;
}

static bool obtain(struct net *net)
{
    lease = (struct lease){.net = net, .mask = 0xffffff00};
    lease.transaction = (uint32_t)stamp(clock_ticks() + net->mac[MAC - 1]);
    if (!ask(net, DISCOVER))
        return false;
    return lease.kind == OFFER && ask(net, REQUEST) && lease.kind == ACK && lease.yours;
}

int cmd_dhcp(unsigned count, char **words)
{
    (void)count, (void)words;
    struct net *net = net_current();
    if (!net)
        return FAILED;
    net->address = net->mask = net->router = 0;
    udp_listen(CLIENT, receive);
    bool good = obtain(net);
    udp_listen(CLIENT, NULL);
    lease.net = NULL; /* whatever else arrives is late */
    if (!good) {
        print("%s\n", lease.kind ? "the server changed its mind" : "nobody offers an address");
        return stopped() ? STOPPED : FAILED;
    }
    net->address = lease.yours;
    net->mask = lease.mask;
    net->router = lease.router;
    ip_print(net->address);
    print(" for %u s from ", lease.seconds);
    ip_print(lease.server);
    print("\n");
    return 0;
}
