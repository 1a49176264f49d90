/* udp: send back what arrives at a port, or send something and see what comes back. */
#include "net.h"

enum { OUR_PORT = 49152 }; /* the first of those that nobody owns */

static struct conversation {
    uint16_t port;
    uint64_t heard;
} conversation;

static void print_datagram(const struct datagram *datagram)
{
    print("%lu bytes from ", datagram->length);
    ip_print(datagram->from);
    print(" port %u\n", datagram->port);
}

static void echo(const struct datagram *datagram)
{
    print_datagram(datagram);
    udp_send(datagram->net, datagram->from, conversation.port, datagram->port, datagram->data,
             datagram->length);
    conversation.heard++;
}

static void show(const struct datagram *datagram)
{
    print_datagram(datagram);
    dump(0, datagram->data, datagram->length);
    conversation.heard++;
}

static bool heard_enough(void *enough)
{
    return conversation.heard >= *(uint64_t *)enough;
}

static bool enough_or_key(void *enough)
{
    return heard_enough(enough) || uart_has_input();
}

static int cmd_echo_port(unsigned count, char **words)
{
    uint64_t port, enough = UINT64_MAX;
    if (!number(words[1], "PORT", 1, UINT16_MAX, &port) ||
        (count > 2 && !number(words[2], "COUNT", 1, UINT32_MAX, &enough)))
        return USAGE;
    if (!net_current())
        return FAILED;
    conversation = (struct conversation){.port = (uint16_t)port};
    udp_listen(conversation.port, echo);
    print("echo on port %lu, until a key is pressed here:\n", port);
    command_wait(enough_or_key, &enough, FOREVER);
    udp_listen(conversation.port, NULL);
    key_pressed();
    return stopped() ? STOPPED : 0;
}

static int cmd_send(unsigned count, char **words)
{
    enum { PATIENCE = 1000 };
    uint32_t to;
    uint64_t port, enough = 1;
    (void)count;
    if (!ip_parse(words[1], &to) || !number(words[2], "PORT", 1, UINT16_MAX, &port))
        return USAGE;
    struct net *net = ip_reach(to);
    if (!net)
        return stopped() ? STOPPED : FAILED;
    conversation = (struct conversation){.port = OUR_PORT};
    udp_listen(OUR_PORT, show);
    bool sent = udp_send(net, to, OUR_PORT, (uint16_t)port, words[3], strlen(words[3]));
    bool heard = sent && command_wait(heard_enough, &enough, PATIENCE);
    udp_listen(OUR_PORT, NULL);
    if (!heard)
        print("%s\n", sent ? "no answer" : "it did not go out");
    return heard ? 0 : stopped() ? STOPPED : FAILED;
}

int cmd_udp(unsigned count, char **words)
{
    (void)count, (void)words;
    print("usage: udp echo PORT, or udp send ADDRESS PORT TEXT\n");
    return USAGE;
}

const struct command udp_commands[] = {
    {"echo", cmd_echo_port, 1, 2, "PORT [COUNT]", "send back what arrives there"},
    {"send", cmd_send,      3, 3, "ADDRESS PORT TEXT", "send it, and show what comes back"},
    {0},
};
