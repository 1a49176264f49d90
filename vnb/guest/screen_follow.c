/* screen follow: a pointer where the tablet is, or the mouse has gone; a button held down draws.
 *
 * Only two small rectangles change each time: where the pointer was, and where it is. */
#include "input.h"
#include "screen.h"

static struct pointer {
    uint32_t x, y;
    bool drawing;
    struct rectangle place; /* where it is to be seen */
} pointer;

/* From the axis of a tablet to pixels. */
static uint32_t scaled(struct input *input, unsigned axis, uint32_t value, uint32_t pixels)
{
    uint32_t least, most;
    if (!input_range(input, axis, &least, &most) || (int32_t)value < (int32_t)least)
        return 0;
    uint64_t from_least = value - least, range = most - least;
    return from_least < range ? (uint32_t)(from_least * (pixels - 1) / range) : pixels - 1;
}

static uint32_t moved(uint32_t place, uint32_t by, uint32_t pixels)
{
    int64_t to = (int64_t)place + (int32_t)by;
    return to < 0 ? 0 : to < pixels ? (uint32_t)to : pixels - 1;
}

static void take(const struct screen *screen, struct input *input, const struct input_event *event)
{
    bool across = event->code == ABS_X; /* REL_X is the same number */
    if (event->type == EV_KEY && (event->code == BTN_LEFT || event->code == BTN_TOUCH))
        pointer.drawing = event->value != 0;
    if ((event->type != EV_ABS && event->type != EV_REL) || event->code > ABS_Y)
        return;
    uint32_t *place = across ? &pointer.x : &pointer.y;
    uint32_t pixels = across ? screen->width : screen->height;
    *place = event->type == EV_ABS ? scaled(input, event->code, event->value, pixels)
                                   : moved(*place, event->value, pixels);
}

static bool show(struct screen *screen)
{
    struct rectangle before = pointer.place;
    pointer_hide(screen, before);
    if (pointer.drawing)
        draw_dot(screen, pointer.x, pointer.y);
    pointer.place = pointer_place(screen, pointer.x, pointer.y);
    pointer_show(screen, pointer.place);
    return screen_flush(screen, before) && screen_flush(screen, pointer.place);
}

/* The first picture, and again whenever the display has changed its size. */
static bool begin(struct screen *screen)
{
    draw_card(screen);
    pointer = (struct pointer){.x = screen->width / 2, .y = screen->height / 2};
    pointer.place = pointer_place(screen, pointer.x, pointer.y);
    pointer_show(screen, pointer.place);
    return screen_flush(screen, (struct rectangle){0, 0, screen->width, screen->height});
}

static bool something_happened(void *screen)
{
    return input_waiting(NULL) || uart_has_input() || ((struct screen *)screen)->device->changed;
}

int cmd_follow(unsigned count, char **words)
{
    uint64_t groups = UINT64_MAX;
    struct input_event event;
    struct input *input;
    if (count > 1 && !number(words[1], "COUNT", 1, UINT32_MAX, &groups))
        return USAGE;
    struct screen *screen = screen_current();
    if (!screen)
        return FAILED;
    input_forget();
    bool good = begin(screen);
    print("%u x %u pixels, until a key is pressed here:\n", screen->width, screen->height);
    while (good && groups > 0 && !key_pressed()) {
        if (screen->device->changed) {
            good = screen_open(screen) && begin(screen);
        } else if ((input = input_next(&event))) {
            take(screen, input, &event);
            if (event.type == EV_SYN) { /* all that happened at the same time has been told */
                groups--;
                good = show(screen);
            }
        } else {
            command_wait(something_happened, screen, FOREVER);
        }
    }
    if (!good)
        print("the screen does not show it\n");
    return stopped() ? STOPPED : good ? 0 : FAILED;
}
