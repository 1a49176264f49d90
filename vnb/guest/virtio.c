/* The life of a VirtIO device: found, reset, negotiated with, running; or broken. */
#include "virtio.h"

struct virtio virtio_devices[VIRTIO_LIMIT];
unsigned virtio_count;

void virtio_find(void)
{
    virtio_count = virtio_mmio_find(virtio_devices, VIRTIO_LIMIT);
    virtio_count += virtio_pci_find(virtio_devices + virtio_count, VIRTIO_LIMIT - virtio_count);
}

/* The next device of this kind after the given one.  A driver drives all that there are. */
struct virtio *virtio_next(struct virtio *device, enum virtio_id id)
{
    for (device = device ? device + 1 : virtio_devices;
         device < virtio_devices + virtio_count; device++)
        if (device->id == id)
            return device;
    return NULL;
}

void virtio_name(struct virtio *device, const char *name, unsigned number)
{
    device->name = name;
    device->number = number;
}

const char *virtio_kind(uint32_t id)
{
    static const char *const kinds[] = {
        [VIRTIO_NET] = "network", [VIRTIO_BLOCK] = "block", [VIRTIO_CONSOLE] = "console",
        [VIRTIO_ENTROPY] = "entropy", [VIRTIO_9P] = "9P", [VIRTIO_GPU] = "GPU",
        [VIRTIO_INPUT] = "input",
    };
    return id < COUNT(kinds) && kinds[id] ? kinds[id] : "unknown";
}

static bool is_reset(void *device)
{
    return ((struct virtio *)device)->transport->status(device) == 0;
}

static bool give_up(struct virtio *device)
{
    device->transport->set_status(device, DRIVER_FAILED);
    return false;
}

/* The steps of [virtio 3.1.1], in the only order that is allowed. */
bool virtio_begin(struct virtio *device, uint64_t wanted)
{
    const struct transport *transport = device->transport;
    if (device->version != 2)
        return false;
    transport->set_status(device, 0); /* reset: forget whatever was before */
    if (!wait_until(is_reset, device, 1000))
        return give_up(device);
    device->broken = device->changed = false;
    transport->set_status(device, ACKNOWLEDGE);          /* we see that it is a VirtIO device */
    transport->set_status(device, ACKNOWLEDGE | DRIVER); /* and we know how to drive it */

    /* Take what both sides understand, and nothing that we do not: a feature that is not accepted
     * is one that the device must do without. */
    device->features = transport->features(device) & (wanted | VIRTIO_F_VERSION_1);
    transport->accept(device, device->features);
    transport->set_status(device, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    if (!(transport->status(device) & FEATURES_OK))
        return give_up(device); /* it cannot work without something that we left out */
    return true;
}

void virtio_go(struct virtio *device)
{
    plic_enable(device->source);
    device->transport->set_status(device, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

/* Whoever waits for a queue looks into it after waking up: nothing has to be done for one here.
 * On PCI several devices share an interrupt, and only asking each of them tells which it was. */
bool virtio_interrupt(unsigned source)
{
    bool recognised = false;
    for (unsigned i = 0; i < virtio_count; i++) {
        struct virtio *device = &virtio_devices[i];
        if (device->source != source || device->version != 2)
            continue;
        uint32_t reasons = device->transport->acknowledge(device);
        if (reasons & INTERRUPT_CONFIG) {
            device->changed = true;
            device->broken |= (device->transport->status(device) & NEEDS_RESET) != 0;
        }
        recognised |= reasons != 0;
    }
    return recognised;
}

/* A value of 1, 2, 4 or 8 bytes; zero where the device has none.  The device may change its
 * configuration while we read the second half of a long one; the generation tells, and we read
 * again: but not for ever, whatever a device thinks of itself.  [virtio 2.5.1] */
uint64_t virtio_config(struct virtio *device, unsigned offset, unsigned size)
{
    enum { TRIES = 1000 };
    uint64_t address = device->config + offset, value = 0;
    if (offset + size > device->config_size)
        return 0;
    for (unsigned tries = 0; tries < TRIES; tries++) {
        uint32_t generation = device->transport->generation(device);
        if (size == 8) {
            value = REGISTER32(address);
            value |= (uint64_t)REGISTER32(address + 4) << 32;
        } else {
            guarded_load(address, size, &value);
        }
        if (generation == device->transport->generation(device))
            break;
    }
    return value;
}

void virtio_set_config(struct virtio *device, unsigned offset, unsigned size, uint64_t value)
{
    if (offset + size <= device->config_size)
        guarded_store(device->config + offset, size, value);
}
