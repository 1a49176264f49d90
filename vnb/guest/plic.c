/* The platform-level interrupt controller: 95 devices may want attention, the hart has one wire.
 *
 * The PLIC keeps which of them do.  The hart claims the most urgent one, serves it, and says that
 * it is complete; until then the PLIC does not tell of it again. */
#include "virtio.h"

/* Context 0 is machine mode of hart 0. */
#define PRIORITY(source) REGISTER32(PLIC + 4 * (source))
#define ENABLE(source)   REGISTER32(PLIC + 0x2000 + 4 * ((source) / 32))
#define THRESHOLD        REGISTER32(PLIC + 0x200000)
#define CLAIM            REGISTER32(PLIC + 0x200004) /* read: claim; write: complete */

#define MIE_MACHINE_EXTERNAL (1 << 11)

uint64_t interrupt_counts[INTERRUPT_SOURCES];

void plic_start(void)
{
    THRESHOLD = 0; /* any priority above zero gets through */
    csr_set(mie, MIE_MACHINE_EXTERNAL);
}

void plic_enable(unsigned source)
{
    PRIORITY(source) = 1; /* zero, as after a reset, means never */
    ENABLE(source) |= 1u << source % 32;
}

/* A wire that stays up although nobody knows why would interrupt for ever: it is cut. */
static void serve(unsigned source)
{
    enum { MOST_IN_VAIN = 1000 };
    static unsigned in_vain;
    if (source == UART_SOURCE)
        uart_interrupt();
    else if (virtio_interrupt(source))
        in_vain = 0;
    else if (++in_vain > MOST_IN_VAIN)
        ENABLE(source) &= ~(1u << source % 32);
}

void plic_interrupt(void)
{
    /* More than one may be waiting; claim returns 0 when none is. */
    for (unsigned source = CLAIM; source > 0; source = CLAIM) {
        if (source < INTERRUPT_SOURCES)
            interrupt_counts[source]++;
        serve(source);
        CLAIM = source;
    }
}
