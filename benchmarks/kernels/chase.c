/* Follows pointers through 64 MiB in random order: each load waits for the last one. */
#include "kernel.h"

enum { NODES = (64 << 20) / 8, STEPS = 10000000 };
static uint32_t next[NODES * 2];

/* Sattolo's shuffle makes one cycle through all nodes, which are 8 bytes apart. */
void prepare(void)
{
    uint64_t state = 42;
    for (uint32_t i = 0; i < NODES; i++)
        next[2 * i] = i;
    for (uint32_t i = NODES - 1; i > 0; i--) {
        uint32_t j = next_random(&state) % i, kept = next[2 * i];
        next[2 * i] = next[2 * j];
        next[2 * j] = kept;
    }
}

uint64_t kernel(void)
{
    uint32_t at = 0;
    for (int i = 0; i < STEPS; i++)
        at = next[2 * at];
    return at;
}
