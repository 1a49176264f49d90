/* The registers of a VirtIO device on PCI, where the device itself says in which BAR they are.
 * [virtio 4.1.4]
 *
 * It does so in its list of capabilities: one for the registers that all devices have, one for the
 * doorbells of the queues, one for why it interrupted, one for its configuration. */
#include "pci.h"
#include "virtio.h"

enum { VENDOR = 0x1af4, OLD_PRODUCTS = 0x1000, PRODUCTS = 0x1040, PRODUCTS_END = 0x1080 };

enum { /* the registers: offsets [virtio 4.1.4.3] */
    DEVICE_FEATURES_HALF = 0x00,
    DEVICE_FEATURES = 0x04,
    DRIVER_FEATURES_HALF = 0x08,
    DRIVER_FEATURES = 0x0c,
    STATUS = 0x14,         /* 8 bits */
    GENERATION = 0x15,     /* 8 bits */
    QUEUE_SELECT = 0x16,   /* 16 bits; the registers QUEUE_* are those of this queue */
    QUEUE_SIZE_SET = 0x18, /* 16 bits */
    QUEUE_ENABLE = 0x1c,   /* 16 bits */
    QUEUE_DOORBELL = 0x1e, /* 16 bits */
    QUEUE_DESCRIPTORS = 0x20,
    QUEUE_AVAIL = 0x28,
    QUEUE_USED = 0x30,
    REGISTERS_SIZE = 0x38,
};

static uint64_t at(const struct virtio *device, unsigned offset)
{
    return device->registers + offset;
}

static void print_place(const struct virtio *device)
{
    print("pci ");
    pci_print_place(&pci_functions[device->place]);
}

static uint64_t features(struct virtio *device)
{
    REGISTER32(at(device, DEVICE_FEATURES_HALF)) = 0;
    uint64_t low = REGISTER32(at(device, DEVICE_FEATURES));
    REGISTER32(at(device, DEVICE_FEATURES_HALF)) = 1;
    return low | (uint64_t)REGISTER32(at(device, DEVICE_FEATURES)) << 32;
}

static void accept(struct virtio *device, uint64_t accepted)
{
    REGISTER32(at(device, DRIVER_FEATURES_HALF)) = 0;
    REGISTER32(at(device, DRIVER_FEATURES)) = (uint32_t)accepted;
    REGISTER32(at(device, DRIVER_FEATURES_HALF)) = 1;
    REGISTER32(at(device, DRIVER_FEATURES)) = (uint32_t)(accepted >> 32);
}

static uint32_t status(struct virtio *device)
{
    return REGISTER8(at(device, STATUS));
}

static void set_status(struct virtio *device, uint32_t value)
{
    REGISTER8(at(device, STATUS)) = (uint8_t)value;
}

static uint32_t queue_limit(struct virtio *device, unsigned number)
{
    REGISTER16(at(device, QUEUE_SELECT)) = (uint16_t)number;
    if (REGISTER16(at(device, QUEUE_ENABLE)))
        return 0;
    return REGISTER16(at(device, QUEUE_SIZE_SET)); /* until we write it, it is the limit */
}

static void set_address(const struct virtio *device, unsigned offset, const volatile void *address)
{
    REGISTER32(at(device, offset)) = (uint32_t)(uintptr_t)address;
    REGISTER32(at(device, offset + 4)) = (uint32_t)((uintptr_t)address >> 32);
}

static bool set_queue(struct queue *queue)
{
    struct virtio *device = queue->device;
    REGISTER16(at(device, QUEUE_SELECT)) = queue->number;
    uint64_t bell = REGISTER16(at(device, QUEUE_DOORBELL)) * (uint64_t)device->doorbell_step;
    if (bell + 2 > device->doorbells_size)
        return false;
    queue->doorbell = device->doorbells + bell; /* each queue may have its own */
    REGISTER16(at(device, QUEUE_SIZE_SET)) = queue->size;
    set_address(device, QUEUE_DESCRIPTORS, queue->descriptors);
    set_address(device, QUEUE_AVAIL, &queue->avail);
    set_address(device, QUEUE_USED, &queue->used);
    REGISTER16(at(device, QUEUE_ENABLE)) = 1; /* last: now the device may read all of the above */
    return true;
}

static void notify(const struct queue *queue)
{
    REGISTER16(queue->doorbell) = queue->number;
}

/* Reading acknowledges.  [virtio 4.1.4.5] */
static uint32_t acknowledge(struct virtio *device)
{
    return REGISTER8(device->isr);
}

static uint32_t generation(struct virtio *device)
{
    return REGISTER8(at(device, GENERATION));
}

static const struct transport pci = {
    print_place, features, accept,      status,     set_status,
    queue_limit, set_queue, notify,     acknowledge, generation,
};

/* Finding all of that: a capability of VirtIO is a vendor's own (9).  It tells of what kind it is,
 * and where the thing lies: in which BAR, at which offset, how long. */
enum { CAPABILITY_VENDOR = 9 };
enum { KIND_REGISTERS = 1, KIND_DOORBELLS = 2, KIND_ISR = 3, KIND_CONFIG = 4 };
enum { CAP_NEXT = 1, CAP_KIND = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_STEP = 16 };

/* Where the thing is, or 0 if that is nowhere, or not `least` bytes long. */
static uint64_t locate(const struct pci_function *function, unsigned capability, uint32_t least,
                       uint32_t *size)
{
    unsigned number = pci_read(function, capability + CAP_BAR, 1);
    uint32_t offset = pci_read(function, capability + CAP_OFFSET, 4);
    *size = pci_read(function, capability + CAP_LENGTH, 4);
    if (number >= PCI_BAR_COUNT || function->bars[number].address == 0 || *size < least ||
        (uint64_t)offset + *size > function->bars[number].size || offset % 4)
        return 0;
    return function->bars[number].address + offset;
}

static void read_capability(struct virtio *device, const struct pci_function *function,
                            unsigned capability)
{
    uint32_t size;
    switch (pci_read(function, capability + CAP_KIND, 1)) {
    case KIND_REGISTERS:
        if (!device->registers)
            device->registers = locate(function, capability, REGISTERS_SIZE, &size);
        break;
    case KIND_DOORBELLS:
        if (device->doorbells)
            break;
        device->doorbells = locate(function, capability, 2, &device->doorbells_size);
        device->doorbell_step = pci_read(function, capability + CAP_STEP, 4);
        break;
    case KIND_ISR:
        if (!device->isr)
            device->isr = locate(function, capability, 1, &size);
        break;
    case KIND_CONFIG:
        if (!device->config)
            device->config = locate(function, capability, 1, &device->config_size);
    }
}

/* The first capability of a kind counts, if several are offered.  A list may be a loop: a space of
 * 256 bytes has no room for more than 48 of them. */
static void read_capabilities(struct virtio *device, const struct pci_function *function)
{
    enum { FIRST = 0x40, MOST = 48 };
    unsigned capability = pci_read(function, PCI_CAPABILITIES, 1) & ~3u;
    for (unsigned i = 0; i < MOST && capability >= FIRST && capability < 256; i++) {
        if (pci_read(function, capability, 1) == CAPABILITY_VENDOR)
            read_capability(device, function, capability);
        capability = pci_read(function, capability + CAP_NEXT, 1) & ~3u;
    }
    if (!device->config)
        device->config_size = 0;
}

/* Devices that also speak the older protocol have other product numbers, and tell their kind where
 * the subsystem is.  [virtio 4.1.2] */
bool virtio_is_pci(const struct pci_function *function, uint32_t *id)
{
    if (function->vendor != VENDOR || function->product < OLD_PRODUCTS ||
        function->product >= PRODUCTS_END)
        return false;
    *id = (uint32_t)function->product - PRODUCTS;
    if (function->product < PRODUCTS)
        *id = pci_read(function, PCI_SUBSYSTEM, 2);
    return true;
}

unsigned virtio_pci_find(struct virtio *devices, unsigned limit)
{
    unsigned count = 0;
    for (unsigned i = 0; i < pci_count && count < limit; i++) {
        struct virtio *device = &devices[count];
        *device = (struct virtio){
            .transport = &pci, .place = i, .source = pci_functions[i].source};
        if (!virtio_is_pci(&pci_functions[i], &device->id))
            continue;
        read_capabilities(device, &pci_functions[i]);
        device->version = device->registers && device->doorbells && device->isr ? 2 : 1;
        count++;
    }
    return count;
}
