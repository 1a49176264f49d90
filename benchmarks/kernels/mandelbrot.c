/* The Mandelbrot set: a tight loop of double multiplications with a compare that ends it. */
#include "kernel.h"

enum { SIZE = 192, LIMIT = 500 };

uint64_t kernel(void)
{
    uint64_t total = 0;
    for (int row = 0; row < SIZE; row++)
        for (int column = 0; column < SIZE; column++) {
            double cr = column * 3.0 / SIZE - 2.25, ci = row * 2.5 / SIZE - 1.25;
            double zr = 0, zi = 0;
            int n = 0;
            while (n < LIMIT && zr * zr + zi * zi < 4) {
                double t = zr * zr - zi * zi + cr;
                zi = 2 * zr * zi + ci;
                zr = t;
                n++;
            }
            total += n;
        }
    return total;
}
