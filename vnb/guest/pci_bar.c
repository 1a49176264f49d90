/* Base address registers: how much room a PCI function needs, and where it gets it.  [pci 6.2.5.1]
 *
 * The trick is an old one.  The low bits of an address that must be a multiple of 2^n cannot be
 * set, so whoever writes all ones to a BAR and reads it back sees how large n is. */
#include "pci.h"

enum { IS_IO = 1, IS_WIDE = 4, IS_PREFETCHABLE = 8 }; /* in a BAR's lowest bits, read-only */

static uint64_t placed; /* how much of the window has been given away */

/* The device tree's `ranges` has rows of seven cells: the kind of addresses, where PCI has them
 * (two cells), where the hart has them (two), how many (two).  The BARs, also the wide ones, go
 * where 32-bit addresses are for memory.  [pci-of 2.2.1.1] */
static bool window(uint64_t *bus, uint64_t *hart, uint64_t *size)
{
    enum { ROW = 7, KIND = 0x03000000, MEMORY_32_BIT = 0x02000000 };
    for (uint32_t row = 0; row + ROW <= board.pci_windows.count; row += ROW) {
        if ((fdt_cell(board.pci_windows, row) & KIND) != MEMORY_32_BIT)
            continue;
        *bus = fdt_cell64(board.pci_windows, row + 1);
        *hart = fdt_cell64(board.pci_windows, row + 3);
        *size = fdt_cell64(board.pci_windows, row + 5);
        return *bus + *size <= 1ul << 32;
    }
    return false;
}

static uint32_t ask_size(const struct pci_function *function, unsigned offset)
{
    pci_write(function, offset, 4, UINT32_MAX);
    return pci_read(function, offset, 4);
}

/* Returns how many registers the BAR is made of: a 64-bit address takes two. */
static unsigned measure(const struct pci_function *function, unsigned number, struct pci_bar *bar)
{
    unsigned offset = PCI_BARS + 4 * number;
    uint32_t low = ask_size(function, offset);
    *bar = (struct pci_bar){.io = low & IS_IO};
    if (low == 0)
        return 1;
    uint64_t mask = 0xffffffff00000000ul;
    if (bar->io) {
        mask |= low & ~3u;
        if (!(low & 0xffff0000u))
            mask |= 0xffff0000u; /* I/O addresses may have 16 bits only */
    } else {
        bar->wide = low & IS_WIDE;
        bar->prefetchable = low & IS_PREFETCHABLE;
        mask |= low & ~15u;
        if (bar->wide && number + 1 < PCI_BAR_COUNT)
            mask = (uint64_t)ask_size(function, offset + 4) << 32 | (uint32_t)mask;
    }
    bar->size = mask & -mask; /* the lowest bit that can be set */
    return bar->wide ? 2 : 1;
}

static void place(const struct pci_function *function, unsigned number, struct pci_bar *bar)
{
    uint64_t bus, hart, size;
    if (bar->io || bar->size == 0 || !window(&bus, &hart, &size) || bar->size > size)
        return;
    uint64_t at = (placed + bar->size - 1) & -bar->size; /* a multiple of its own size */
    if (at > size - bar->size)
        return; /* the window is full */
    placed = at + bar->size;
    bar->address = hart + at;
    pci_write(function, PCI_BARS + 4 * number, 4, (uint32_t)(bus + at));
}

void pci_place_bars(struct pci_function *function)
{
    enum { HEADER_KIND = 0x7f };
    bool any = false;
    if (pci_read(function, PCI_HEADER_TYPE, 1) & HEADER_KIND)
        return; /* a bridge: its BARs are other ones */
    pci_write(function, PCI_COMMAND, 2, 0); /* or it would answer at each address that we try */
    for (unsigned number = 0; number < PCI_BAR_COUNT;) {
        struct pci_bar *bar = &function->bars[number];
        unsigned registers = measure(function, number, bar);
        for (unsigned i = 0; i < registers && number + i < PCI_BAR_COUNT; i++)
            pci_write(function, PCI_BARS + 4 * (number + i), 4, 0);
        place(function, number, bar);
        any |= bar->address != 0;
        number += registers;
    }
    if (any)
        pci_write(function, PCI_COMMAND, 2, PCI_MEMORY | PCI_MASTER);
}
