/* A product of two matrices of doubles: loads with two strides, multiply and add. */
#include "kernel.h"

enum { N = 256 };
static double a[N][N], b[N][N], c[N][N];

void prepare(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (i * 31 + j) % 97 - 48;
            b[i][j] = (i + j * 17) % 89 - 44;
        }
}

uint64_t kernel(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++)
                sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
    uint64_t sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            sum = sum * 31 + (uint64_t)(int64_t)c[i][j];
    return sum;
}
