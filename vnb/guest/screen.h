/* Screens: what virtio_gpu.c offers, and what is drawn on them. */
#pragma once

#include "virtio.h"

enum { SCREEN_LIMIT = 4 };

struct rectangle { uint32_t x, y, width, height; }; /* [virtio 5.7.6.7] */

struct screen {
    struct virtio *device;
    struct queue control;
    uint32_t scanout;           /* which of the device's displays */
    uint32_t width, height;
    uint32_t *pixels;           /* width * height of them, 0x00rrggbb; NULL: not opened yet */
    uint64_t room;              /* how many there is memory for */
};
extern struct screen screens[SCREEN_LIMIT];
extern unsigned screen_count;

/* virtio_gpu.c */
void screen_start_all(void);
bool screen_open(struct screen *screen); /* false, having said why: there are no pixels */
bool screen_flush(struct screen *screen, struct rectangle damage); /* show what was drawn there */

/* draw.c */
enum { POINTER_WIDTH = 12, POINTER_HEIGHT = 18 };
void draw_card(struct screen *screen);
void draw_dot(struct screen *screen, uint32_t x, uint32_t y);
struct rectangle pointer_place(const struct screen *screen, uint32_t x, uint32_t y);
void pointer_show(struct screen *screen, struct rectangle place);
void pointer_hide(struct screen *screen, struct rectangle place); /* what was there before */

/* screen_follow.c */
int cmd_follow(unsigned count, char **words);
struct screen *screen_current(void); /* opened; NULL, having said why, if there is none */
