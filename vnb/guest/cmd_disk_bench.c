/* disk bench: how long requests of each size take, one after the other and at random places. */
#include "virtio.h"

enum { ENOUGH = 1000 /* requests */ };

struct trial {
    const char *order;
    uint32_t size;
    bool random;
};

static const struct trial trials[] = {
    {"in order", 4 << 10, false},
    {"in order", 64 << 10, false},
    {"in order", 256 << 10, false},
    {"at random", 4 << 10, true},
};

/* A quarter of a second each, or until there were enough: where the clock counts instructions, a
 * disk takes no time at all. */
static int run_trial(struct disk *disk, const struct trial *trial, enum disk_request request,
                     uint64_t first, uint64_t sectors)
{
    uint64_t start = clock_ticks(), end = start + board.timebase / 4;
    uint64_t places = sectors * SECTOR / trial->size, requests = 0, now = start;
    if (places == 0)
        return 0; /* the disk is smaller than one such request */
    for (; now < end && requests < ENOUGH; requests++, now = clock_ticks()) {
        uint64_t place = (trial->random ? stamp(requests) >> 16 : requests) % places;
        uint64_t sector = first + place * (trial->size / SECTOR);
        enum disk_result result = disk_transfer(disk, request, sector, scratch, trial->size);
        if (result != DISK_OK) {
            print("%s\n", disk_result_name(result));
            return FAILED;
        }
        if (stopped())
            return STOPPED;
    }
    uint64_t microseconds = clock_microseconds(now - start);
    print("%-5s %4u KiB %-9s ", request == DISK_READ ? "read" : "write", trial->size >> 10,
          trial->order);
    print("%8lu requests, ", requests);
    print_tenths(requests * trial->size, microseconds);
    print(" MB/s, ");
    print_tenths(microseconds, requests);
    print(" us each\n");
    return 0;
}

int cmd_disk_bench(unsigned count, char **words)
{
    struct disk *disk = disk_current();
    if (!disk)
        return FAILED;
    uint64_t first = 0, sectors = disk_sectors(disk);
    if (count > 1 && (count < 4 || strcmp(words[1], "write") != 0)) {
        print("usage: disk bench, or disk bench write SECTOR COUNT\n");
        return USAGE;
    }
    if (count > 1 && !disk_range(2, words + 2, &first, &sectors))
        return USAGE;
    enum disk_request request = count > 1 ? DISK_WRITE : DISK_READ;
    for (unsigned i = 0; i < COUNT(trials); i++) {
        int status = run_trial(disk, &trials[i], request, first, sectors);
        if (status != 0)
            return status;
    }
    return 0;
}
