/* virtio: which device is in which slot, and what was agreed with it. */
#include "virtio.h"

/* [virtio 5] */
static const char *device_name(uint32_t id)
{
    static const char *const names[] = {
        [0] = "empty", [1] = "network", [2] = "block",  [3] = "console", [4] = "entropy",
        [9] = "9P",    [16] = "GPU",    [18] = "input",
    };
    return id < COUNT(names) && names[id] ? names[id] : "unknown";
}

int cmd_virtio(unsigned count, char **words)
{
    (void)count, (void)words;
    unsigned devices = 0;
    for (unsigned slot = 0; slot < VIRTIO_SLOTS; slot++) {
        struct virtio *device = &virtio_devices[slot];
        if (device->id == VIRTIO_ABSENT)
            continue;
        devices++;
        print("slot %u at %08lx irq %u: %s (device %u)", slot, VIRTIO + slot * VIRTIO_SLOT_SIZE,
              VIRTIO_SOURCE(slot), device_name(device->id), device->id);
        if (device->version != 2)
            print(", version %u: labos speaks only version 2\n", device->version);
        else
            print(", status 0x%02x, offers %lx, accepted %lx\n", transport_status(device),
                  transport_features(device), device->features);
    }
    if (devices == 0)
        print("no VirtIO device in any slot\n");
    return 0;
}
