/* disk: what is on a disk, and is what comes back what was written? */
#include "disk.h"

enum {
    CHUNK = 128,    /* sectors in one request: 64 KiB */
    MOST = 1 << 30, /* sectors in one command */
};

static unsigned current; /* the disk that the commands are about */

struct disk *disk_current(void)
{
    if (disk_count > 0)
        return &disks[current];
    print("there is no disk: labos found no VirtIO block device that it can drive\n");
    return NULL;
}

int cmd_disk_info(unsigned count, char **words)
{
    (void)count, (void)words;
    if (!disk_current())
        return FAILED;
    for (unsigned i = 0; i < disk_count; i++) {
        struct disk *disk = &disks[i];
        char serial[21] = ""; /* a full one has no zero at its end */
        disk_transfer(disk, DISK_ID, 0, scratch, 20);
        memcpy(serial, scratch, 20);
        print("%c disk %u in ", i == current ? '*' : ' ', i);
        disk->device->transport->print_place(disk->device);
        print(": %lu sectors, ", disk_sectors(disk));
        print_size(disk_sectors(disk) * SECTOR);
        print("%s", disk_read_only(disk) ? ", read-only" : "");
        print("%s", disk_has(disk, DISK_FLUSH) ? ", flush" : "");
        print("%s", disk_has(disk, DISK_DISCARD) ? ", discard" : "");
        print("%s", disk_has(disk, DISK_ZERO) ? ", zero" : "");
        print("%s%s\n", serial[0] ? ", serial " : "", serial);
    }
    return 0;
}

static int cmd_use(unsigned count, char **words)
{
    (void)count;
    uint64_t chosen;
    if (!disk_current())
        return FAILED;
    if (!number(words[1], "DISK", 0, disk_count - 1, &chosen))
        return USAGE;
    current = (unsigned)chosen;
    return 0;
}

/* ---- What the other commands have in common: a range of sectors, and work on each chunk. ---- */

struct work {
    struct disk *disk;
    uint64_t sector, sectors; /* the whole range */
    struct pattern pattern;
    bool summed;
    uint32_t sum;             /* if so: CRC-32 of the data so far, zlib's */
};

/* SECTOR [COUNT] */
bool disk_range(unsigned count, char **words, uint64_t *sector, uint64_t *sectors)
{
    uint64_t size = disk_sectors(&disks[current]);
    if (size == 0) {
        print("the disk has no sectors\n");
        return false;
    }
    *sectors = 1;
    if (!number(words[0], "SECTOR", 0, size - 1, sector))
        return false;
    uint64_t rest = size - *sector;
    return count < 2 || number(words[1], "COUNT", 1, rest < MOST ? rest : MOST, sectors);
}

static int failed(struct work *work, enum disk_result result, uint64_t sector)
{
    print("sector %lu: %s%s\n", sector, disk_result_name(result),
          disk_read_only(work->disk) ? " (it is read-only)" : "");
    return FAILED;
}

static void add_to_sum(struct work *work, uint32_t length)
{
    work->sum = crc32(work->sum, scratch, length);
    work->summed = true;
}

typedef int step(struct work *work, uint64_t sector, uint32_t length);

/* Parses SECTOR [COUNT] [PATTERN], and does the step for one chunk after the other. */
static int work_through(unsigned count, char **words, step *step)
{
    struct work work = {.disk = disk_current(), .pattern = {.stamped = true}};
    if (!work.disk)
        return FAILED;
    if (!disk_range(count - 1, words + 1, &work.sector, &work.sectors) ||
        (count > 3 && !pattern_parse(words[3], &work.pattern)))
        return USAGE;
    for (uint64_t done = 0; done < work.sectors; done += CHUNK) {
        uint64_t here = work.sectors - done < CHUNK ? work.sectors - done : CHUNK;
        int status = stopped() ? STOPPED : step(&work, work.sector + done, (uint32_t)here * SECTOR);
        if (status != 0)
            return status;
    }
    print("%lu sector%s", work.sectors, work.sectors == 1 ? "" : "s");
    if (work.summed)
        print(", crc32 %08x", work.sum);
    print("\n");
    return 0;
}

/* ---- The steps, and the commands that are made of them. ---- */

static int step_sum(struct work *work, uint64_t sector, uint32_t length)
{
    enum disk_result result = disk_transfer(work->disk, DISK_READ, sector, scratch, length);
    if (result != DISK_OK)
        return failed(work, result, sector);
    add_to_sum(work, length);
    return 0;
}

static int step_read(struct work *work, uint64_t sector, uint32_t length)
{
    int status = step_sum(work, sector, length);
    if (status == 0)
        dump(sector * SECTOR, scratch, length);
    return status;
}

static int step_write(struct work *work, uint64_t sector, uint32_t length)
{
    pattern_fill(&work->pattern, scratch, sector, length);
    enum disk_result result = disk_transfer(work->disk, DISK_WRITE, sector, scratch, length);
    if (result != DISK_OK)
        return failed(work, result, sector);
    add_to_sum(work, length);
    return 0;
}

static int step_verify(struct work *work, uint64_t sector, uint32_t length)
{
    uint8_t *expected = scratch + CHUNK * SECTOR;
    int status = step_sum(work, sector, length);
    if (status != 0)
        return status;
    pattern_fill(&work->pattern, expected, sector, length);
    for (uint32_t i = 0; i < length; i++) {
        if (scratch[i] != expected[i]) {
            print("sector %lu, byte %u: ", sector + i / SECTOR, i % SECTOR);
            print("expected %02x, found %02x\n", expected[i], scratch[i]);
            return FAILED;
        }
    }
    return 0;
}

static int erase(struct work *work, enum disk_request request, uint64_t sector, uint32_t length)
{
    enum disk_result result = DISK_UNSUPPORTED;
    if (disk_has(work->disk, request))
        result = disk_erase(work->disk, request, sector, length / SECTOR);
    return result == DISK_OK ? 0 : failed(work, result, sector);
}

static int step_zero(struct work *work, uint64_t sector, uint32_t length)
{
    return erase(work, DISK_ZERO, sector, length);
}

static int step_discard(struct work *work, uint64_t sector, uint32_t length)
{
    return erase(work, DISK_DISCARD, sector, length);
}

static int cmd_flush(unsigned count, char **words)
{
    (void)count, (void)words;
    struct disk *disk = disk_current();
    if (!disk)
        return FAILED;
    if (!disk_has(disk, DISK_FLUSH))
        return 0; /* what it has written is already safe */
    enum disk_result result = disk_transfer(disk, DISK_FLUSH, 0, NULL, 0);
    if (result != DISK_OK)
        print("flush: %s\n", disk_result_name(result));
    return result == DISK_OK ? 0 : FAILED;
}

/* What a disk has not flushed may be gone after a power cut, so a write ends with a flush. */
static int cmd_write(unsigned count, char **words)
{
    int status = work_through(count, words, step_write);
    return status == 0 ? cmd_flush(count, words) : status;
}

static int cmd_read(unsigned count, char **words)
{
    return work_through(count, words, step_read);
}

static int cmd_sum(unsigned count, char **words)
{
    return work_through(count, words, step_sum);
}

static int cmd_verify(unsigned count, char **words)
{
    return work_through(count, words, step_verify);
}

static int cmd_zero(unsigned count, char **words)
{
    return work_through(count, words, step_zero);
}

static int cmd_discard(unsigned count, char **words)
{
    return work_through(count, words, step_discard);
}

const struct command disk_commands[] = {
    {"info",    cmd_disk_info,  0, 0, "", "all disks, a * before the one in use"},
    {"use",     cmd_use,        1, 1, "DISK", "let the other commands be about this one"},
    {"read",    cmd_read,       1, 2, "SECTOR [COUNT]", "show sectors"},
    {"sum",     cmd_sum,        1, 2, "SECTOR [COUNT]", "read them, show only their CRC-32"},
    {"write",   cmd_write,      2, 3, "SECTOR COUNT [PATTERN]", "stamp[:N], 0..255, text:LETTERS"},
    {"verify",  cmd_verify,     2, 3, "SECTOR COUNT [PATTERN]", "read back and compare"},
    {"zero",    cmd_zero,       2, 2, "SECTOR COUNT", "have the disk write zeros by itself"},
    {"discard", cmd_discard,    2, 2, "SECTOR COUNT", "tell the disk that these are not needed"},
    {"flush",   cmd_flush,      0, 0, "", "have everything on the medium"},
    {"bench",   cmd_disk_bench, 0, 3, "[write SECTOR COUNT]", "how fast; writing destroys data"},
    {0},
};
