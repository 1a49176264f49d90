/* The registers of a VirtIO device, where each device has a page of them in memory.  [virtio 4.2.2]
 *
 * Nothing else in labos knows these numbers.  All registers are 32 bits wide; 64-bit values come in
 * two halves. */
#include "virtio.h"

enum {
    MAGIC = 0x000, /* "virt" */
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_HALF = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_HALF = 0x024,
    QUEUE_SELECT = 0x030, /* the registers QUEUE_* are those of this queue */
    QUEUE_SIZE_MAX = 0x034,
    QUEUE_SIZE_SET = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACKNOWLEDGE = 0x064,
    STATUS = 0x070,
    QUEUE_DESCRIPTORS = 0x080,
    QUEUE_AVAIL = 0x090,
    QUEUE_USED = 0x0a0,
    CONFIG_GENERATION = 0x0fc,
    CONFIG = 0x100,
};

static uint64_t base(const struct virtio *device)
{
    return VIRTIO + device->slot * VIRTIO_SLOT_SIZE;
}

static uint32_t get(const struct virtio *device, unsigned offset)
{
    return REGISTER32(base(device) + offset);
}

static void set(const struct virtio *device, unsigned offset, uint32_t value)
{
    REGISTER32(base(device) + offset) = value;
}

static void set_address(const struct virtio *device, unsigned offset, const volatile void *address)
{
    set(device, offset, (uint32_t)(uintptr_t)address);
    set(device, offset + 4, (uint32_t)((uintptr_t)address >> 32));
}

/* A slot may be empty in two ways: nothing answers there at all, or an ID of zero does. */
void transport_probe(struct virtio *device)
{
    uint64_t magic;
    if (!guarded_load(base(device) + MAGIC, 4, &magic) || magic != 0x74726976)
        return;
    device->version = get(device, VERSION);
    device->id = get(device, DEVICE_ID);
}

uint64_t transport_features(struct virtio *device)
{
    set(device, DEVICE_FEATURES_HALF, 0);
    uint64_t features = get(device, DEVICE_FEATURES);
    set(device, DEVICE_FEATURES_HALF, 1);
    return features | (uint64_t)get(device, DEVICE_FEATURES) << 32;
}

void transport_accept(struct virtio *device, uint64_t features)
{
    set(device, DRIVER_FEATURES_HALF, 0);
    set(device, DRIVER_FEATURES, (uint32_t)features);
    set(device, DRIVER_FEATURES_HALF, 1);
    set(device, DRIVER_FEATURES, (uint32_t)(features >> 32));
}

uint32_t transport_status(struct virtio *device)
{
    return get(device, STATUS);
}

void transport_set_status(struct virtio *device, uint32_t status)
{
    set(device, STATUS, status);
}

/* The largest size of a queue that the device can work with; 0: it has no such queue. */
uint32_t transport_queue_limit(struct virtio *device, unsigned index)
{
    set(device, QUEUE_SELECT, index);
    return get(device, QUEUE_READY) ? 0 : get(device, QUEUE_SIZE_MAX);
}

void transport_set_queue(struct virtio *device, uint32_t size, const void *descriptors,
                         const volatile void *avail, const volatile void *used)
{
    set(device, QUEUE_SIZE_SET, size);
    set_address(device, QUEUE_DESCRIPTORS, descriptors);
    set_address(device, QUEUE_AVAIL, avail);
    set_address(device, QUEUE_USED, used);
    set(device, QUEUE_READY, 1); /* last: from here the device may read all of the above */
}

void transport_notify(struct virtio *device, unsigned index)
{
    set(device, QUEUE_NOTIFY, index);
}

uint32_t transport_acknowledge(struct virtio *device)
{
    uint32_t reasons = get(device, INTERRUPT_STATUS);
    set(device, INTERRUPT_ACKNOWLEDGE, reasons);
    return reasons;
}

/* A value of 1, 2, 4 or 8 bytes.  The device may change its configuration while we read the second
 * half of a long one; the generation tells, and we read again.  [virtio 2.5.1] */
uint64_t transport_config(struct virtio *device, unsigned offset, unsigned size)
{
    uint64_t address = base(device) + CONFIG + offset, value;
    uint32_t generation;
    do {
        generation = get(device, CONFIG_GENERATION);
        if (size == 8) {
            value = REGISTER32(address);
            value |= (uint64_t)REGISTER32(address + 4) << 32;
        } else {
            guarded_load(address, size, &value);
        }
    } while (generation != get(device, CONFIG_GENERATION));
    return value;
}
