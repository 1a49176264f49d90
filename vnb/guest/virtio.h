/* VirtIO, from the driver's side.  [virtio 1.2]
 *
 * A device has registers, which a transport brings to us (virtio_mmio.c, virtio_pci.c); a status,
 * which the driver leads step by step to DRIVER_OK (virtio.c); and queues in our memory, through
 * which all the data goes (queue.c).  What the data means is each driver's own business
 * (virtio_blk.c, virtio_net.c, ...), and no driver knows which transport carries its device. */
#pragma once

#include "labos.h"

/* ---- virtio.c: a device and its life ---- */

enum virtio_id { /* [virtio 5] */
    VIRTIO_ABSENT = 0,
    VIRTIO_NET = 1,
    VIRTIO_BLOCK = 2,
    VIRTIO_CONSOLE = 3,
    VIRTIO_ENTROPY = 4,
    VIRTIO_9P = 9,
    VIRTIO_GPU = 16,
    VIRTIO_INPUT = 18,
};

enum virtio_status { /* [virtio 2.1] */
    ACKNOWLEDGE = 1,
    DRIVER = 2,
    DRIVER_OK = 4,
    FEATURES_OK = 8,
    NEEDS_RESET = 64,
    DRIVER_FAILED = 128,
};

#define FEATURE(bit) (1ul << (bit))
#define VIRTIO_F_VERSION_1 FEATURE(32)

enum { VIRTIO_LIMIT = 40 }; /* devices in a machine */

struct virtio {
    const struct transport *transport;
    uint32_t id;            /* what kind of device */
    uint32_t version;       /* 2; 1 is from before the standard, and not for labos */
    unsigned source;        /* its interrupt, as the PLIC counts them; devices may share one */
    uint64_t features;      /* what both sides have agreed on */
    volatile bool broken;   /* the device says that it needs a reset, or nobody can work with it */
    volatile bool changed;  /* its configuration did, since whoever cares last set this to false */
    const char *name;       /* by which commands know it, as in "disk 0"; NULL: it has no driver */
    unsigned number;

    /* Where it is: for the transport.  The first two are addresses in memory. */
    uint64_t registers;
    uint64_t config;        /* its configuration, */
    uint32_t config_size;   /* of so many bytes */
    unsigned place;         /* the number of its MMIO slot, or among the PCI functions */
    uint64_t isr, doorbells;
    uint32_t doorbells_size, doorbell_step;
};
extern struct virtio virtio_devices[VIRTIO_LIMIT];
extern unsigned virtio_count;

void virtio_find(void);
struct virtio *virtio_next(struct virtio *device, enum virtio_id id); /* NULL: first, or no more */
bool virtio_begin(struct virtio *device, uint64_t wanted);    /* reset, and agree on features */
void virtio_go(struct virtio *device);                        /* queues are there: DRIVER_OK */
void virtio_name(struct virtio *device, const char *name, unsigned number);
const char *virtio_kind(uint32_t id);
bool virtio_interrupt(unsigned source);                       /* false: no device had a reason */
uint64_t virtio_config(struct virtio *device, unsigned offset, unsigned size);
void virtio_set_config(struct virtio *device, unsigned offset, unsigned size, uint64_t value);

/* ---- virtio_mmio.c, virtio_pci.c: what a transport can do ---- */

struct queue;

struct transport {
    void (*print_place)(const struct virtio *device);
    uint64_t (*features)(struct virtio *device);            /* what the device offers */
    void (*accept)(struct virtio *device, uint64_t features);
    uint32_t (*status)(struct virtio *device);
    void (*set_status)(struct virtio *device, uint32_t status);
    uint32_t (*queue_limit)(struct virtio *device, unsigned number); /* its size; 0: no such one */
    bool (*set_queue)(struct queue *queue);
    void (*notify)(const struct queue *queue);
    uint32_t (*acknowledge)(struct virtio *device);         /* why the device interrupted us */
    uint32_t (*generation)(struct virtio *device);          /* changes with the configuration */
};

enum { INTERRUPT_QUEUE = 1, INTERRUPT_CONFIG = 2 };

unsigned virtio_mmio_find(struct virtio *devices, unsigned limit);
unsigned virtio_pci_find(struct virtio *devices, unsigned limit);

/* ---- queue.c: split virtqueues ---- */

enum { QUEUE_SIZE = 16 }; /* a power of two */

struct descriptor { /* [virtio 2.7.5] */
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

struct avail { /* [virtio 2.7.6] written by the driver */
    uint16_t flags;
    volatile uint16_t index;
    uint16_t ring[QUEUE_SIZE];
};

struct used { /* [virtio 2.7.8] written by the device */
    volatile uint16_t flags;
    volatile uint16_t index;
    struct { uint32_t id, length; } ring[QUEUE_SIZE];
};

struct queue {
    struct descriptor descriptors[QUEUE_SIZE] __attribute__((aligned(16)));
    struct avail avail __attribute__((aligned(2)));
    struct used used __attribute__((aligned(4)));
    struct virtio *device;
    uint64_t doorbell;    /* the register that tells the device to look; the transport's */
    uint16_t number;      /* among the device's queues */
    uint16_t size;        /* the device may want a smaller one than we have */
    uint16_t free;        /* the first free descriptor; its `next` is the second */
    uint16_t free_count;
    uint16_t seen;        /* how far we have read the used ring */
    struct lent {
        bool out;         /* a chain that starts with this descriptor is the device's now */
        uint32_t room;    /* how much it may write into it */
    } lent[QUEUE_SIZE];
};

/* One stretch of memory in a request. */
struct piece {
    const volatile void *data;
    uint32_t length;
    bool device_writes;
};

bool queue_start(struct queue *queue, struct virtio *device, unsigned number);
bool queue_add(struct queue *queue, const struct piece *pieces, unsigned count); /* false: full */
bool queue_give(struct queue *queue, void *buffer, uint32_t length); /* for the device to fill */
void queue_notify(struct queue *queue);
bool queue_has_used(const struct queue *queue);
void *queue_take(struct queue *queue, uint32_t *written); /* the first piece, or NULL */
bool queue_wait(struct queue *queue); /* until the device is done with a chain; false: it is not */
bool queue_ask(struct queue *queue, const struct piece *pieces, unsigned count, uint32_t *written);

/* ---- virtio_console.c ---- */

void port_start(const char *name);
bool port_poll(void);                             /* true once: the port is open now */
bool port_has_news(void);                         /* for port_poll() or port_read() */
bool port_read(char *c);
void port_write(const char *text, size_t length);

/* ---- virtio_rng.c ---- */

enum { RNG_LIMIT = 4 };
extern unsigned rng_count;
void rng_start_all(void);
uint32_t rng_read(unsigned number, void *buffer, uint32_t length); /* how many bytes there are */
