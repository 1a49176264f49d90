/* Waiting without being busy: wfi stops the hart until an interrupt is pending, and an idle labos
 * costs its host nothing. */
#include "labos.h"

/* Between looking and falling asleep, the interrupt that is waited for could come and go, and the
 * hart would sleep for ever.  So we look with interrupts off: wfi wakes up all the same, and the
 * interrupt is taken as soon as they are on again. */
void sleep_unless(bool (*ready)(void *), void *what)
{
    uint64_t were_on = csr_read(mstatus) & MSTATUS_MIE;
    csr_clear(mstatus, MSTATUS_MIE);
    if (!ready(what))
        __asm__ volatile("wfi" ::: "memory");
    csr_set(mstatus, were_on);
}

bool wait_until(bool (*ready)(void *), void *what, uint64_t milliseconds)
{
    uint64_t end = clock_ticks() + milliseconds * board.timebase / 1000;
    clock_alarm(end);
    while (!ready(what) && clock_ticks() < end)
        sleep_unless(ready, what);
    clock_alarm_off();
    return ready(what);
}
