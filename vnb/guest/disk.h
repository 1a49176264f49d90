/* Disks: what virtio_blk.c offers to the commands. */
#pragma once

#include "virtio.h"

enum { SECTOR = 512, DISK_LIMIT = 16 };

enum disk_request { /* [virtio 5.2.6] */
    DISK_READ = 0,
    DISK_WRITE = 1,
    DISK_FLUSH = 4,
    DISK_ID = 8,
    DISK_DISCARD = 11,
    DISK_ZERO = 13,
};

enum disk_result { DISK_OK = 0, DISK_IOERR = 1, DISK_UNSUPPORTED = 2, DISK_SILENT = 255 };

enum { DISK_DEPTH = 4 }; /* requests that are with the disk at the same time */

/* A request that is with the disk, which writes `status` when it is done. */
struct disk_order {
    struct { /* [virtio 5.2.6] */
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    volatile uint8_t status;
    bool out;
};

struct disk {
    struct virtio *device;
    struct queue queue;
    struct disk_order orders[DISK_DEPTH];
};
extern struct disk disks[DISK_LIMIT];
extern unsigned disk_count;

/* virtio_blk.c */
void disk_start_all(void);
bool disk_has(const struct disk *disk, enum disk_request request);
uint64_t disk_sectors(const struct disk *disk);
bool disk_read_only(const struct disk *disk);
enum disk_result disk_transfer(struct disk *disk, enum disk_request request, uint64_t sector,
                               void *data, uint32_t length);
enum disk_result disk_erase(struct disk *disk, enum disk_request request, uint64_t sector,
                            uint32_t sectors);
bool disk_send(struct disk *disk, enum disk_request request, uint64_t sector, void *data,
               uint32_t length);
bool disk_receive(struct disk *disk, enum disk_result *result); /* false: nothing is with it */
const char *disk_result_name(enum disk_result result);

/* cmd_disk.c, cmd_disk_bench.c */
struct disk *disk_current(void); /* NULL, having said so, if there is none */
bool disk_range(unsigned count, char **words, uint64_t *sector, uint64_t *sectors);
int cmd_disk_bench(unsigned count, char **words);
