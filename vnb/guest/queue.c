/* A split virtqueue: how requests go to a device, and come back done.  [virtio 2.7]
 *
 *     descriptors   each names one piece of memory, and perhaps the next one: a chain is a request
 *     avail ring    the driver writes here which chains are for the device
 *     used ring     the device writes here which chains it is done with, in any order
 *
 * Both ring indices count up for ever and wrap at 65536; only their use as a place in the ring is
 * taken modulo the ring's size.  Chains are lent: the driver may not touch their memory between
 * queue_add() and queue_take().
 *
 * A device is not to be trusted more than any other stranger: what it says of a chain is compared
 * with what we know of it, and one that does not fit ends the device (until its next reset). */
#include "virtio.h"

enum { NEXT = 1, DEVICE_WRITES = 2 }; /* descriptor.flags */
enum { NO_NOTIFY = 1 };               /* used.flags */

/* Memory and device registers are seen by the device in the order in which we write them only where
 * there is a fence between them. */
static void fence(void)
{
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

bool queue_start(struct queue *queue, struct virtio *device, unsigned number)
{
    uint32_t limit = device->transport->queue_limit(device, number);
    if (limit == 0)
        return false;
    memset(queue, 0, sizeof *queue);
    queue->device = device;
    queue->number = (uint16_t)number;
    queue->size = (uint16_t)(limit < QUEUE_SIZE ? limit : QUEUE_SIZE);
    while (queue->size & (queue->size - 1))
        queue->size &= queue->size - 1; /* only a power of two divides 65536 */
    queue->free_count = queue->size;
    for (uint16_t i = 0; i < queue->size; i++)
        queue->descriptors[i].next = i + 1;
    fence(); /* the device must not see the queue before it is empty */
    return device->transport->set_queue(queue);
}

bool queue_has_used(const struct queue *queue)
{
    return queue->device && !queue->device->broken && queue->seen != queue->used.index;
}

/* What the device reads must come before what it writes. */
bool queue_add(struct queue *queue, const struct piece *pieces, unsigned count)
{
    if (queue->free_count == queue->size && queue_has_used(queue))
        queue->device->broken = true; /* it is done with something, and it has nothing of ours */
    if (count > queue->free_count || queue->device->broken)
        return false;
    uint16_t head = queue->free;
    struct descriptor *descriptor = NULL;
    struct lent *lent = &queue->lent[head];
    *lent = (struct lent){.out = true};
    for (unsigned i = 0; i < count; i++) {
        descriptor = &queue->descriptors[queue->free];
        descriptor->address = (uintptr_t)pieces[i].data;
        descriptor->length = pieces[i].length;
        descriptor->flags = NEXT | (pieces[i].device_writes ? DEVICE_WRITES : 0);
        lent->room += pieces[i].device_writes ? pieces[i].length : 0;
        queue->free = descriptor->next; /* the free ones are already a chain */
    }
    descriptor->flags &= (uint16_t)~NEXT;
    queue->free_count -= (uint16_t)count;

    queue->avail.ring[queue->avail.index % queue->size] = head;
    fence(); /* the entry must be there before the index says so */
    queue->avail.index = queue->avail.index + 1;
    return true;
}

bool queue_give(struct queue *queue, void *buffer, uint32_t length)
{
    return queue_add(queue, &(struct piece){buffer, length, true}, 1);
}

void queue_notify(struct queue *queue)
{
    fence(); /* the index must be there before we look whether the device wants to be told of it */
    if (!(queue->used.flags & NO_NOTIFY))
        queue->device->transport->notify(queue);
}

/* Takes back the next chain that the device is done with: returns the address of its first piece,
 * and how many bytes the device wrote into all of them. */
void *queue_take(struct queue *queue, uint32_t *written)
{
    if (!queue_has_used(queue))
        return NULL;
    fence(); /* the entry is valid only after the index has said so */
    uint32_t head = queue->used.ring[queue->seen % queue->size].id;
    *written = queue->used.ring[queue->seen % queue->size].length;
    queue->seen++;
    if (head >= queue->size || !queue->lent[head].out) {
        queue->device->broken = true; /* we never gave it such a chain, or have it back already */
        return NULL;
    }
    struct lent *lent = &queue->lent[head];
    if (*written > lent->room)
        *written = lent->room; /* more than that it cannot have written */
    lent->out = false;

    uint16_t last = (uint16_t)head;
    for (queue->free_count++; queue->descriptors[last].flags & NEXT; queue->free_count++)
        last = queue->descriptors[last].next;
    queue->descriptors[last].next = queue->free;
    queue->free = (uint16_t)head;
    return (void *)queue->descriptors[head].address;
}

static bool done_or_broken(void *queue)
{
    return queue_has_used(queue) || ((struct queue *)queue)->device->broken;
}

/* Ten seconds are an eternity for a device, but its host may be a laptop that was asleep. */
bool queue_wait(struct queue *queue)
{
    enum { PATIENCE = 10000 };
    return wait_until(done_or_broken, queue, PATIENCE) && queue_has_used(queue);
}

/* One request, and its answer.  For queues on which there is never more than that; false if the
 * device did not answer, and then only a reset gets the memory of the request back from it. */
bool queue_ask(struct queue *queue, const struct piece *pieces, unsigned count, uint32_t *written)
{
    if (!queue_add(queue, pieces, count))
        return false;
    queue_notify(queue);
    return queue_wait(queue) && queue_take(queue, written);
}
