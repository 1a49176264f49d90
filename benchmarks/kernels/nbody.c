/* Five bodies under gravity: multiplications, divisions and square roots of doubles, all inexact. */
#include "kernel.h"

enum { BODIES = 5, STEPS = 200000 };

static struct body { double at[3], speed[3], mass; } bodies[BODIES];

void prepare(void)
{
    uint64_t state = 20240229;
    for (int i = 0; i < BODIES; i++) {
        for (int axis = 0; axis < 3; axis++) {
            bodies[i].at[axis] = (double)(next_random(&state) >> 40) / (1 << 20) - 8 + 12 * i;
            bodies[i].speed[axis] = (double)(next_random(&state) >> 40) / (1 << 24) - 0.5;
        }
        bodies[i].mass = 1 + (double)(next_random(&state) >> 40) / (1 << 20);
    }
}

static void attract(struct body *p, struct body *q, double dt)
{
    double d[3], square = 0;
    for (int axis = 0; axis < 3; axis++) {
        d[axis] = p->at[axis] - q->at[axis];
        square += d[axis] * d[axis];
    }
    double pull = dt / (square * __builtin_sqrt(square));
    for (int axis = 0; axis < 3; axis++) {
        p->speed[axis] -= d[axis] * q->mass * pull;
        q->speed[axis] += d[axis] * p->mass * pull;
    }
}

uint64_t kernel(void)
{
    const double dt = 0.001;
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < BODIES; i++)
            for (int j = i + 1; j < BODIES; j++)
                attract(&bodies[i], &bodies[j], dt);
        for (int i = 0; i < BODIES; i++)
            for (int axis = 0; axis < 3; axis++)
                bodies[i].at[axis] += dt * bodies[i].speed[axis];
    }
    union { double value; uint64_t bits; } seen = {bodies[0].at[0]};
    return seen.bits;
}
