/* ICMP: the echo that ping listens for, as the mountain and as the one who calls.  [rfc 792] */
#include "net.h"

enum { ECHO_REPLY = 0, UNREACHABLE = 3, ECHO_REQUEST = 8 };
enum { LETTERS = 56, OUR_ID = 0x1ab5 };

struct message {
    uint8_t type, code;
    struct big16 checksum;
    struct big16 id, sequence;
    uint8_t letters[LETTERS]; /* of ours; those of others may be more or fewer */
};

enum { HEADER = offsetof(struct message, letters) };

static struct ping {
    uint32_t to;
    uint16_t sequence;
    bool answered, unreachable;
    size_t length;
} ping;

static bool send(struct net *net, uint32_t to, struct message *message, size_t length)
{
    message->checksum = big16(0);
    message->checksum = big16(ip_checksum(0, message, length));
    return ip_send(net, to, IP_ICMP, message, length);
}

/* The same back, with another type. */
static void answer(struct net *net, uint32_t to, const uint8_t *data, size_t length)
{
    static uint8_t copy[IP_PAYLOAD_LIMIT];
    if (!net->address)
        return;
    memcpy(copy, data, length);
    ((struct message *)copy)->type = ECHO_REPLY;
    send(net, to, (struct message *)copy, length);
}

void icmp_receive(struct net *net, uint32_t from, const uint8_t *data, size_t length)
{
    const struct message *message = (const struct message *)data;
    if (length < HEADER || ip_checksum(0, data, length) != 0)
        return;
    switch (message->type) {
    case ECHO_REQUEST:
        answer(net, from, data, length);
        break;
    case UNREACHABLE:
        ping.unreachable = true;
        break;
    case ECHO_REPLY:
        if (from == ping.to && from_big16(message->id) == OUR_ID &&
            from_big16(message->sequence) == ping.sequence) {
            ping.answered = true;
            ping.length = length;
        }
    }
}

static bool heard(void *unused)
{
    (void)unused;
    return ping.answered || ping.unreachable;
}

static bool once(struct net *net, uint16_t sequence)
{
    enum { PATIENCE = 1000 };
    static struct message request;
    request.type = ECHO_REQUEST;
    request.id = big16(OUR_ID);
    request.sequence = big16(sequence);
    for (unsigned i = 0; i < LETTERS; i++)
        request.letters[i] = (uint8_t)('a' + i % 26);
    ping.sequence = sequence;
    ping.answered = ping.unreachable = false;
    uint64_t start = clock_ticks();
    if (!send(net, ping.to, &request, sizeof request) ||
        !command_wait(heard, NULL, PATIENCE) || ping.unreachable) {
        print("%u: %s\n", sequence, ping.unreachable ? "unreachable" : "no answer");
        return false;
    }
    print("%u: %lu bytes from ", sequence, ping.length);
    ip_print(ping.to);
    print(" after %lu us\n", clock_microseconds(clock_ticks() - start));
    return true;
}

static bool never(void *unused)
{
    (void)unused;
    return false;
}

int cmd_ping(unsigned count, char **words)
{
    enum { PAUSE = 200 };
    uint64_t times = 3, answers = 0, sent = 0;
    if (!ip_parse(words[1], &ping.to) ||
        (count > 2 && !number(words[2], "COUNT", 1, UINT16_MAX, &times)))
        return USAGE;
    struct net *net = ip_reach(ping.to);
    if (!net)
        return stopped() ? STOPPED : FAILED;
    while (sent < times && !stopped()) {
        if (sent > 0)
            command_wait(never, NULL, PAUSE);
        answers += once(net, (uint16_t)++sent);
    }
    print("%lu sent, %lu answered\n", sent, answers);
    return stopped() ? STOPPED : answers > 0 ? 0 : FAILED;
}
