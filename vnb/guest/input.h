/* Keyboards, mice, tablets: what virtio_input.c offers. */
#pragma once

#include "virtio.h"

enum { INPUT_LIMIT = 8, INPUT_NAME = 64 };

enum { /* kinds of events, with Linux's numbers  [virtio 5.8.5] */
    EV_SYN = 0,
    EV_KEY = 1,
    EV_REL = 2,
    EV_ABS = 3,
    EV_LED = 17,
};

enum { ABS_X = 0, ABS_Y = 1, REL_X = 0, REL_Y = 1, BTN_LEFT = 0x110, BTN_TOUCH = 0x14a };

struct input_event { /* [virtio 5.8.6.2] */
    uint16_t type, code;
    uint32_t value;
};

struct input {
    struct virtio *device;
    struct queue events, status;
    struct input_event buffers[QUEUE_SIZE];
    char name[INPUT_NAME];
};
extern struct input inputs[INPUT_LIMIT];
extern unsigned input_count;

/* virtio_input.c */
void input_start_all(void);
bool input_waiting(void *unused);           /* some device has an event */
struct input *input_next(struct input_event *event); /* whose it is; NULL: there is none */
void input_forget(void);                    /* all events so far */
bool input_range(struct input *input, unsigned axis, uint32_t *least, uint32_t *most);
bool input_led(struct input *input, unsigned led, bool on);

/* input_names.c: as Linux has them, or NULL */
const char *input_type_name(unsigned type);
const char *input_code_name(unsigned type, unsigned code);
