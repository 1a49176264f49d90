/* Twiddles bits: counts them, reverses them, interleaves them, finds them, and packs them. */
#include "kernel.h"

enum { ROUNDS = 5000000 };

static uint64_t count(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555;
    x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
    return ((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f) * 0x0101010101010101 >> 56;
}

static uint64_t reverse(uint64_t x)
{
    x = (x >> 1 & 0x5555555555555555) | (x & 0x5555555555555555) << 1;
    x = (x >> 2 & 0x3333333333333333) | (x & 0x3333333333333333) << 2;
    x = (x >> 4 & 0x0f0f0f0f0f0f0f0f) | (x & 0x0f0f0f0f0f0f0f0f) << 4;
    x = (x >> 8 & 0x00ff00ff00ff00ff) | (x & 0x00ff00ff00ff00ff) << 8;
    x = (x >> 16 & 0x0000ffff0000ffff) | (x & 0x0000ffff0000ffff) << 16;
    return x >> 32 | x << 32;
}

static uint64_t spread(uint32_t half)
{
    uint64_t x = half;
    x = (x | x << 16) & 0x0000ffff0000ffff;
    x = (x | x << 8) & 0x00ff00ff00ff00ff;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
    x = (x | x << 2) & 0x3333333333333333;
    return (x | x << 1) & 0x5555555555555555;
}

uint64_t kernel(void)
{
    uint64_t state = 99, sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t x = next_random(&state), gray = x ^ x >> 1;
        uint64_t lowest = x & -x, turn = count(lowest - 1) & 63;
        sum += reverse(gray) ^ (spread(x) << 1 | spread(x >> 32));
        sum = (sum << turn | sum >> (-turn & 63)) + count(sum);
    }
    return sum;
}
