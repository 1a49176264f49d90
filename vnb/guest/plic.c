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

static void serve(unsigned source)
{
    if (source == UART_SOURCE)
        uart_interrupt();
    if (source >= VIRTIO_SOURCE(0) && source < VIRTIO_SOURCE(VIRTIO_SLOTS))
        virtio_interrupt(source - VIRTIO_SOURCE(0));
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
