/* mem: look at memory, change it, test it.  Device registers are memory, too, to these commands. */
#include "labos.h"

static void print_range(const char *what, uint64_t start, uint64_t end)
{
    print("%-12s %016lx to %016lx  ", what, start, end - 1);
    print_size(end - start);
    print("\n");
}

int cmd_mem_size(unsigned count, char **words)
{
    (void)count, (void)words;
    print_range("memory", RAM, RAM + board.ram_size);
    print_range("labos", RAM, memory_start()); /* with what it has kept */
    print_range("free", memory_start(), memory_end());
    if (board.size > 0)
        print_range("device tree", board.address, board.address + board.size);
    return 0;
}

static int nothing_there(uint64_t address)
{
    print("nothing answers at %016lx\n", address);
    return FAILED;
}

static bool parse_address(const char *word, uint64_t *address)
{
    return number(word, "ADDRESS", 0, UINT64_MAX, address);
}

static bool parse_size(const char *word, uint64_t *size)
{
    if (word[0] && !word[1] && strchr("1248", word[0])) {
        *size = (uint64_t)(word[0] - '0');
        return true;
    }
    print("SIZE must be 1, 2, 4 or 8 bytes, not '%s'\n", word);
    return false;
}

static int cmd_dump(unsigned count, char **words)
{
    uint64_t address, length = 128;
    if (!parse_address(words[1], &address) ||
        (count > 2 && !number(words[2], "LENGTH", 1, SCRATCH_SIZE, &length)))
        return USAGE;
    for (uint64_t i = 0; i < length; i++) {
        uint64_t byte;
        if (!guarded_load(address + i, 1, &byte)) {
            dump(address, scratch, i);
            return nothing_there(address + i);
        }
        scratch[i] = (uint8_t)byte;
    }
    dump(address, scratch, length);
    return 0;
}

static int cmd_peek(unsigned count, char **words)
{
    uint64_t address, size = 8, value;
    if (!parse_address(words[1], &address) || (count > 2 && !parse_size(words[2], &size)))
        return USAGE;
    if (!guarded_load(address, (unsigned)size, &value))
        return nothing_there(address);
    print("%0*lx\n", (unsigned)size * 2, value);
    return 0;
}

static int cmd_poke(unsigned count, char **words)
{
    uint64_t address, value, size = 8;
    if (!parse_address(words[1], &address) || (count > 3 && !parse_size(words[3], &size)) ||
        !number(words[2], "VALUE", 0, UINT64_MAX >> (64 - 8 * size), &value))
        return USAGE;
    if (!guarded_store(address, (unsigned)size, value))
        return nothing_there(address);
    __asm__ volatile("fence.i"); /* it may have been an instruction */
    return 0;
}

static bool test_pass(volatile uint64_t *start, uint64_t count, uint64_t invert)
{
    for (uint64_t i = 0; i < count; i++)
        start[i] = stamp(i) ^ invert;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t found = start[i], expected = stamp(i) ^ invert;
        if (found != expected) {
            print("at %016lx: wrote %016lx, read %016lx\n", (uint64_t)&start[i], expected, found);
            return false;
        }
    }
    return true;
}

/* A MiB at a time, so that Ctrl-C is heard soon; twice, so that each bit has been a 0 and a 1. */
static int cmd_test(unsigned count, char **words)
{
    enum { MIB = 1 << 20 };
    uint64_t start = (memory_start() + MIB - 1) & ~(MIB - 1ul);
    uint64_t available = memory_end() > start ? (memory_end() - start) / MIB : 0;
    uint64_t mib = available < 8 ? available : 8;
    if (available == 0) {
        print("there is no whole MiB of free memory\n");
        return FAILED;
    }
    if (count > 1 && !number(words[1], "MIB", 1, available, &mib))
        return USAGE;
    for (uint64_t i = 0; i < mib; i++, start += MIB) {
        if (stopped())
            return STOPPED;
        for (uint64_t invert = 0; invert < 2; invert++)
            if (!test_pass((volatile uint64_t *)start, MIB / 8, -invert))
                return FAILED;
    }
    print("%lu MiB good\n", mib);
    return 0;
}

const struct command mem_commands[] = {
    {"size", cmd_mem_size, 0, 0, "", "what lies where"},
    {"dump", cmd_dump,     1, 2, "ADDRESS [LENGTH]", "bytes and characters"},
    {"peek", cmd_peek,     1, 2, "ADDRESS [SIZE]", "one value of SIZE bytes, of 8 if not said"},
    {"poke", cmd_poke,     2, 3, "ADDRESS VALUE [SIZE]", "write it"},
    {"test", cmd_test,     0, 1, "[MIB]", "write free memory and read it back"},
    {0},
};
