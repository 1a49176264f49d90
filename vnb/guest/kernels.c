/* The work that `cpu bench` times.
 *
 * Each kernel is one round of something a processor does all day, some tens of thousands of
 * instructions long, and returns a number that depends on its steps: a processor that counts
 * wrongly is noticed at once. */
#include "kernels.h"

/* The Collatz problem from 64 starts: odd or even is a branch that nobody can predict. */
uint64_t kernel_branches(void)
{
    uint64_t steps = 0;
    for (uint64_t start = 27; start < 27 + 64; start++)
        for (uint64_t n = start; n != 1; steps++)
            n = n % 2 ? 3 * n + 1 : n / 2;
    return steps;
}

/* A random generator's multiplications, shifts and exclusive ors, one after the other. */
uint64_t kernel_arithmetic(void)
{
    uint64_t x = 1;
    for (unsigned i = 0; i < 4000; i++) {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        x = x * 0x2545f4914f6cdd1dul + i;
    }
    return x;
}

/* A greatest common divisor is all division. */
uint64_t kernel_division(void)
{
    uint64_t sum = 0;
    for (uint64_t i = 1; i <= 200; i++) {
        uint64_t a = stamp(i), b = stamp(i + 1);
        while (b != 0) {
            uint64_t rest = a % b;
            a = b;
            b = rest;
        }
        sum += a * i;
    }
    return sum;
}

/* Sorting 512 words in place, by insertion at shrinking distances. */
uint64_t kernel_sort(void)
{
    enum { WORDS = 512 };
    uint64_t *words = (uint64_t *)scratch, sum = 0;
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = stamp(i);
    for (unsigned gap = WORDS / 2; gap > 0; gap /= 2) {
        for (unsigned i = gap; i < WORDS; i++) {
            uint64_t word = words[i];
            unsigned j = i;
            for (; j >= gap && words[j - gap] > word; j -= gap)
                words[j] = words[j - gap];
            words[j] = word;
        }
    }
    for (unsigned i = 0; i < WORDS; i++)
        sum = sum * 31 + words[i];
    return sum;
}

static uint64_t bits(double value)
{
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

/* The product of two matrices of 20 by 20, with a fused multiply-add for each term. */
uint64_t kernel_matrix(void)
{
    enum { N = 20 };
    double(*a)[N] = (double(*)[N])scratch, (*b)[N] = a + N, sum = 0;
    for (unsigned i = 0; i < N; i++)
        for (unsigned j = 0; j < N; j++) {
            a[i][j] = 1.0 / (i + j + 1);
            b[i][j] = (double)i - 0.5 * j;
        }
    for (unsigned i = 0; i < N; i++)
        for (unsigned j = 0; j < N; j++) {
            double c = 0;
            for (unsigned k = 0; k < N; k++)
                c = __builtin_fma(a[i][k], b[k][j], c);
            sum += c * c;
        }
    return bits(sum);
}

/* The Mandelbrot set at 12 by 12 points: multiplications, additions, and when to stop. */
uint64_t kernel_mandelbrot(void)
{
    uint64_t steps = 0;
    for (int row = 0; row < 12; row++)
        for (int column = 0; column < 12; column++) {
            double re = -2.0 + column * 0.25, im = -1.5 + row * 0.25, x = 0, y = 0;
            for (unsigned i = 0; i < 64 && x * x + y * y < 4; i++, steps++) {
                double next = x * x - y * y + re;
                y = 2 * x * y + im;
                x = next;
            }
        }
    return steps;
}

/* Square roots and quotients in single precision: Newton's way to them must agree. */
uint64_t kernel_roots(void)
{
    float sum = 0;
    for (unsigned i = 1; i <= 1500; i++) {
        float x = (float)i, root = __builtin_sqrtf(x);
        sum += (root + x / root) * 0.5f;
    }
    return bits(sum);
}

enum { COPIED = 128 << 10 };

uint64_t kernel_copy(void)
{
    uint64_t *words = (uint64_t *)scratch;
    words[COPIED / 8 - 1] = COPIED;
    words[COPIED / 4 - 1] = 0;
    memcpy(scratch + COPIED, scratch, COPIED);
    return words[COPIED / 4 - 1];
}

uint64_t kernel_fill(void)
{
    memset(scratch, 0x5a, COPIED);
    return *(uint64_t *)(scratch + COPIED - 8);
}

enum { NODES = SCRATCH_SIZE / 64 };

/* One walk from cache line to cache line, each of which says where the next one is. */
void prepare_chase(void)
{
    enum { STRIDE = 2271 /* odd: it comes by all of them */ };
    for (uint64_t i = 0, place = 0; i < NODES; i++, place = (place + STRIDE) % NODES)
        *(uint64_t *)(scratch + place * 64) = (place + STRIDE) % NODES * 64;
}

uint64_t kernel_chase(void)
{
    uint64_t place = 0, sum = 0;
    for (unsigned i = 0; i < NODES; i++)
        sum += place = *(volatile uint64_t *)(scratch + place);
    return sum;
}
