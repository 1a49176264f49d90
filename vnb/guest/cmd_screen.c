/* screen: which there are, and a picture for them. */
#include "screen.h"

static unsigned current; /* the screen that the commands are about */

static bool there_is_one(void)
{
    if (screen_count == 0)
        print("there is no screen: labos found no VirtIO GPU that it can drive\n");
    return screen_count > 0;
}

struct screen *screen_current(void)
{
    return there_is_one() && screen_open(&screens[current]) ? &screens[current] : NULL;
}

int cmd_screen_info(unsigned count, char **words)
{
    (void)count, (void)words;
    if (!there_is_one())
        return FAILED;
    for (unsigned i = 0; i < screen_count; i++) {
        struct screen *screen = &screens[i];
        print("%c screen %u in ", i == current ? '*' : ' ', i);
        screen->device->transport->print_place(screen->device);
        print(": ");
        if (screen_open(screen))
            print("%u x %u pixels\n", screen->width, screen->height);
    }
    return 0;
}

static int cmd_use(unsigned count, char **words)
{
    (void)count;
    uint64_t chosen;
    if (!there_is_one())
        return FAILED;
    if (!number(words[1], "SCREEN", 0, screen_count - 1, &chosen))
        return USAGE;
    current = (unsigned)chosen;
    return 0;
}

static int cmd_card(unsigned count, char **words)
{
    (void)count, (void)words;
    struct screen *screen = screen_current();
    if (!screen)
        return FAILED;
    draw_card(screen);
    if (screen_flush(screen, (struct rectangle){0, 0, screen->width, screen->height}))
        return 0;
    print("the screen does not show it\n");
    return FAILED;
}

const struct command screen_commands[] = {
    {"info",   cmd_screen_info, 0, 0, "", "all screens, a * before the one in use"},
    {"use",    cmd_use,         1, 1, "SCREEN", "let the other commands be about this one"},
    {"card",   cmd_card,        0, 0, "", "draw a test card"},
    {"follow", cmd_follow,      0, 1, "[COUNT]", "follow the tablet with a pointer"},
    {0},
};
