/* The sieve of Eratosthenes: byte stores with ever longer strides, then one counting pass. */
#include "kernel.h"

enum { LIMIT = 1 << 21 };
static uint8_t composite[LIMIT];

uint64_t kernel(void)
{
    uint64_t primes = 0;
    for (int round = 0; round < 16; round++) {
        for (int i = 0; i < LIMIT; i++)
            composite[i] = 0;
        for (int i = 2; i * i < LIMIT; i++)
            if (!composite[i])
                for (int j = i * i; j < LIMIT; j += i)
                    composite[j] = 1;
        for (int i = 2; i < LIMIT; i++)
            primes += !composite[i];
    }
    return primes;
}
