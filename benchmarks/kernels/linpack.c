/* Solves dense systems of equations in doubles, as LINPACK does: elimination with pivots, column by column. */
#include "kernel.h"

enum { N = 160, ROUNDS = 24 };
static double a[N][N], b[N]; /* a[column][row] */

static double magnitude(double x) { return x < 0 ? -x : x; }

static void add_scaled(int from, double factor, const double *x, double *y)
{
    for (int i = from; i < N; i++)
        y[i] += factor * x[i];
}

static void fill(uint64_t *state)
{
    for (int row = 0; row < N; row++)
        b[row] = 0;
    for (int column = 0; column < N; column++)
        for (int row = 0; row < N; row++) {
            a[column][row] = (double)(int64_t)(next_random(state) >> 44) / (1 << 19) - 1;
            b[row] += a[column][row];
        }
}

static void exchange(double *x, double *y)
{
    double kept = *x;
    *x = *y;
    *y = kept;
}

static void solve(void)
{
    for (int k = 0; k < N; k++) {
        int pivot = k;
        for (int row = k + 1; row < N; row++)
            if (magnitude(a[k][row]) > magnitude(a[k][pivot]))
                pivot = row;
        for (int column = k; column < N; column++)
            exchange(&a[column][k], &a[column][pivot]);
        exchange(&b[k], &b[pivot]);
        for (int row = k + 1; row < N; row++)
            a[k][row] /= -a[k][k];
        for (int column = k + 1; column < N; column++)
            add_scaled(k + 1, a[column][k], a[k], a[column]);
        add_scaled(k + 1, b[k], a[k], b);
    }
    for (int k = N - 1; k >= 0; k--) {
        b[k] /= a[k][k];
        for (int row = 0; row < k; row++)
            b[row] -= b[k] * a[k][row];
    }
}

uint64_t kernel(void)
{
    uint64_t state = 1325, sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        fill(&state);
        solve(); /* every unknown is 1, but for the last few bits */
        for (int row = 0; row < N; row++) {
            union { double value; uint64_t bits; } unknown = {b[row]};
            sum = sum * 31 + unknown.bits;
        }
    }
    return sum;
}
