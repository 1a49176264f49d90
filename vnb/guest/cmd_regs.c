/* regs and irq: what the hart keeps about itself. */
#include "labos.h"

/* A CSR's number is part of the instruction that reads it, so the table is one of instructions. */
#define CSRS(row) \
    row(mvendorid) row(marchid) row(mimpid) row(mhartid) row(misa) row(mstatus) row(mtvec) \
    row(mie) row(mip) row(medeleg) row(mideleg) row(mcounteren) row(mscratch) row(mepc) \
    row(mcause) row(mtval) row(satp) row(fcsr) row(mcycle) row(minstret) row(time)

int cmd_regs(unsigned count, char **words)
{
    (void)count, (void)words;
    unsigned place = 0;
#define PRINT(name) print("%10s %016lx%s", #name, csr_read(name), ++place % 3 ? " " : "\n");
    CSRS(PRINT)
    print("\nat the last trap, %s:\n", cause_name(trap_frame.cause));
    print_registers(&trap_frame);
    return 0;
}

int cmd_irq(unsigned count, char **words)
{
    (void)count, (void)words;
    for (unsigned source = 0; source < INTERRUPT_SOURCES; source++) {
        if (interrupt_counts[source] == 0)
            continue;
        print("%3u ", source);
        if (source == UART_SOURCE)
            print("%-16s", "uart");
        else if (source < VIRTIO_SOURCE(VIRTIO_SLOTS))
            print("virtio slot %-4u", source - VIRTIO_SOURCE(0));
        else
            print("%-16s", "pci");
        print("%10lu\n", interrupt_counts[source]);
    }
    print("    %-16s%10lu\n    %-16s%10lu\n", "timer", timer_interrupts, "exceptions", exceptions);
    return 0;
}
