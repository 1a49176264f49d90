/* Random bytes: a driver for VirtIO entropy devices, the simplest there are.  [virtio 5.4]
 *
 * There is one queue and no configuration: we hand over an empty buffer, and get it back with as
 * many bytes in it as the device felt like, though at least one. */
#include "virtio.h"

enum { REQUESTS = 0 }; /* the queue */

static struct rng {
    struct virtio *device;
    struct queue queue;
} rngs[RNG_LIMIT];
unsigned rng_count;

static bool start(struct rng *rng)
{
    if (!virtio_begin(rng->device, 0) || !queue_start(&rng->queue, rng->device, REQUESTS))
        return false;
    virtio_go(rng->device);
    return true;
}

void rng_start_all(void)
{
    struct virtio *device = NULL;
    while (rng_count < RNG_LIMIT && (device = virtio_next(device, VIRTIO_ENTROPY))) {
        rngs[rng_count].device = device;
        if (start(&rngs[rng_count]))
            virtio_name(device, "rng", rng_count++);
    }
}

/* Returns how many of the bytes have been filled; 0: the device does not answer. */
uint32_t rng_read(unsigned number, void *buffer, uint32_t length)
{
    struct rng *rng = &rngs[number];
    uint32_t written;
    if (queue_ask(&rng->queue, &(struct piece){buffer, length, true}, 1, &written))
        return written;
    start(rng); /* or it might fill the buffer one day, when that is something else */
    return 0;
}
