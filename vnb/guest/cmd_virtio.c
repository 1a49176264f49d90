/* virtio: what was agreed with each device.  devices: by what name the other commands know it. */
#include "virtio.h"

int cmd_virtio(unsigned count, char **words)
{
    (void)count, (void)words;
    for (unsigned i = 0; i < virtio_count; i++) {
        struct virtio *device = &virtio_devices[i];
        device->transport->print_place(device);
        print(" at %08lx irq %u: %s (device %u)", device->registers, device->source,
              virtio_kind(device->id), device->id);
        if (device->version != 2)
            print(", version %u: labos speaks only version 2\n", device->version);
        else
            print(", status 0x%02x, offers %lx, accepted %lx\n", device->transport->status(device),
                  device->transport->features(device), device->features);
    }
    if (virtio_count == 0)
        print("there is no VirtIO device\n");
    return 0;
}

int cmd_devices(unsigned count, char **words)
{
    (void)count, (void)words;
    for (unsigned i = 0; i < virtio_count; i++) {
        const struct virtio *device = &virtio_devices[i];
        if (device->name)
            print("%-7s %-2u  ", device->name, device->number);
        else
            print("no driver   ");
        print("%-8s irq %-3u ", virtio_kind(device->id), device->source);
        device->transport->print_place(device);
        print("%s\n", device->broken ? "  broken" : "");
    }
    if (virtio_count == 0)
        print("there is no VirtIO device\n");
    return 0;
}
