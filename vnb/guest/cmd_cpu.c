/* cpu: what this processor is, and how fast. */
#include "kernels.h"

int cmd_cpu_info(unsigned count, char **words)
{
    (void)count, (void)words;
    uint64_t misa = csr_read(misa);
    print("RV64");
    /* misa has a bit for each letter; they are said in the order of the specification's own table.
     * [isa 27] */
    for (const char *letter = "IEMAFDQCBPVHSU"; *letter; letter++)
        if (misa & 1ul << (*letter - 'A'))
            print("%c", *letter);
    print(", hart %lu, clock %lu Hz, ", csr_read(mhartid), board.timebase);
    print("vendor %lx, architecture %lx, implementation %lx\n", csr_read(mvendorid),
          csr_read(marchid), csr_read(mimpid));
    return 0;
}

static const struct kernel {
    const char *name;
    uint64_t (*round)(void);
    uint64_t result;       /* what every round must return */
    unsigned bytes;        /* moved in one round, where that is the point of it */
    void (*prepare)(void); /* before the first round, where it needs that */
} kernels[] = {
    {"branches", kernel_branches, 0x915},
    {"arithmetic", kernel_arithmetic, 0xb86cbd5079e21b5f},
    {"division", kernel_division, 0xbf0a},
    {"sort", kernel_sort, 0x21dbc44c596a1852},
    {"matrix", kernel_matrix, 0x40c66977f711f846},
    {"mandelbrot", kernel_mandelbrot, 0x90a},
    {"roots", kernel_roots, 0x40e2eba020000000},
    {"copy", kernel_copy, 131072, 131072},
    {"fill", kernel_fill, 0x5a5a5a5a5a5a5a5a, 131072},
    {"chase", kernel_chase, 64 * (4095 * 4096 / 2), 0, prepare_chase},
};

/* Rounds until the time is over; at least one. */
static int bench(const struct kernel *kernel, uint64_t milliseconds)
{
    if (kernel->prepare)
        kernel->prepare();
    uint64_t rounds = 0, start = clock_ticks(), end = start + board.timebase * milliseconds / 1000;
    uint64_t cycles = csr_read(mcycle), instructions = csr_read(minstret), now;
    do {
        uint64_t result = kernel->round();
        if (result != kernel->result) {
            print("%s: round %lu is wrong: %lx, not %lx\n", kernel->name, rounds, result,
                  kernel->result);
            return FAILED;
        }
        rounds++;
        now = clock_ticks();
    } while (now < end && !stopped());
    instructions = csr_read(minstret) - instructions;
    cycles = csr_read(mcycle) - cycles;

    uint64_t microseconds = clock_microseconds(now - start);
    print("%-10s %8lu %13lu %13lu %9lu us  ", kernel->name, rounds, instructions, cycles,
          microseconds);
    print_tenths(instructions, microseconds);
    print(" MIPS");
    if (kernel->bytes > 0) {
        print("  ");
        print_tenths(rounds * kernel->bytes, microseconds);
        print(" MB/s");
    }
    print("\n");
    return stopped() ? STOPPED : 0;
}

static int cmd_bench(unsigned count, char **words)
{
    uint64_t milliseconds = 100;
    if (count > 1 && !number(words[1], "MILLISECONDS", 1, 60000, &milliseconds))
        return USAGE;
    print("%-10s %8s %13s %13s %12s\n", "kernel", "rounds", "instructions", "cycles", "time");
    for (unsigned i = 0; i < COUNT(kernels); i++) {
        int status = bench(&kernels[i], milliseconds);
        if (status != 0)
            return status;
    }
    return 0;
}

const struct command cpu_commands[] = {
    {"info",  cmd_cpu_info, 0, 0, "", "what this processor says about itself"},
    {"bench", cmd_bench,    0, 1, "[MILLISECONDS]", "how fast it does ten things, this long each"},
    {0},
};
