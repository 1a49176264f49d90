/* A sound is filtered: singles, as samples come and go as integers; sums of products, and feedback. */
#include "kernel.h"

enum { SAMPLES = 1 << 19, TAPS = 24 };
static int16_t sound[SAMPLES + TAPS];
static float taps[TAPS];

void prepare(void)
{
    uint64_t seed = 1;
    for (int i = 0; i < SAMPLES + TAPS; i++)
        sound[i] = (int16_t)next_random(&seed);
    for (int k = 0; k < TAPS; k++)
        taps[k] = (float)(k < TAPS / 2 ? k + 1 : TAPS - k) / (TAPS * TAPS / 4);
}

/* The nearest sample, or the loudest. */
static int16_t sample(float x)
{
    x = x < -32768.0f ? -32768.0f : x > 32767.0f ? 32767.0f : x;
    return (int16_t)(x < 0 ? x - 0.5f : x + 0.5f);
}

uint64_t kernel(void)
{
    static float wave[SAMPLES + TAPS];
    for (int i = 0; i < SAMPLES + TAPS; i++)
        wave[i] = sound[i] / 8.0f;
    float before = 0, earlier = 0;
    uint64_t sum = 0;
    for (int i = 0; i < SAMPLES; i++) {
        float smooth = 0;
        for (int k = 0; k < TAPS; k++)
            smooth += taps[k] * wave[i + k];
        /* a resonance, which rings */
        float rung = smooth + 1.85f * before - 0.93f * earlier;
        earlier = before;
        before = rung;
        sum = sum * 31 + (uint16_t)sample(rung);
    }
    return sum;
}
