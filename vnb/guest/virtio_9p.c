/* Shares: a driver for VirtIO 9P transports.
 *
 * The specification only gives the device its number, 9; that it has one queue, and its name in the
 * configuration, is what QEMU and Linux do.  A request is a chain of two: our message, and room for
 * the answer. */
#include "ninep.h"

enum { F_MOUNT_TAG = 0 };
enum { TAG_LENGTH = 0, TAG = 2 }; /* where in the configuration */

struct share shares[SHARE_LIMIT];
unsigned share_count;

static void read_tag(struct share *share)
{
    uint64_t length = virtio_config(share->device, TAG_LENGTH, 2);
    if (length > SHARE_TAG - 1)
        length = SHARE_TAG - 1;
    for (unsigned i = 0; i < length; i++)
        share->tag[i] = (char)virtio_config(share->device, TAG + i, 1);
    share->tag[length] = 0;
}

static bool start(struct share *share)
{
    share->attached = false;
    if (!virtio_begin(share->device, FEATURE(F_MOUNT_TAG)) ||
        !queue_start(&share->queue, share->device, 0))
        return false;
    if (share->device->features & FEATURE(F_MOUNT_TAG))
        read_tag(share);
    virtio_go(share->device);
    return true;
}

void share_start_all(void)
{
    struct virtio *device = NULL;
    while (share_count < SHARE_LIMIT && (device = virtio_next(device, VIRTIO_9P))) {
        shares[share_count].device = device;
        if (start(&shares[share_count]))
            virtio_name(device, "share", share_count++);
    }
}

uint32_t share_ask(struct share *share, const void *request, uint32_t length, void *reply)
{
    uint32_t written;
    struct piece chain[] = {{request, length, false}, {reply, MESSAGE_LIMIT, true}};
    if (queue_ask(&share->queue, chain, COUNT(chain), &written))
        return written;
    start(share); /* what was open there is not any more */
    return 0;
}
