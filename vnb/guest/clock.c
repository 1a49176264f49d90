/* Time: mtime counts at the device tree's timebase-frequency and never stops, and the hart is
 * interrupted while mtime >= mtimecmp. */
#include "labos.h"

#define MTIMECMP REGISTER64(CLINT + 0x4000)
#define MTIME    REGISTER64(CLINT + 0xbff8)

#define MIE_MACHINE_TIMER (1 << 7)

uint64_t clock_ticks(void)
{
    return MTIME;
}

/* Not ticks * 1000000 / timebase, which overflows after three weeks. */
uint64_t clock_microseconds(uint64_t ticks)
{
    return ticks / board.timebase * 1000000 + ticks % board.timebase * 1000000 / board.timebase;
}

void clock_alarm(uint64_t ticks)
{
    MTIMECMP = ticks;
    csr_set(mie, MIE_MACHINE_TIMER);
}

/* The condition lasts, and would go on interrupting: not before the next clock_alarm(). */
void clock_alarm_off(void)
{
    csr_clear(mie, MIE_MACHINE_TIMER);
}
