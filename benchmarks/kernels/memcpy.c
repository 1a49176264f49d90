/* Copies 8 MiB again and again, four words at a time: nothing but loads and stores. */
#include "kernel.h"

enum { WORDS = (8 << 20) / 8, ROUNDS = 64 };
static uint64_t from[WORDS], to[WORDS];

void prepare(void)
{
    uint64_t state = 1;
    for (int i = 0; i < WORDS; i++)
        from[i] = next_random(&state), to[i] = 0;
}

static void copy(uint64_t *t, const uint64_t *s)
{
    for (int i = 0; i < WORDS; i += 4) {
        t[i] = s[i];
        t[i + 1] = s[i + 1];
        t[i + 2] = s[i + 2];
        t[i + 3] = s[i + 3];
    }
}

uint64_t kernel(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        from[round] += round;
        copy(to, from);
    }
    return to[7] ^ to[WORDS - 1];
}
