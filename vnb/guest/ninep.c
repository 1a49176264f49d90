/* The client's side of 9P2000.L: what to ask for, and what the answers mean.  [9p2000.L] */
#include "ninep.h"

enum { /* a question's type */
    TLOPEN = 12, TLCREATE = 14, TGETATTR = 24, TREADDIR = 40, TVERSION = 100,
    TATTACH = 104, TWALK = 110, TREAD = 116, TWRITE = 118, TCLUNK = 120,
};
enum { DATA_HEADER = 24 }; /* as much room as any message with data needs besides it */
enum { ROOT_FID = 0, FILE_FID = 1, OTHER_FID = 2 };
enum { QID = 13, WALK_LIMIT = 16 };
enum { WRITE_ONLY = 1, TRUNCATE = 01000, NEW_MODE = 0644 };
#define NO_FID 0xffffffffu
#define BASIC_ATTRIBUTES 0x7ffu

/* Which dialect, how long a message may be, and whose files: the first two questions. */
static int attach(struct share *share)
{
    static const char dialect[] = "9P2000.L";
    share->limit = MESSAGE_LIMIT;
    ninep_begin(TVERSION);
    ninep_put(MESSAGE_LIMIT, 4);
    ninep_put_text(dialect, sizeof dialect - 1);
    int error = ninep_ask(share);
    if (error)
        return error;
    uint64_t limit = ninep_get(&ninep_in, 4), length = ninep_get(&ninep_in, 2);
    const uint8_t *spoken = ninep_step(&ninep_in, length);
    if (ninep_in.bad || limit < 4096 || length != sizeof dialect - 1 ||
        memcmp(spoken, dialect, length) != 0)
        return NONSENSE;
    share->limit = limit < MESSAGE_LIMIT ? (uint32_t)limit : MESSAGE_LIMIT;
    ninep_begin(TATTACH);
    ninep_put(ROOT_FID, 4);
    ninep_put(NO_FID, 4); /* no authentication */
    ninep_put_text("root", 4);
    ninep_put_text("", 0);
    ninep_put(0, 4); /* root's number */
    error = ninep_ask(share);
    share->attached = error == 0;
    return error;
}

static void clunk(struct share *share, uint32_t fid)
{
    ninep_begin(TCLUNK);
    ninep_put(fid, 4);
    ninep_ask(share); /* whatever the answer, the fid is free */
}

void ninep_close(struct share *share)
{
    if (share->attached)
        clunk(share, FILE_FID);
}

/* The names of a path are one question: the server goes through them all, or tells how far. */
int ninep_walk(struct share *share, const char *path)
{
    int error = share->attached ? 0 : attach(share);
    if (error)
        return error;
    ninep_begin(TWALK);
    ninep_put(ROOT_FID, 4);
    ninep_put(FILE_FID, 4);
    uint8_t *count = ninep_step(&ninep_out, 2);
    unsigned names = 0;
    while (*path) {
        const char *slash = strchr(path, '/');
        size_t length = slash ? (size_t)(slash - path) : strlen(path);
        if (length > 0) {
            ninep_put_text(path, length);
            names++;
        }
        path += length + (slash != NULL);
    }
    if (names > WALK_LIMIT)
        return NONSENSE;
    count[0] = (uint8_t)names;
    count[1] = 0;
    error = ninep_ask(share);
    if (error)
        return error;
    return ninep_get(&ninep_in, 2) == names ? 0 : NOT_FOUND;
}

int ninep_open(struct share *share, bool write)
{
    ninep_begin(TLOPEN);
    ninep_put(FILE_FID, 4);
    ninep_put(write ? WRITE_ONLY | TRUNCATE : 0, 4);
    return ninep_ask(share);
}

int ninep_create(struct share *share, const char *name)
{
    ninep_begin(TLCREATE);
    ninep_put(FILE_FID, 4);
    ninep_put_text(name, strlen(name));
    ninep_put(WRITE_ONLY, 4);
    ninep_put(NEW_MODE, 4);
    ninep_put(0, 4); /* root's group */
    return ninep_ask(share);
}

static int stat_fid(struct share *share, uint32_t fid, struct ninep_stat *stat)
{
    ninep_begin(TGETATTR);
    ninep_put(fid, 4);
    ninep_put(BASIC_ATTRIBUTES, 8);
    int error = ninep_ask(share);
    ninep_step(&ninep_in, 8 + QID); /* which attributes there are, the file's identity */
    stat->mode = (uint32_t)ninep_get(&ninep_in, 4);
    ninep_step(&ninep_in, 4 + 4 + 8 + 8); /* owner, group, links, device */
    stat->size = ninep_get(&ninep_in, 8);
    return error ? error : ninep_in.bad ? NONSENSE : 0;
}

int ninep_stat(struct share *share, const char *name, struct ninep_stat *stat)
{
    if (!name)
        return stat_fid(share, FILE_FID, stat);
    ninep_begin(TWALK);
    ninep_put(FILE_FID, 4);
    ninep_put(OTHER_FID, 4);
    ninep_put(1, 2);
    ninep_put_text(name, strlen(name));
    int error = ninep_ask(share);
    if (error)
        return error;
    error = stat_fid(share, OTHER_FID, stat);
    clunk(share, OTHER_FID);
    return error;
}

/* Files and directories are read alike. */
static int read_data(struct share *share, unsigned type, uint64_t offset, void *data, uint32_t room,
                     uint32_t *length)
{
    uint32_t most = share->limit - DATA_HEADER;
    ninep_begin(type);
    ninep_put(FILE_FID, 4);
    ninep_put(offset, 8);
    ninep_put(room < most ? room : most, 4);
    int error = ninep_ask(share);
    if (error)
        return error;
    *length = (uint32_t)ninep_get(&ninep_in, 4);
    const uint8_t *from = *length <= room ? ninep_step(&ninep_in, *length) : NULL;
    if (ninep_in.bad || !from)
        return NONSENSE;
    memcpy(data, from, *length);
    return 0;
}

int ninep_read(struct share *share, uint64_t offset, void *data, uint32_t room, uint32_t *length)
{
    return read_data(share, TREAD, offset, data, room, length);
}

int ninep_list(struct share *share, uint64_t offset, void *data, uint32_t room, uint32_t *length)
{
    return read_data(share, TREADDIR, offset, data, room, length);
}

/* Takes the next entry off what ninep_list() read; returns how long that was, 0: there is none. */
uint32_t ninep_entry(const uint8_t *data, uint32_t length, struct ninep_entry *entry)
{
    struct ninep_cursor cursor = {(uint8_t *)data, (uint8_t *)data + length, false};
    ninep_step(&cursor, QID);
    entry->next = ninep_get(&cursor, 8); /* the offset from which to read on */
    ninep_step(&cursor, 1);
    size_t size = ninep_get(&cursor, 2);
    const uint8_t *name = ninep_step(&cursor, size);
    if (cursor.bad || size >= sizeof entry->name)
        return 0;
    memcpy(entry->name, name, size);
    entry->name[size] = 0;
    return (uint32_t)(cursor.at - data);
}

int ninep_write(struct share *share, uint64_t offset, const void *data, uint32_t length)
{
    const uint8_t *from = data;
    while (length > 0) {
        uint32_t most = share->limit - DATA_HEADER, here = length < most ? length : most;
        ninep_begin(TWRITE);
        ninep_put(FILE_FID, 4);
        ninep_put(offset, 8);
        ninep_put(here, 4);
        ninep_put_bytes(from, here);
        int error = ninep_ask(share);
        if (error)
            return error;
        uint32_t done = (uint32_t)ninep_get(&ninep_in, 4);
        if (ninep_in.bad || done == 0 || done > here)
            return NONSENSE;
        from += done;
        offset += done;
        length -= done;
    }
    return 0;
}
