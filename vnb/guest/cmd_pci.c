/* pci: which functions are on the bus, and where their registers have been put. */
#include "pci.h"
#include "virtio.h"

/* The beginning of a long list.  [pci D] */
static const char *class_name(uint32_t class)
{
    static const char *const names[] = {
        [0x00] = "device",     [0x01] = "storage",   [0x02] = "network", [0x03] = "display",
        [0x04] = "multimedia", [0x05] = "memory",    [0x06] = "bridge",  [0x07] = "communication",
        [0x08] = "system",     [0x09] = "input",     [0x10] = "encryption",
    };
    class >>= 16;
    return class < COUNT(names) && names[class] ? names[class] : "device";
}

static void print_bar(const struct pci_bar *bar, unsigned number)
{
    if (bar->size == 0)
        return;
    print("        BAR %u: ", number);
    print_size(bar->size);
    print(" of %s%s", bar->prefetchable ? "prefetchable " : "", bar->io ? "I/O" : "memory");
    print("%s", bar->wide ? ", 64-bit" : "");
    if (bar->address)
        print(", at %08lx\n", bar->address);
    else
        print(", not placed\n");
}

int cmd_pci(unsigned count, char **words)
{
    (void)count, (void)words;
    for (unsigned i = 0; i < pci_count; i++) {
        const struct pci_function *function = &pci_functions[i];
        uint32_t id;
        pci_print_place(function);
        print(" %04x:%04x class %06x, %s", function->vendor, function->product, function->class,
              class_name(function->class));
        if (virtio_is_pci(function, &id))
            print(", VirtIO %s", virtio_kind(id));
        if (function->source)
            print(", irq %u", function->source);
        print("\n");
        for (unsigned number = 0; number < PCI_BAR_COUNT; number++)
            print_bar(&function->bars[number], number);
    }
    if (pci_count == 0)
        print(board.pci_config ? "the PCI bus is empty\n" : "this machine has no PCI bus\n");
    return 0;
}
