/* A port of a VirtIO console: a driver for consoles with several ports.  [virtio 5.3]
 *
 * Device and driver tell each other of the ports over a pair of control queues; each port then has
 * a pair of queues for its characters.  labos wants one port, which it knows by name, and leaves
 * the others alone: in particular port 0, the console, so that what is typed comes to the UART. */
#include "virtio.h"

enum { F_MULTIPORT = 1 };                             /* [virtio 5.3.3] */
enum { PORTS = 4, BUFFER = 256, CONTROL_BUFFER = 80 };

enum { /* control messages: what each side says of a port [virtio 5.3.6.2] */
    DEVICE_READY = 0, PORT_ADD = 1, PORT_REMOVE = 2, PORT_READY = 3, PORT_OPEN = 6, PORT_NAME = 7,
};

struct control {
    uint32_t port;
    uint16_t event, value;
};

/* [virtio 5.3.2]: port 0's queues come first, then the control queues, then the other ports'. */
enum { CONTROL_IN = 2, CONTROL_OUT = 3 };
#define PORT_IN(port) ((port) == 0 ? 0 : 2 + 2 * (port))
#define PORT_OUT(port) (PORT_IN(port) + 1)

static struct queue queues[2 + 2 * PORTS];
static char control_buffers[4][CONTROL_BUFFER] NOT_ZEROED;
static char buffers[QUEUE_SIZE][BUFFER] NOT_ZEROED;

static struct virtio *device;
static const char *wanted;      /* the port's name */
static unsigned port;           /* its number, */
static bool known, host_open;   /* once known; and whether somebody listens */
static bool port_opened;

static char *reading;           /* the buffer that port_read() is in, or NULL */
static uint32_t reading_at, reading_length;

static void give(struct queue *queue, void *buffer, uint32_t length)
{
    queue_give(queue, buffer, length);
    queue_notify(queue);
}

/* The bytes must stay until the device has read them, and then the call returns. */
static bool send(struct queue *queue, const void *data, uint32_t length)
{
    uint32_t written;
    return queue_ask(queue, &(struct piece){data, length, false}, 1, &written);
}

static void say(uint32_t about, uint16_t event, uint16_t value)
{
    static struct control message;
    message = (struct control){about, event, value};
    send(&queues[CONTROL_OUT], &message, sizeof message);
}

static bool start(void)
{
    if (!virtio_begin(device, FEATURE(F_MULTIPORT)) || !(device->features & FEATURE(F_MULTIPORT)))
        return false;
    for (unsigned number = 0; number < COUNT(queues); number++)
        if (!queue_start(&queues[number], device, number) && number <= CONTROL_OUT)
            return false; /* a device with fewer ports has fewer queues, but always these */
    virtio_go(device);
    for (unsigned i = 0; i < COUNT(control_buffers); i++)
        give(&queues[CONTROL_IN], control_buffers[i], CONTROL_BUFFER);
    say(0, DEVICE_READY, 1); /* only now does it tell of its ports */
    return true;
}

/* The first console with ports is the one; if there is none, the port just never has news. */
void port_start(const char *name)
{
    wanted = name;
    while ((device = virtio_next(device, VIRTIO_CONSOLE))) {
        if (start()) {
            virtio_name(device, "console", 0);
            return;
        }
    }
}

static void hear(const char *message, uint32_t length)
{
    const struct control *control = (const struct control *)message;
    if (length < sizeof *control || control->port >= PORTS)
        return;
    const char *name = message + sizeof *control;
    uint32_t name_length = length - sizeof *control;
    if (name_length > 0 && name[name_length - 1] == 0)
        name_length--; /* some devices end the name with a zero, others do not */
    switch (control->event) {
    case PORT_ADD:
        say(control->port, PORT_READY, 1); /* the answer is its name */
        break;
    case PORT_NAME:
        if (name_length == strlen(wanted) && memcmp(name, wanted, name_length) == 0) {
            known = true;
            port = control->port;
        }
        break;
    case PORT_OPEN:
        if (known && control->port == port)
            host_open = control->value;
        break;
    case PORT_REMOVE:
        if (known && control->port == port)
            known = host_open = port_opened = false;
    }
}

static bool has_input(void)
{
    return port_opened && (reading || queue_has_used(&queues[PORT_IN(port)]));
}

bool port_has_news(void)
{
    return device && (queue_has_used(&queues[CONTROL_IN]) || has_input());
}

/* True once, when the port has become ready to use. */
bool port_poll(void)
{
    uint32_t length;
    char *message;
    if (!device)
        return false;
    while ((message = queue_take(&queues[CONTROL_IN], &length))) {
        hear(message, length);
        give(&queues[CONTROL_IN], message, CONTROL_BUFFER);
    }
    if (!known || !host_open || port_opened)
        return false;
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        give(&queues[PORT_IN(port)], buffers[i], BUFFER);
    say(port, PORT_OPEN, 1);
    return port_opened = true;
}

bool port_read(char *c)
{
    if (!has_input())
        return false;
    if (!reading) {
        reading_at = 0;
        reading = queue_take(&queues[PORT_IN(port)], &reading_length);
    }
    bool there_is = reading && reading_at < reading_length;
    if (there_is)
        *c = reading[reading_at++];
    if (reading && reading_at >= reading_length) {
        give(&queues[PORT_IN(port)], reading, BUFFER); /* read to its end: the next ones, please */
        reading = NULL;
    }
    return there_is;
}

/* A port whose host does not take what we say is given up, so that we never wait for it again. */
void port_write(const char *text, size_t length)
{
    if (port_opened && !send(&queues[PORT_OUT(port)], text, (uint32_t)length))
        known = port_opened = false;
}
