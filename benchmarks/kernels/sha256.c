/* SHA-256 of 4 MiB: rotations and additions on 32-bit words, a table of constants, short loops. */
#include "kernel.h"

enum { BLOCKS = (4 << 20) / 64 };

static uint32_t K[64];

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes [FIPS 180-4]:
   the largest root whose cube does not exceed prime << 96, found bit by bit. */
void prepare(void)
{
    int found = 0;
    for (uint64_t prime = 2; found < 64; prime++) {
        int divided = 0;
        for (uint64_t d = 2; d * d <= prime; d++)
            divided |= prime % d == 0;
        if (divided)
            continue;
        uint64_t root = 0;
        for (int bit = 34; bit >= 0; bit--) {
            uint64_t trial = root | (uint64_t)1 << bit;
            if ((unsigned __int128)trial * trial * trial <= (unsigned __int128)prime << 96)
                root = trial;
        }
        K[found++] = (uint32_t)root;
    }
}

static inline uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void compress(uint32_t h[8], const uint32_t block[16])
{
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = block[i];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7]
             + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    for (int i = 0; i < 8; i++)
        s[i] = h[i];
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t t1 = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25))
                    + ((e & s[5]) ^ (~e & s[6])) + K[i] + w[i];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22))
                    + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        s[7] = s[6], s[6] = s[5], s[5] = e, s[4] = s[3] + t1;
        s[3] = s[2], s[2] = s[1], s[1] = a, s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += s[i];
}

uint64_t kernel(void)
{
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint32_t block[16];
    for (uint32_t n = 0; n < BLOCKS; n++) {
        for (int i = 0; i < 16; i++)
            block[i] = n * 16 + i;
        compress(h, block);
    }
    return (uint64_t)h[0] << 32 | h[1];
}
