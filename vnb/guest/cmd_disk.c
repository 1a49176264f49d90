/* disk: what is on a disk, and is what comes back what was written? */
#include "virtio.h"

enum { CHUNK = 128 /* sectors in one request: 64 KiB */, MOST = 1 << 30 /* sectors in one command */ };

static unsigned current; /* the disk that the commands are about */

struct disk *disk_current(void)
{
    if (disk_count > 0)
        return &disks[current];
    print("there is no disk: no VirtIO block device that labos can drive is in any slot\n");
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
        print("%c disk %u in slot %u: %lu sectors, ", i == current ? '*' : ' ', i, disk->device->slot,
              disk_sectors(disk));
        print_size(disk_sectors(disk) * SECTOR);
        print("%s%s%s%s%s%s\n", disk_read_only(disk) ? ", read-only" : "",
              disk_has(disk, DISK_FLUSH) ? ", flush" : "", disk_has(disk, DISK_DISCARD) ? ", discard" : "",
              disk_has(disk, DISK_ZERO) ? ", zero" : "", serial[0] ? ", serial " : "", serial);
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

/* ---- What the other commands have in common: a range of sectors, worked through in chunks. ---- */

struct work {
    struct disk *disk;
    uint64_t sector, sectors; /* the whole range */
    struct pattern pattern;
    bool summed;
    uint32_t sum;             /* if so: CRC-32 of the data so far, zlib's */
};

bool disk_range(unsigned count, char **words, struct disk *disk, uint64_t *sector, uint64_t *sectors)
{
    uint64_t size = disk_sectors(disk);
    if (size == 0) {
        print("the disk has no sectors\n");
        return false;
    }
    *sectors = 1;
    return number(words[0], "SECTOR", 0, size - 1, sector) &&
           (count < 2 || number(words[1], "COUNT", 1, size - *sector < MOST ? size - *sector : MOST, sectors));
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

/* Parses SECTOR [COUNT] [PATTERN], and does `step` for one chunk after the other. */
static int work_through(unsigned count, char **words, int (*step)(struct work *, uint64_t sector, uint32_t length))
{
    struct work work = {.disk = disk_current(), .pattern = {.stamped = true}};
    if (!work.disk)
        return FAILED;
    if (!disk_range(count - 1, words + 1, work.disk, &work.sector, &work.sectors) ||
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
            print("sector %lu, byte %u: expected %02x, found %02x\n", sector + i / SECTOR, i % SECTOR,
                  expected[i], scratch[i]);
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
    enum disk_result result = disk_has(disk, DISK_FLUSH) ? disk_transfer(disk, DISK_FLUSH, 0, NULL, 0) : DISK_OK;
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

static int cmd_read(unsigned count, char **words) { return work_through(count, words, step_read); }
static int cmd_sum(unsigned count, char **words) { return work_through(count, words, step_sum); }
static int cmd_verify(unsigned count, char **words) { return work_through(count, words, step_verify); }
static int cmd_zero(unsigned count, char **words) { return work_through(count, words, step_zero); }
static int cmd_discard(unsigned count, char **words) { return work_through(count, words, step_discard); }

const struct command disk_commands[] = {
    {"info", "disk info", "all disks, a * before the one in use", 0, 0, cmd_disk_info, NULL},
    {"use", "disk use DISK", "let the other commands be about this one", 1, 1, cmd_use, NULL},
    {"read", "disk read SECTOR [COUNT]", "show sectors", 1, 2, cmd_read, NULL},
    {"sum", "disk sum SECTOR [COUNT]", "read them, show only their CRC-32", 1, 2, cmd_sum, NULL},
    {"write", "disk write SECTOR COUNT [PATTERN]", "PATTERN: stamp[:N], 0 to 255, text:LETTERS", 2, 3, cmd_write, NULL},
    {"verify", "disk verify SECTOR COUNT [PATTERN]", "read back and compare", 2, 3, cmd_verify, NULL},
    {"zero", "disk zero SECTOR COUNT", "have the disk write zeros by itself", 2, 2, cmd_zero, NULL},
    {"discard", "disk discard SECTOR COUNT", "tell the disk that these are not needed", 2, 2, cmd_discard, NULL},
    {"flush", "disk flush", "have everything on the medium", 0, 0, cmd_flush, NULL},
    {"bench", "disk bench [write SECTOR COUNT]", "how fast; writing destroys what is there", 0, 3, cmd_disk_bench, NULL},
    {0},
};
