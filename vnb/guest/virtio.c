/* The life of a VirtIO device: found in its slot, reset, negotiated with, running; or broken. */
#include "virtio.h"

struct virtio virtio_devices[VIRTIO_SLOTS];

void virtio_find(void)
{
    for (unsigned slot = 0; slot < VIRTIO_SLOTS; slot++) {
        virtio_devices[slot].slot = slot;
        transport_probe(&virtio_devices[slot]);
    }
}

static bool is_reset(void *device)
{
    return transport_status(device) == 0;
}

static bool give_up(struct virtio *device)
{
    transport_set_status(device, DRIVER_FAILED);
    return false;
}

/* The steps of [virtio 3.1.1], in the only order that is allowed. */
bool virtio_begin(struct virtio *device, uint64_t wanted)
{
    if (device->version != 2)
        return false;
    transport_set_status(device, 0); /* reset: forget whatever was before */
    if (!wait_until(is_reset, device, 1))
        return give_up(device);
    device->broken = false;
    transport_set_status(device, ACKNOWLEDGE);          /* we see that it is a VirtIO device */
    transport_set_status(device, ACKNOWLEDGE | DRIVER); /* and we know how to drive it */

    /* Take what both sides understand, and nothing that we do not: a feature that is not accepted
     * is one that the device must do without. */
    device->features = transport_features(device) & (wanted | VIRTIO_F_VERSION_1);
    transport_accept(device, device->features);
    transport_set_status(device, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    if (!(transport_status(device) & FEATURES_OK))
        return give_up(device); /* it cannot work without something that we left out */
    return true;
}

void virtio_go(struct virtio *device)
{
    plic_enable(VIRTIO_SOURCE(device->slot));
    transport_set_status(device, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

/* Whoever waits for a queue looks into it after waking up: nothing has to be done for one here. */
void virtio_interrupt(unsigned slot)
{
    struct virtio *device = &virtio_devices[slot];
    if (transport_acknowledge(device) & INTERRUPT_CONFIG)
        device->broken = transport_status(device) & NEEDS_RESET;
}
