/* Keyboards, mice, tablets: a driver for VirtIO input devices.  [virtio 5.8]
 *
 * The device fills a buffer of eight bytes for each event; what happened at the same time ends with
 * an EV_SYN.  What the device is and can do stands in its configuration, which is a window: we
 * select what we want to see, and the device says how many bytes of that there are. */
#include "input.h"

enum { EVENTS = 0, STATUS = 1 }; /* the queues */

enum { SELECT = 0, SUBSELECT = 1, SIZE = 2, DATA = 8, DATA_SIZE = 128 }; /* [virtio 5.8.4] */
enum { ID_NAME = 0x01, ABS_INFO = 0x12 };                                /* what to select */

struct input inputs[INPUT_LIMIT];
unsigned input_count;

static uint32_t look(struct input *input, unsigned select, unsigned subselect)
{
    virtio_set_config(input->device, SELECT, 1, select);
    virtio_set_config(input->device, SUBSELECT, 1, subselect);
    uint32_t size = (uint32_t)virtio_config(input->device, SIZE, 1);
    return size < DATA_SIZE ? size : DATA_SIZE;
}

static void read_name(struct input *input)
{
    uint32_t length = look(input, ID_NAME, 0);
    if (length > INPUT_NAME - 1)
        length = INPUT_NAME - 1;
    for (uint32_t i = 0; i < length; i++)
        input->name[i] = (char)virtio_config(input->device, DATA + i, 1);
    input->name[length] = 0;
}

static bool start(struct input *input)
{
    if (!virtio_begin(input->device, 0) || !queue_start(&input->events, input->device, EVENTS) ||
        !queue_start(&input->status, input->device, STATUS))
        return false;
    read_name(input);
    virtio_go(input->device);
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        queue_give(&input->events, &input->buffers[i], sizeof input->buffers[i]);
    queue_notify(&input->events);
    return true;
}

void input_start_all(void)
{
    struct virtio *device = NULL;
    while (input_count < INPUT_LIMIT && (device = virtio_next(device, VIRTIO_INPUT))) {
        inputs[input_count].device = device;
        if (start(&inputs[input_count]))
            virtio_name(device, "input", input_count++);
    }
}

bool input_waiting(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < input_count; i++)
        if (queue_has_used(&inputs[i].events))
            return true;
    return false;
}

struct input *input_next(struct input_event *event)
{
    for (struct input *input = inputs; input < inputs + input_count; input++) {
        uint32_t length;
        struct input_event *buffer = queue_take(&input->events, &length);
        if (!buffer)
            continue;
        *event = *buffer;
        queue_give(&input->events, buffer, sizeof *buffer);
        queue_notify(&input->events);
        if (length == sizeof *event)
            return input;
    }
    return NULL;
}

/* And whoever broke the rules since gets another chance. */
void input_forget(void)
{
    struct input_event event;
    for (struct input *input = inputs; input < inputs + input_count; input++)
        if (input->device->broken)
            start(input);
    while (input_waiting(NULL))
        input_next(&event);
}

/* From where to where the axis of a tablet goes. */
bool input_range(struct input *input, unsigned axis, uint32_t *least, uint32_t *most)
{
    if (look(input, ABS_INFO, axis) < 8)
        return false;
    *least = (uint32_t)virtio_config(input->device, DATA, 4);
    *most = (uint32_t)virtio_config(input->device, DATA + 4, 4);
    return (int32_t)*least < (int32_t)*most;
}

/* The status queue goes the other way: so do a keyboard's lights learn what to show. */
bool input_led(struct input *input, unsigned led, bool on)
{
    static struct input_event event;
    uint32_t written;
    event = (struct input_event){EV_LED, (uint16_t)led, on};
    if (queue_ask(&input->status, &(struct piece){&event, sizeof event, false}, 1, &written))
        return true;
    start(input);
    return false;
}
