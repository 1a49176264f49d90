/* Network cards: a driver for VirtIO network devices.  [virtio 5.1]
 *
 * There is a queue for each direction, and every frame has a header of twelve bytes before it.  A
 * header of zeros says that nobody has left work for the other to do: no checksum to fill in, no
 * large segment to cut.  labos asks for none of that. */
#include "net.h"

enum { F_MTU = 3, F_MAC = 5, F_STATUS = 16 };                 /* [virtio 5.1.3] */
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_MTU = 10 };  /* [virtio 5.1.4] */
enum { STATUS_LINK_UP = 1 };
enum { RECEIVE = 0, TRANSMIT = 1 };                           /* the queues */

struct header { /* [virtio 5.1.6] */
    uint8_t flags, segmentation;
    uint16_t header_length, segment_size, checksum_start, checksum_offset;
    uint16_t buffers;
};

/* A buffer for each descriptor of the receive queue.  They are always with the device, except
 * for the moment in which we look at what is in one. */
struct buffer {
    struct header header;
    uint8_t frame[FRAME_LIMIT];
};

struct net nets[NET_LIMIT];
unsigned net_count;

static struct buffer received[NET_LIMIT][QUEUE_SIZE] NOT_ZEROED;

static void give(struct net *net, struct buffer *buffer)
{
    queue_give(&net->receive, buffer, sizeof *buffer);
}

static bool start(struct net *net)
{
    if (!virtio_begin(net->device, FEATURE(F_MTU) | FEATURE(F_MAC) | FEATURE(F_STATUS)) ||
        !queue_start(&net->receive, net->device, RECEIVE) ||
        !queue_start(&net->transmit, net->device, TRANSMIT))
        return false;
    /* A card without an address of its own gets one: 02 says that we made it up. */
    uint8_t made_up[MAC] = {0x02, 'l', 'a', 'b', 's', (uint8_t)(net - nets)};
    memcpy(net->mac, made_up, MAC);
    for (unsigned i = 0; i < MAC && net->device->features & FEATURE(F_MAC); i++)
        net->mac[i] = (uint8_t)virtio_config(net->device, CONFIG_MAC + i, 1);
    virtio_go(net->device);
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        give(net, &received[net - nets][i]);
    queue_notify(&net->receive);
    return true;
}

void net_start_all(void)
{
    struct virtio *device = NULL;
    while (net_count < NET_LIMIT && (device = virtio_next(device, VIRTIO_NET))) {
        nets[net_count].device = device;
        if (start(&nets[net_count]))
            virtio_name(device, "net", net_count++);
    }
}

bool net_link(const struct net *net)
{
    return !(net->device->features & FEATURE(F_STATUS)) ||
           virtio_config(net->device, CONFIG_STATUS, 2) & STATUS_LINK_UP;
}

bool net_has_frames(void)
{
    for (unsigned i = 0; i < net_count; i++)
        if (queue_has_used(&nets[i].receive))
            return true;
    return false;
}

/* How long a packet may be, if the network takes fewer bytes than Ethernet itself. */
size_t net_limit(const struct net *net)
{
    uint64_t limit = PACKET_LIMIT;
    if (net->device->features & FEATURE(F_MTU))
        limit = virtio_config(net->device, CONFIG_MTU, 2);
    return limit < PACKET_LIMIT ? limit : PACKET_LIMIT;
}

/* The frame is copied, because it must not change before the device has sent it.  One is on its way
 * at a time: what the device is slow to send, we are slow to hand over. */
bool net_send(struct net *net, const void *frame, size_t length)
{
    static struct buffer buffer;
    uint32_t written;
    if (length > FRAME_LIMIT)
        return false;
    memcpy(buffer.frame, frame, length);
    struct piece piece = {&buffer, (uint32_t)(sizeof buffer.header + length), false};
    if (queue_ask(&net->transmit, &piece, 1, &written)) {
        net->sent++;
        return true;
    }
    start(net); /* a reset: the buffer is needed for the next frame */
    return false;
}

const uint8_t *net_receive(struct net *net, size_t *length)
{
    uint32_t written;
    struct buffer *buffer = queue_take(&net->receive, &written);
    if (!buffer)
        return NULL;
    net->received++;
    *length = written > sizeof buffer->header ? written - sizeof buffer->header : 0;
    return buffer->frame;
}

void net_release(struct net *net, const uint8_t *frame)
{
    give(net, (struct buffer *)(frame - offsetof(struct buffer, frame)));
    queue_notify(&net->receive);
}
