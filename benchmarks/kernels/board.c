/* Runs the kernel on a bare RISC-V board: times it by the board's clock, prints, powers off. */
#include "kernel.h"

#define MTIME ((volatile uint64_t *)0x0200bff8) /* 10 MHz */

#ifdef PAGING /* in supervisor mode */
#define RETIRED "instret"
#else
#define RETIRED "minstret"
#endif

#ifdef HTIF /* TinyEMU's own board: one register to the host for both */
#define TOHOST ((volatile uint64_t *)0x40008000)
static void put(char c) { *TOHOST = 0x0101ull << 48 | (uint8_t)c; }
static void power_off(void) { *TOHOST = 1; }
#else /* QEMU's board "virt" */
#define UART  ((volatile uint8_t *)0x10000000)
#define POWER ((volatile uint32_t *)0x00100000)
static void put(char c) { *UART = c; }
static void power_off(void) { *POWER = 0x5555; }
#endif

static void print(uint64_t value, char end)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        put("0123456789abcdef"[value >> shift & 15]);
    put(end);
}

static uint64_t retired(void)
{
    uint64_t count;
    __asm__ volatile("csrr %0, " RETIRED "" : "=r"(count)::"memory");
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
    power_off();
}
