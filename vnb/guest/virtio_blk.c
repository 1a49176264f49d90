/* Disks: a driver for VirtIO block devices.  [virtio 5.2]
 *
 * A request is a chain of three: a header that says what to do and where, the data, and one byte in
 * which the device says how it went.  Up to DISK_DEPTH requests are with the device at a time, and
 * it may be done with the last one first. */
#include "disk.h"

enum { F_READ_ONLY = 5, F_FLUSH = 9, F_DISCARD = 13, F_WRITE_ZEROES = 14 }; /* [virtio 5.2.3] */

enum { CAPACITY = 0 }; /* where in the configuration [virtio 5.2.4]; in sectors of 512 bytes */

struct range { /* the data of a discard or a write-zeroes */
    uint64_t sector;
    uint32_t count, flags;
};

struct disk disks[DISK_LIMIT];
unsigned disk_count;

static bool start(struct disk *disk)
{
    memset(disk->orders, 0, sizeof disk->orders);
    if (!virtio_begin(disk->device, FEATURE(F_READ_ONLY) | FEATURE(F_FLUSH) | FEATURE(F_DISCARD) |
                                        FEATURE(F_WRITE_ZEROES)) ||
        !queue_start(&disk->queue, disk->device, 0))
        return false;
    virtio_go(disk->device);
    return true;
}

void disk_start_all(void)
{
    struct virtio *device = NULL;
    while (disk_count < DISK_LIMIT && (device = virtio_next(device, VIRTIO_BLOCK))) {
        disks[disk_count].device = device;
        if (start(&disks[disk_count]))
            virtio_name(device, "disk", disk_count++);
    }
}

/* Asked each time: a disk may grow while it is in use. */
uint64_t disk_sectors(const struct disk *disk)
{
    return virtio_config(disk->device, CAPACITY, 8);
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

/* Hands a request to the disk, and does not wait for it; false if too many are there already.
 *
 * Neither the header nor the status may be on the stack: the disk has their addresses when we have
 * long returned. */
bool disk_send(struct disk *disk, enum disk_request request, uint64_t sector, void *data,
               uint32_t length)
{
    struct disk_order *order = disk->orders;
    while (order < disk->orders + DISK_DEPTH && order->out)
        order++;
    if (order == disk->orders + DISK_DEPTH)
        return false;
    order->header.type = request;
    order->header.sector = sector;
    order->status = DISK_SILENT;

    struct piece chain[3] = {{&order->header, sizeof order->header, false}};
    unsigned pieces = 1;
    if (length > 0)
        chain[pieces++] = (struct piece){data, length, request == DISK_READ || request == DISK_ID};
    chain[pieces++] = (struct piece){&order->status, 1, true};
    order->out = queue_add(&disk->queue, chain, pieces);
    if (order->out)
        queue_notify(&disk->queue);
    else if (disk->device->broken)
        start(disk); /* a reset is the only way to get our memory back from it */
    return order->out;
}

/* Waits for any of the requests that are with the disk, and tells how that one went. */
bool disk_receive(struct disk *disk, enum disk_result *result)
{
    uint32_t written;
    bool any = false;
    for (unsigned i = 0; i < DISK_DEPTH; i++)
        any |= disk->orders[i].out;
    if (!any)
        return false;
    struct disk_order *order = NULL;
    if (queue_wait(&disk->queue))
        order = queue_take(&disk->queue, &written); /* a chain's first piece is the header */
    if (order) {
        order->out = false;
        *result = order->status;
    } else {
        start(disk);
        *result = DISK_SILENT;
    }
    return true;
}

enum disk_result disk_transfer(struct disk *disk, enum disk_request request, uint64_t sector,
                               void *data, uint32_t length)
{
    enum disk_result result = DISK_SILENT;
    if (disk_send(disk, request, sector, data, length))
        disk_receive(disk, &result);
    return result;
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
