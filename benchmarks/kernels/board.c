/* Runs the kernel on a bare RISC-V board "virt": times it by the board's clock, prints, powers off. */
#include "kernel.h"

#define UART  ((volatile uint8_t *)0x10000000)
#define POWER ((volatile uint32_t *)0x00100000)
#define MTIME ((volatile uint64_t *)0x0200bff8) /* 10 MHz */

static void print(uint64_t value, char end)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *UART = "0123456789abcdef"[value >> shift & 15];
    *UART = end;
}

static uint64_t retired(void)
{
    uint64_t count;
    __asm__ volatile("csrr %0, minstret" : "=r"(count)::"memory");
    return count;
}

__attribute__((weak)) void prepare(void) {}

void main(void)
{
    prepare();
    uint64_t start = *MTIME, before = retired();
    uint64_t result = kernel();
    uint64_t after = retired(), end = *MTIME;
    print(result, ' ');
    print(end - start, ' ');
    print(after - before, '\n');
    *POWER = 0x5555;
}
