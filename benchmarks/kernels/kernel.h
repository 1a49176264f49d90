/* What each kernel is: prepare() is not timed, kernel() is, and its result must be the same everywhere. */
#pragma once
#include <stdint.h>

void prepare(void);
uint64_t kernel(void);

/* A small generator (xorshift64), so that every target works on the same numbers. */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}
