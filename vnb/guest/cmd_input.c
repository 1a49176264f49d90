/* input: what people do to the keyboards, mice and tablets, event by event. */
#include "input.h"

static void print_event(const struct input *input, const struct input_event *event)
{
    const char *type = input_type_name(event->type);
    const char *code = input_code_name(event->type, event->code);
    print("input %u: ", (unsigned)(input - inputs));
    if (type)
        print("%s ", type);
    else
        print("type %u ", event->type);
    if (code)
        print("%s ", code);
    else
        print("%u ", event->code);
    if (event->type == EV_KEY)
        print("%s\n", event->value == 0 ? "up" : event->value == 1 ? "down" : "again");
    else
        print("%d\n", (int32_t)event->value);
}

static bool event_or_key(void *unused)
{
    return input_waiting(unused) || uart_has_input();
}

/* COUNT is in groups of events: each ends with an EV_SYN. */
int cmd_input(unsigned count, char **words)
{
    uint64_t groups = UINT64_MAX;
    struct input_event event;
    if (count > 1 && !number(words[1], "COUNT", 1, UINT32_MAX, &groups))
        return USAGE;
    if (input_count == 0) {
        print("there is no VirtIO input device\n");
        return FAILED;
    }
    for (unsigned i = 0; i < input_count; i++)
        print("input %u: %s\n", i, inputs[i].name);
    input_forget();
    print("what they say, until a key is pressed here:\n");
    while (groups > 0) {
        struct input *input = input_next(&event);
        if (input) {
            print_event(input, &event);
            groups -= event.type == EV_SYN;
        } else if (key_pressed()) {
            break;
        } else {
            command_wait(event_or_key, NULL, FOREVER);
        }
    }
    return stopped() ? STOPPED : 0;
}

static int cmd_leds(unsigned count, char **words)
{
    uint64_t device, bits;
    (void)count;
    if (input_count == 0) {
        print("there is no VirtIO input device\n");
        return FAILED;
    }
    if (!number(words[1], "DEVICE", 0, input_count - 1, &device) ||
        !number(words[2], "BITS", 0, 7, &bits))
        return USAGE;
    for (unsigned led = 0; led < 3; led++)
        if (!input_led(&inputs[device], led, bits >> led & 1)) {
            print("the device does not answer\n");
            return FAILED;
        }
    return 0;
}

const struct command input_commands[] = {
    {"show", cmd_input, 0, 1, "[COUNT]", "events, until a key is pressed here"},
    {"leds", cmd_leds,  2, 2, "DEVICE BITS", "a keyboard's lights: 1 num, 2 caps, 4 scroll"},
    {0},
};
