/* Which PCI functions there are, and which interrupt each of them has.
 *
 * The device tree says where the configuration spaces are: all of them lie in memory, 4 KiB for
 * each function, in the order of their numbers.  (PCI Express calls this ECAM.  The older PCI had
 * 256 bytes for each, and labos needs no more.) */
#include "pci.h"

enum { DEVICES = 32, FUNCTIONS = 8 };
enum { NOBODY = 0xffff }; /* the vendor of an empty place */

struct pci_function pci_functions[PCI_LIMIT];
unsigned pci_count;

static uint64_t address(const struct pci_function *function, unsigned offset)
{
    unsigned number = function->bus << 8 | function->device << 3 | function->function;
    return board.pci_config + number * 4096ul + offset;
}

uint32_t pci_read(const struct pci_function *function, unsigned offset, unsigned size)
{
    uint64_t value = ~0ul;
    guarded_load(address(function, offset), size, &value);
    return (uint32_t)value;
}

void pci_write(const struct pci_function *function, unsigned offset, unsigned size, uint32_t value)
{
    guarded_store(address(function, offset), size, value);
}

void pci_print_place(const struct pci_function *function)
{
    print("%02x:%02x.%u", function->bus, function->device, function->function);
}

/* A device knows only which of four pins, INTA to INTD, it pulls.  How the pins of each slot are
 * wired to the PLIC the device tree tells, in rows of six cells: the device's address (three), the
 * pin, the interrupt controller, and its source.  Two of the cells count, as far as the mask says:
 * [devicetree 2.4.3] */
static unsigned interrupt_source(const struct pci_function *function)
{
    enum { ROW = 6, PLACE = 0, PIN = 3, SOURCE = 5 };
    uint32_t pin = pci_read(function, PCI_INTERRUPT_PIN, 1); /* 1 is INTA; 0: it has none */
    uint32_t place = (uint32_t)function->device << 11;
    uint32_t mask = fdt_cell(board.pci_interrupt_mask, PLACE);
    for (uint32_t row = 0; row + ROW <= board.pci_interrupts.count; row += ROW) {
        uint32_t source = fdt_cell(board.pci_interrupts, row + SOURCE);
        if ((fdt_cell(board.pci_interrupts, row + PLACE) & mask) == (place & mask) &&
            fdt_cell(board.pci_interrupts, row + PIN) == pin && source < INTERRUPT_SOURCES)
            return source;
    }
    return 0;
}

static bool probe(unsigned device, unsigned number)
{
    if (pci_count == PCI_LIMIT)
        return false;
    struct pci_function *function = &pci_functions[pci_count];
    *function = (struct pci_function){.device = (uint8_t)device, .function = (uint8_t)number};
    function->vendor = (uint16_t)pci_read(function, PCI_VENDOR, 2);
    if (function->vendor == NOBODY)
        return false;
    function->product = (uint16_t)pci_read(function, PCI_PRODUCT, 2);
    function->class = pci_read(function, PCI_CLASS, 4) >> 8;
    function->source = interrupt_source(function);
    pci_place_bars(function);
    pci_count++;
    return true;
}

/* Bus 0 is all that there is: another bus would be behind a bridge, and the board has none. */
void pci_scan(void)
{
    enum { MANY_FUNCTIONS = 0x80 }; /* in the header type of a device's first one */
    for (unsigned device = 0; board.pci_config && device < DEVICES; device++) {
        if (!probe(device, 0))
            continue;
        if (pci_read(&pci_functions[pci_count - 1], PCI_HEADER_TYPE, 1) & MANY_FUNCTIONS)
            for (unsigned number = 1; number < FUNCTIONS; number++)
                probe(device, number);
    }
}
