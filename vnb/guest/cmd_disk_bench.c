/* disk bench: how long requests of each size take, one after the other and at random places, and
 * when the disk has several of them to choose from. */
#include "disk.h"

enum { ENOUGH = 1000 /* requests */ };

struct trial {
    const char *order;
    uint32_t size;
    bool random;
    unsigned depth; /* how many requests are with the disk at a time */
};

static const struct trial trials[] = {
    {"in order", 4 << 10, false, 1},
    {"in order", 64 << 10, false, 1},
    {"in order", 256 << 10, false, 1},
    {"at random", 4 << 10, true, 1},
    {"at random", 4 << 10, true, DISK_DEPTH},
};

static void print_trial(const struct trial *trial, enum disk_request request, uint64_t requests,
                        uint64_t microseconds)
{
    print("%-5s %4u KiB %-9s by %u ", request == DISK_READ ? "read" : "write", trial->size >> 10,
          trial->order, trial->depth);
    print("%8lu requests, ", requests);
    print_tenths(requests * trial->size, microseconds);
    print(" MB/s, ");
    print_tenths(microseconds, requests);
    print(" us each\n");
}

/* Takes back all that is with the disk. */
static bool drain(struct disk *disk)
{
    enum disk_result result;
    bool good = true;
    while (disk_receive(disk, &result))
        good &= result == DISK_OK;
    return good;
}

/* A quarter of a second each, or until there were enough: where the clock counts instructions, a
 * disk takes no time at all.  All requests use the same buffer: nobody looks at the data. */
static int run_trial(struct disk *disk, const struct trial *trial, enum disk_request request,
                     uint64_t first, uint64_t sectors)
{
    uint64_t start = clock_ticks(), end = start + board.timebase / 4;
    uint64_t places = sectors * SECTOR / trial->size, requests = 0;
    enum disk_result result = DISK_OK;
    if (places == 0)
        return 0; /* the disk is smaller than one such request */
    for (; clock_ticks() < end && requests < ENOUGH && !stopped(); requests++) {
        uint64_t place = (trial->random ? stamp(requests) >> 16 : requests) % places;
        uint64_t sector = first + place * (trial->size / SECTOR);
        if (requests >= trial->depth)
            disk_receive(disk, &result);
        if (result == DISK_OK && !disk_send(disk, request, sector, scratch, trial->size))
            result = DISK_SILENT;
        if (result != DISK_OK)
            break;
    }
    if (!drain(disk) || result != DISK_OK) {
        print("%s\n", disk_result_name(result != DISK_OK ? result : DISK_IOERR));
        return FAILED;
    }
    print_trial(trial, request, requests, clock_microseconds(clock_ticks() - start));
    return stopped() ? STOPPED : 0;
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
