/* Disks: a driver for VirtIO block devices.  [virtio 5.2]
 *
 * A request is a chain of three: a header that says what to do and where, the data, and one byte in
 * which the device says how it went.  This driver has one request in flight and waits for it. */
#include "virtio.h"

enum { F_READ_ONLY = 5, F_FLUSH = 9, F_DISCARD = 13, F_WRITE_ZEROES = 14 }; /* [virtio 5.2.3] */

enum { CAPACITY = 0 }; /* where in the configuration [virtio 5.2.4]; in sectors of 512 bytes */

struct header {
    uint32_t type, reserved;
    uint64_t sector;
};

struct range { /* the data of a discard or a write-zeroes */
    uint64_t sector;
    uint32_t count, flags;
};

struct disk disks[DISK_LIMIT];
unsigned disk_count;

static bool start(struct disk *disk)
{
    if (!virtio_begin(disk->device, FEATURE(F_READ_ONLY) | FEATURE(F_FLUSH) | FEATURE(F_DISCARD) |
                                        FEATURE(F_WRITE_ZEROES)) ||
        !queue_start(&disk->queue, disk->device, 0))
        return false;
    virtio_go(disk->device);
    return true;
}

void disk_start_all(void)
{
    for (unsigned slot = 0; slot < VIRTIO_SLOTS; slot++) {
        struct disk *disk = &disks[disk_count];
        disk->device = &virtio_devices[slot];
        if (disk->device->id == VIRTIO_BLOCK && start(disk))
            disk_count++;
    }
}

/* Asked each time: a disk may grow while it is in use. */
uint64_t disk_sectors(const struct disk *disk)
{
    return transport_config(disk->device, CAPACITY, 8);
}

bool disk_read_only(const struct disk *disk)
{
    return disk->device->features & FEATURE(F_READ_ONLY);
}

bool disk_has(const struct disk *disk, enum disk_request request)
{
    switch (request) {
    case DISK_FLUSH: return disk->device->features & FEATURE(F_FLUSH);
    case DISK_DISCARD: return disk->device->features & FEATURE(F_DISCARD);
    case DISK_ZERO: return disk->device->features & FEATURE(F_WRITE_ZEROES);
    default: return true;
    }
}

/* Neither the header nor the status may be on the stack: should the device be silent, it still has
 * their addresses when we have given up and returned. */
enum disk_result disk_transfer(struct disk *disk, enum disk_request request, uint64_t sector,
                               void *data, uint32_t length)
{
    static struct header header;
    static volatile uint8_t status;
    header = (struct header){.type = request, .sector = sector};
    status = DISK_SILENT;

    struct piece chain[3] = {{&header, sizeof header, false}};
    unsigned pieces = 1;
    if (length > 0)
        chain[pieces++] = (struct piece){data, length, request == DISK_READ || request == DISK_ID};
    chain[pieces++] = (struct piece){(const void *)&status, 1, true};

    uint32_t written;
    if (queue_add(&disk->queue, chain, pieces)) {
        queue_notify(&disk->queue);
        if (queue_wait(&disk->queue) && queue_take(&disk->queue, &written))
            return status;
    }
    start(disk); /* a reset is the only way to get our memory back from it */
    return DISK_SILENT;
}

enum disk_result disk_erase(struct disk *disk, enum disk_request request, uint64_t sector,
                            uint32_t sectors)
{
    static struct range range;
    range = (struct range){.sector = sector, .count = sectors};
    return disk_transfer(disk, request, 0, &range, sizeof range);
}

const char *disk_result_name(enum disk_result result)
{
    switch (result) {
    case DISK_OK: return "ok";
    case DISK_IOERR: return "the disk reports an I/O error";
    case DISK_UNSUPPORTED: return "the disk does not support that";
    case DISK_SILENT: return "the disk does not answer";
    }
    return "the disk answers with an unknown status";
}
