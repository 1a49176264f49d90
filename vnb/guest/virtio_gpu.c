/* Screens: a driver for VirtIO GPUs, in two dimensions.  [virtio 5.7]
 *
 * The picture exists twice.  We draw into pixels in our memory; a resource of the device has pixels
 * of its own, and a display shows them.  What has changed is first transferred, and then flushed:
 * both for a rectangle only, because a whole picture is millions of bytes. */
#include "screen.h"

enum { CONTROL = 0 }; /* the queue; the other one is for a pointer that the device would draw */

enum { /* requests and answers [virtio 5.7.6.7] */
    GET_DISPLAY_INFO = 0x100, RESOURCE_CREATE_2D = 0x101, RESOURCE_UNREF = 0x102,
    SET_SCANOUT = 0x103, RESOURCE_FLUSH = 0x104, TRANSFER_TO_HOST_2D = 0x105,
    RESOURCE_ATTACH_BACKING = 0x106,
    OK_NODATA = 0x1100, OK_DISPLAY_INFO = 0x1101,
};

enum { BLUE_GREEN_RED_NOTHING = 2 }; /* a pixel's bytes, in this order: 0x00rrggbb */
enum { EVENTS = 0, EVENTS_CLEAR = 4 }; /* where in the configuration [virtio 5.7.4] */
enum { RESOURCE = 1, DISPLAYS = 16, WIDEST = 8192 };

struct header {
    uint32_t type, flags;
    uint64_t fence;
    uint32_t context, padding;
};

/* Each request with its own fields after the header. */
union request {
    struct header header;
    struct { struct header header; uint32_t resource, format, width, height; } create;
    struct { struct header header; uint32_t resource, padding; } unref;
    struct {
        struct header header;
        uint32_t resource, entries;
        uint64_t address;
        uint32_t length, padding;
    } attach;
    struct { struct header header; struct rectangle area; uint32_t scanout, resource; } scanout;
    struct {
        struct header header;
        struct rectangle area;
        uint64_t offset;
        uint32_t resource, padding;
    } transfer;
    struct { struct header header; struct rectangle area; uint32_t resource, padding; } flush;
};

struct displays {
    struct header header;
    struct { struct rectangle area; uint32_t enabled, flags; } display[DISPLAYS];
};

struct screen screens[SCREEN_LIMIT];
unsigned screen_count;

static union request request;  /* one at a time, and not on the stack: see queue_ask() */
static struct displays answer; /* the longest one that there is */

static bool start(struct screen *screen)
{
    screen->width = screen->height = 0; /* a reset has taken its resource */
    if (!virtio_begin(screen->device, 0) ||
        !queue_start(&screen->control, screen->device, CONTROL))
        return false;
    virtio_go(screen->device);
    return true;
}

void screen_start_all(void)
{
    struct virtio *device = NULL;
    while (screen_count < SCREEN_LIMIT && (device = virtio_next(device, VIRTIO_GPU))) {
        screens[screen_count].device = device;
        if (start(&screens[screen_count]))
            virtio_name(device, "screen", screen_count++);
    }
}

static bool ask(struct screen *screen, uint32_t type, uint32_t length, uint32_t expected)
{
    uint32_t written;
    request.header = (struct header){.type = type};
    answer.header.type = 0;
    struct piece chain[] = {{&request, length, false}, {&answer, sizeof answer, true}};
    if (!queue_ask(&screen->control, chain, COUNT(chain), &written)) {
        start(screen);
        return false;
    }
    uint32_t least = expected == OK_DISPLAY_INFO ? sizeof answer : sizeof answer.header;
    return written >= least && answer.header.type == expected;
}

/* The first display that somebody looks at. */
static bool find_display(struct screen *screen, struct rectangle *area)
{
    screen->device->changed = false;
    virtio_set_config(screen->device, EVENTS_CLEAR, 4,
                      virtio_config(screen->device, EVENTS, 4)); /* what changed, we ask now */
    if (!ask(screen, GET_DISPLAY_INFO, sizeof request.header, OK_DISPLAY_INFO))
        return false;
    for (screen->scanout = 0; screen->scanout < DISPLAYS; screen->scanout++) {
        *area = answer.display[screen->scanout].area;
        if (answer.display[screen->scanout].enabled && area->width > 0 && area->height > 0)
            return area->width <= WIDEST && area->height <= WIDEST;
    }
    return false;
}

/* Memory is kept for good, so a picture that fits where the last one was goes there. */
static bool find_room(struct screen *screen, uint64_t pixels)
{
    if (screen->room >= pixels)
        return true;
    screen->pixels = memory_keep(pixels * sizeof *screen->pixels);
    screen->room = screen->pixels ? pixels : 0;
    return screen->pixels != NULL;
}

/* A resource of this size, with our pixels behind it, on the display. */
static bool create(struct screen *screen, uint32_t width, uint32_t height)
{
    request.create.resource = RESOURCE;
    request.create.format = BLUE_GREEN_RED_NOTHING;
    request.create.width = width;
    request.create.height = height;
    if (!ask(screen, RESOURCE_CREATE_2D, sizeof request.create, OK_NODATA))
        return false;
    request.attach.resource = RESOURCE;
    request.attach.entries = 1; /* our memory is in one piece */
    request.attach.address = (uintptr_t)screen->pixels;
    request.attach.length = width * height * (uint32_t)sizeof *screen->pixels;
    request.attach.padding = 0;
    if (!ask(screen, RESOURCE_ATTACH_BACKING, sizeof request.attach, OK_NODATA))
        return false;
    request.scanout.area = (struct rectangle){0, 0, width, height};
    request.scanout.scanout = screen->scanout;
    request.scanout.resource = RESOURCE;
    return ask(screen, SET_SCANOUT, sizeof request.scanout, OK_NODATA);
}

/* The pixels are as many as the display has now; if that has changed, the picture is a new one. */
bool screen_open(struct screen *screen)
{
    struct rectangle area;
    if (!find_display(screen, &area)) {
        print("the screen has no display that is switched on\n");
        return false;
    }
    if (area.width == screen->width && area.height == screen->height)
        return true;
    if (screen->width > 0) {
        request.unref.resource = RESOURCE;
        ask(screen, RESOURCE_UNREF, sizeof request.unref, OK_NODATA);
        screen->width = screen->height = 0;
    }
    if (!find_room(screen, (uint64_t)area.width * area.height)) {
        print("there is not enough memory for %u x %u pixels\n", area.width, area.height);
        return false;
    }
    if (!create(screen, area.width, area.height)) {
        print("the device refuses a picture of %u x %u pixels\n", area.width, area.height);
        start(screen); /* whatever of it is there now must not be in the way of the next one */
        return false;
    }
    screen->width = area.width;
    screen->height = area.height;
    return true;
}

bool screen_flush(struct screen *screen, struct rectangle damage)
{
    uint64_t first = (uint64_t)damage.y * screen->width + damage.x;
    request.transfer.area = damage;
    request.transfer.offset = first * sizeof *screen->pixels;
    request.transfer.resource = RESOURCE;
    if (!ask(screen, TRANSFER_TO_HOST_2D, sizeof request.transfer, OK_NODATA))
        return false;
    request.flush.area = damage;
    request.flush.resource = RESOURCE;
    return ask(screen, RESOURCE_FLUSH, sizeof request.flush, OK_NODATA);
}
