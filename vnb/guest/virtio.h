/* VirtIO, from the driver's side.  [virtio 1.2]
 *
 * A device has registers, which a transport brings to us (virtio_mmio.c); a status, which the
 * driver leads step by step to DRIVER_OK (virtio.c); and queues in our memory, through which all
 * the data goes (queue.c).  What the data means is each driver's own business (virtio_blk.c,
 * virtio_console.c). */
#pragma once

#include "labos.h"

/* ---- virtio.c: a device and its life ---- */

enum virtio_id { VIRTIO_ABSENT = 0, VIRTIO_BLOCK = 2, VIRTIO_CONSOLE = 3 };

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

struct virtio {
    unsigned slot;
    uint32_t id;            /* what kind of device; VIRTIO_ABSENT: there is none */
    uint32_t version;       /* 2; 1 is from before the standard, and not for labos */
    uint64_t features;      /* what both sides have agreed on */
    volatile bool broken;   /* the device says that it needs a reset */
};
extern struct virtio virtio_devices[VIRTIO_SLOTS];

void virtio_find(void);
bool virtio_begin(struct virtio *device, uint64_t wanted); /* reset, and agree on features */
void virtio_go(struct virtio *device);                     /* queues are there: DRIVER_OK */
void virtio_interrupt(unsigned slot);

/* ---- virtio_mmio.c: the registers ---- */

void transport_probe(struct virtio *device);
uint64_t transport_features(struct virtio *device);
void transport_accept(struct virtio *device, uint64_t features);
uint32_t transport_status(struct virtio *device);
void transport_set_status(struct virtio *device, uint32_t status);
uint32_t transport_queue_limit(struct virtio *device, unsigned index);
void transport_set_queue(struct virtio *device, uint32_t size, const void *descriptors,
                         const volatile void *avail, const volatile void *used);
void transport_notify(struct virtio *device, unsigned index);
uint32_t transport_acknowledge(struct virtio *device); /* why the device interrupted us */
uint64_t transport_config(struct virtio *device, unsigned offset, unsigned size);

enum { INTERRUPT_QUEUE = 1, INTERRUPT_CONFIG = 2 };

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
    uint16_t number;      /* among the device's queues */
    uint16_t size;        /* the device may want a smaller one than we have */
    uint16_t free;        /* the first free descriptor; its `next` is the second */
    uint16_t free_count;
    uint16_t seen;        /* how far we have read the used ring */
};

/* One stretch of memory in a request. */
struct piece {
    const void *data;
    uint32_t length;
    bool device_writes;
};

bool queue_start(struct queue *queue, struct virtio *device, unsigned number);
bool queue_add(struct queue *queue, const struct piece *pieces, unsigned count); /* false: full */
void queue_notify(struct queue *queue);
bool queue_has_used(const struct queue *queue);
const void *queue_take(struct queue *queue, uint32_t *written); /* the first piece, or NULL */
bool queue_wait(struct queue *queue); /* until the device is done with a chain; false: it is not */

/* ---- virtio_blk.c ---- */

enum { SECTOR = 512, DISK_LIMIT = VIRTIO_SLOTS };

enum disk_request { /* [virtio 5.2.6] */
    DISK_READ = 0,
    DISK_WRITE = 1,
    DISK_FLUSH = 4,
    DISK_ID = 8,
    DISK_DISCARD = 11,
    DISK_ZERO = 13,
};

enum disk_result { DISK_OK = 0, DISK_IOERR = 1, DISK_UNSUPPORTED = 2, DISK_SILENT = 255 };

struct disk {
    struct virtio *device;
    struct queue queue;
};
extern struct disk disks[DISK_LIMIT];
extern unsigned disk_count;

void disk_start_all(void);
bool disk_has(const struct disk *disk, enum disk_request request);
uint64_t disk_sectors(const struct disk *disk);
bool disk_read_only(const struct disk *disk);
enum disk_result disk_transfer(struct disk *disk, enum disk_request request, uint64_t sector,
                               void *data, uint32_t length);
enum disk_result disk_erase(struct disk *disk, enum disk_request request, uint64_t sector,
                            uint32_t sectors);
const char *disk_result_name(enum disk_result result);

/* ---- virtio_console.c ---- */

void port_start(const char *name);
bool port_poll(void);                             /* true once: the port is open now */
bool port_has_news(void);                         /* for port_poll() or port_read() */
bool port_read(char *c);
void port_write(const char *text, size_t length);

/* ---- cmd_disk.c, cmd_disk_bench.c ---- */

struct disk *disk_current(void); /* NULL, having said so, if there is none */
bool disk_range(unsigned count, char **words, uint64_t *sector, uint64_t *sectors);
int cmd_disk_bench(unsigned count, char **words);
