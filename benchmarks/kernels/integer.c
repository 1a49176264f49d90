/* Straight integer arithmetic in registers: shifts, exclusive or, addition, multiplication. */
#include "kernel.h"

uint64_t kernel(void)
{
    uint64_t state = 88172645463325252u, sum = 0;
    for (int i = 0; i < 30000000; i++) {
        uint64_t x = next_random(&state);
        sum = (sum + x) * 0x9E3779B97F4A7C15u ^ (x >> 29);
    }
    return sum;
}
