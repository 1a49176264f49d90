/* PCI: devices that are found by asking, not by knowing.  [pci 3.0]
 *
 * Every function of every device has 256 bytes of configuration space: who it is, and base address
 * registers (BARs), in which it says how much room its registers need, and is told where it is. */
#pragma once

#include "labos.h"

/* Where things are in the configuration space.  [pci 6.1] */
enum {
    PCI_VENDOR = 0x00,
    PCI_PRODUCT = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_CLASS = 0x08,        /* with the revision in the lowest byte */
    PCI_HEADER_TYPE = 0x0e,
    PCI_BARS = 0x10,
    PCI_SUBSYSTEM = 0x2e,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_PIN = 0x3d,
};

enum { /* PCI_COMMAND: what the device may do; nothing, at first */
    PCI_IO = 1,
    PCI_MEMORY = 2,          /* answer at the addresses in its BARs */
    PCI_MASTER = 4,          /* read and write our memory */
};

enum { PCI_BAR_COUNT = 6, PCI_LIMIT = 40 };

struct pci_bar {
    uint64_t size;           /* 0: there is no such BAR */
    uint64_t address;        /* as the hart sees it; 0: it has no place */
    bool io, wide, prefetchable;
};

struct pci_function {
    uint8_t bus, device, function;
    uint16_t vendor, product;
    uint32_t class;          /* three bytes: class, subclass, interface */
    unsigned source;         /* its interrupt, as the PLIC counts them; 0: none */
    struct pci_bar bars[PCI_BAR_COUNT];
};
extern struct pci_function pci_functions[PCI_LIMIT];
extern unsigned pci_count;

/* pci.c */
void pci_scan(void);
uint32_t pci_read(const struct pci_function *, unsigned offset, unsigned size);
void pci_write(const struct pci_function *, unsigned offset, unsigned size, uint32_t value);
void pci_print_place(const struct pci_function *function); /* as in 00:03.0 */

/* pci_bar.c */
void pci_place_bars(struct pci_function *function);

/* virtio_pci.c */
bool virtio_is_pci(const struct pci_function *function, uint32_t *id);
