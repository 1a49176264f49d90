/* 9p: look at the files of the host that it shares, and write one. */
#include "ninep.h"

static unsigned current; /* the share that the commands are about */

static struct share *current_share(void)
{
    if (share_count > 0)
        return &shares[current];
    print("there is no share: labos found no VirtIO 9P device that it can drive\n");
    return NULL;
}

int cmd_9p_info(unsigned count, char **words)
{
    (void)count, (void)words;
    if (!current_share())
        return FAILED;
    for (unsigned i = 0; i < share_count; i++) {
        print("%c share %u in ", i == current ? '*' : ' ', i);
        shares[i].device->transport->print_place(shares[i].device);
        print(": %s\n", shares[i].tag);
    }
    return 0;
}

static int cmd_use(unsigned count, char **words)
{
    (void)count;
    uint64_t chosen;
    if (!current_share())
        return FAILED;
    if (!number(words[1], "SHARE", 0, share_count - 1, &chosen))
        return USAGE;
    current = (unsigned)chosen;
    return 0;
}

static int failed(const char *path, int error)
{
    static const struct { int error; const char *words; } known[] = {
        {1, "not permitted"},           {NOT_FOUND, "there is no such file"},
        {5, "I/O error on the host"},   {13, "permission denied"},
        {17, "it is there already"},    {20, "a part of the path is no directory"},
        {IS_DIRECTORY, "it is a directory"},      {27, "too large"},
        {28, "the host's disk is full"}, {30, "the share is read-only"},
        {SILENT, "the share does not answer"},
        {NONSENSE, "this cannot be asked, or the answer makes no sense"},
    };
    print("%s: ", path);
    for (unsigned i = 0; i < COUNT(known); i++)
        if (known[i].error == error) {
            print("%s\n", known[i].words);
            return FAILED;
        }
    print("error %d\n", error);
    return FAILED;
}

/* A name may contain what would make a terminal do things. */
static void print_name(const char *name)
{
    for (; *name; name++)
        print("%c", (uint8_t)*name < ' ' || *name == 127 ? '?' : *name);
}

static int list_entry(struct share *share, const struct ninep_entry *entry)
{
    struct ninep_stat stat;
    if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
        return 0;
    int error = ninep_stat(share, entry->name, &stat);
    if (error == NOT_FOUND)
        return 0; /* somebody on the host removed it just now */
    if (error)
        return error;
    print("%10lu ", stat.size);
    print_name(entry->name);
    print("%s\n", (stat.mode & KIND_MASK) == DIRECTORY ? "/"
                  : (stat.mode & KIND_MASK) == SYMLINK ? "@" : "");
    return 0;
}

static int list(struct share *share)
{
    struct ninep_entry entry;
    uint64_t offset = 0;
    uint32_t length;
    int error = ninep_open(share, false);
    while (error == 0 && !stopped()) {
        error = ninep_list(share, offset, scratch, SCRATCH_SIZE, &length);
        if (error || length == 0)
            break;
        uint64_t before = offset;
        uint32_t size;
        for (uint8_t *at = scratch; (size = ninep_entry(at, length, &entry)) > 0 && error == 0;
             at += size, length -= size) {
            offset = entry.next;
            error = list_entry(share, &entry);
        }
        if (error == 0 && offset == before)
            error = NONSENSE; /* or we would read the same for ever */
    }
    return error;
}

static int cmd_ls(unsigned count, char **words)
{
    const char *path = count > 1 ? words[1] : "/";
    struct share *share = current_share();
    struct ninep_stat stat;
    if (!share)
        return FAILED;
    int error = ninep_walk(share, path);
    if (error)
        return failed(path, error);
    error = ninep_stat(share, NULL, &stat);
    if (error == 0 && (stat.mode & KIND_MASK) != DIRECTORY)
        print("%10lu %s\n", stat.size, path);
    else if (error == 0)
        error = list(share);
    ninep_close(share);
    return error ? failed(path, error) : stopped() ? STOPPED : 0;
}

typedef void consumer(const char *data, uint32_t length);

static uint32_t sum;

static void print_data(const char *data, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        print("%c", data[i]);
}

static void sum_data(const char *data, uint32_t length)
{
    sum = crc32(sum, data, length);
}

static int open_file(struct share *share, bool write)
{
    struct ninep_stat stat;
    int error = ninep_stat(share, NULL, &stat);
    if (error == 0 && (stat.mode & KIND_MASK) == DIRECTORY)
        error = IS_DIRECTORY;
    return error ? error : ninep_open(share, write);
}

/* From the first byte to the last one; *size is how many there were. */
static int read_all(const char *path, consumer *consume, uint64_t *size)
{
    struct share *share = current_share();
    uint32_t length;
    if (!share)
        return FAILED;
    int error = ninep_walk(share, path);
    if (error)
        return failed(path, error);
    error = open_file(share, false);
    for (*size = 0; error == 0 && !stopped(); *size += length) {
        error = ninep_read(share, *size, scratch, SCRATCH_SIZE, &length);
        if (error || length == 0)
            break;
        consume((const char *)scratch, length);
    }
    ninep_close(share);
    return error ? failed(path, error) : stopped() ? STOPPED : 0;
}

static int cmd_cat(unsigned count, char **words)
{
    uint64_t size;
    (void)count;
    return read_all(words[1], print_data, &size);
}

static int cmd_sum(unsigned count, char **words)
{
    uint64_t size;
    (void)count;
    sum = 0;
    int status = read_all(words[1], sum_data, &size);
    if (status == 0)
        print("%lu bytes, crc32 %08x\n", size, sum);
    return status;
}

/* A file that is there is emptied, another one is made. */
static int open_to_write(struct share *share, char *path)
{
    int error = ninep_walk(share, path);
    if (error == 0)
        return open_file(share, true);
    if (error != NOT_FOUND)
        return error;
    char *name = path;
    for (char *slash = path; (slash = strchr(slash, '/')); slash++)
        name = slash + 1;
    char first = *name;
    *name = 0; /* the path ends here for now: at the directory */
    error = ninep_walk(share, path);
    *name = first;
    return error ? error : ninep_create(share, name);
}

static int cmd_write(unsigned count, char **words)
{
    struct share *share = current_share();
    uint64_t offset = 0;
    if (!share)
        return FAILED;
    int error = open_to_write(share, words[1]);
    for (unsigned i = 2; i < count && error == 0; i++) {
        uint32_t length = (uint32_t)strlen(words[i]);
        error = ninep_write(share, offset, words[i], length);
        offset += length;
        if (error == 0)
            error = ninep_write(share, offset++, i + 1 < count ? " " : "\n", 1);
    }
    ninep_close(share);
    return error ? failed(words[1], error) : 0;
}

const struct command ninep_commands[] = {
    {"info",  cmd_9p_info, 0, 0,   "", "all shares, a * before the one in use"},
    {"use",   cmd_use,     1, 1,   "SHARE", "let the other commands be about this one"},
    {"ls",    cmd_ls,      0, 1,   "[PATH]", "the files of a directory, with their sizes"},
    {"cat",   cmd_cat,     1, 1,   "PATH", "what is in a file"},
    {"sum",   cmd_sum,     1, 1,   "PATH", "how much that is, and its CRC-32"},
    {"write", cmd_write,   2, ANY, "PATH WORD ...", "a file with this line in it"},
    {0},
};
