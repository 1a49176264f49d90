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

static uint32_t get(const struct virtio *device, unsigned offset)
{
    return REGISTER32(device->registers + offset);
}

static void set(const struct virtio *device, unsigned offset, uint32_t value)
{
    REGISTER32(device->registers + offset) = value;
}

static void set_address(const struct virtio *device, unsigned offset, const volatile void *address)
{
    set(device, offset, (uint32_t)(uintptr_t)address);
    set(device, offset + 4, (uint32_t)((uintptr_t)address >> 32));
}

static void print_place(const struct virtio *device)
{
    print("slot %u", device->place);
}

static uint64_t features(struct virtio *device)
{
    set(device, DEVICE_FEATURES_HALF, 0);
    uint64_t low = get(device, DEVICE_FEATURES);
    set(device, DEVICE_FEATURES_HALF, 1);
    return low | (uint64_t)get(device, DEVICE_FEATURES) << 32;
}

static void accept(struct virtio *device, uint64_t accepted)
{
    set(device, DRIVER_FEATURES_HALF, 0);
    set(device, DRIVER_FEATURES, (uint32_t)accepted);
    set(device, DRIVER_FEATURES_HALF, 1);
    set(device, DRIVER_FEATURES, (uint32_t)(accepted >> 32));
}

static uint32_t status(struct virtio *device)
{
    return get(device, STATUS);
}

static void set_status(struct virtio *device, uint32_t value)
{
    set(device, STATUS, value);
}

static uint32_t queue_limit(struct virtio *device, unsigned number)
{
    set(device, QUEUE_SELECT, number);
    return get(device, QUEUE_READY) ? 0 : get(device, QUEUE_SIZE_MAX);
}

static bool set_queue(struct queue *queue)
{
    struct virtio *device = queue->device;
    queue->doorbell = device->registers + QUEUE_NOTIFY; /* one for all of the device's queues */
    set(device, QUEUE_SELECT, queue->number);
    set(device, QUEUE_SIZE_SET, queue->size);
    set_address(device, QUEUE_DESCRIPTORS, queue->descriptors);
    set_address(device, QUEUE_AVAIL, &queue->avail);
    set_address(device, QUEUE_USED, &queue->used);
    set(device, QUEUE_READY, 1); /* last: from here the device may read all of the above */
    return true;
}

static void notify(const struct queue *queue)
{
    REGISTER32(queue->doorbell) = queue->number;
}

static uint32_t acknowledge(struct virtio *device)
{
    uint32_t reasons = get(device, INTERRUPT_STATUS);
    set(device, INTERRUPT_ACKNOWLEDGE, reasons);
    return reasons;
}

static uint32_t generation(struct virtio *device)
{
    return get(device, CONFIG_GENERATION);
}

static const struct transport mmio = {
    print_place, features, accept,      status,     set_status,
    queue_limit, set_queue, notify,     acknowledge, generation,
};

/* A slot may be empty in two ways: nothing answers there at all, or an ID of zero does. */
unsigned virtio_mmio_find(struct virtio *devices, unsigned limit)
{
    unsigned count = 0;
    for (unsigned slot = 0; slot < VIRTIO_SLOTS && count < limit; slot++) {
        uint64_t base = VIRTIO + slot * VIRTIO_SLOT_SIZE, magic;
        if (!guarded_load(base + MAGIC, 4, &magic) || magic != 0x74726976)
            continue;
        struct virtio *device = &devices[count];
        *device = (struct virtio){
            .transport = &mmio,
            .place = slot,
            .source = VIRTIO_SOURCE(slot),
            .registers = base,
            .config = base + CONFIG,
            .config_size = VIRTIO_SLOT_SIZE - CONFIG,
        };
        device->version = get(device, VERSION);
        device->id = get(device, DEVICE_ID);
        count += device->id != VIRTIO_ABSENT;
    }
    return count;
}
