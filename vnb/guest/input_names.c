/* What Linux calls the events of input devices; VirtIO has taken its numbers over.  [virtio 5.8] */
#include "input.h"

static const char *const key_names[] = { /* from code 0 */
    NULL, "KEY_ESC", "KEY_1", "KEY_2", "KEY_3", "KEY_4", "KEY_5", "KEY_6", "KEY_7",
    "KEY_8", "KEY_9", "KEY_0", "KEY_MINUS", "KEY_EQUAL", "KEY_BACKSPACE", "KEY_TAB", "KEY_Q",
    "KEY_W", "KEY_E", "KEY_R", "KEY_T", "KEY_Y", "KEY_U", "KEY_I", "KEY_O", "KEY_P",
    "KEY_LEFTBRACE", "KEY_RIGHTBRACE", "KEY_ENTER", "KEY_LEFTCTRL", "KEY_A", "KEY_S", "KEY_D",
    "KEY_F", "KEY_G", "KEY_H", "KEY_J", "KEY_K", "KEY_L", "KEY_SEMICOLON", "KEY_APOSTROPHE",
    "KEY_GRAVE", "KEY_LEFTSHIFT", "KEY_BACKSLASH", "KEY_Z", "KEY_X", "KEY_C", "KEY_V", "KEY_B",
    "KEY_N", "KEY_M", "KEY_COMMA", "KEY_DOT", "KEY_SLASH", "KEY_RIGHTSHIFT", "KEY_KPASTERISK",
    "KEY_LEFTALT", "KEY_SPACE", "KEY_CAPSLOCK", "KEY_F1", "KEY_F2", "KEY_F3", "KEY_F4", "KEY_F5",
    "KEY_F6", "KEY_F7", "KEY_F8", "KEY_F9", "KEY_F10", "KEY_NUMLOCK", "KEY_SCROLLLOCK", "KEY_KP7",
    "KEY_KP8", "KEY_KP9", "KEY_KPMINUS", "KEY_KP4", "KEY_KP5", "KEY_KP6", "KEY_KPPLUS", "KEY_KP1",
    "KEY_KP2", "KEY_KP3", "KEY_KP0", "KEY_KPDOT", NULL, "KEY_ZENKAKUHANKAKU", "KEY_102ND",
    "KEY_F11", "KEY_F12", "KEY_RO", "KEY_KATAKANA", "KEY_HIRAGANA", "KEY_HENKAN",
    "KEY_KATAKANAHIRAGANA", "KEY_MUHENKAN", "KEY_KPJPCOMMA", "KEY_KPENTER", "KEY_RIGHTCTRL",
    "KEY_KPSLASH", "KEY_SYSRQ", "KEY_RIGHTALT", "KEY_LINEFEED", "KEY_HOME", "KEY_UP", "KEY_PAGEUP",
    "KEY_LEFT", "KEY_RIGHT", "KEY_END", "KEY_DOWN", "KEY_PAGEDOWN", "KEY_INSERT", "KEY_DELETE",
    "KEY_MACRO", "KEY_MUTE", "KEY_VOLUMEDOWN", "KEY_VOLUMEUP", "KEY_POWER", "KEY_KPEQUAL",
    "KEY_KPPLUSMINUS", "KEY_PAUSE", "KEY_SCALE", "KEY_KPCOMMA", "KEY_HANGEUL", "KEY_HANJA",
    "KEY_YEN", "KEY_LEFTMETA", "KEY_RIGHTMETA", "KEY_COMPOSE",
};

static const char *const button_names[] = { /* from code 0x110, mice */
    "BTN_LEFT", "BTN_RIGHT", "BTN_MIDDLE", "BTN_SIDE", "BTN_EXTRA", "BTN_FORWARD", "BTN_BACK",
    "BTN_TASK",
};

static const char *const pen_names[] = { /* from code 0x140, tablets */
    "BTN_TOOL_PEN", "BTN_TOOL_RUBBER", "BTN_TOOL_BRUSH", "BTN_TOOL_PENCIL", "BTN_TOOL_AIRBRUSH",
    "BTN_TOOL_FINGER", "BTN_TOOL_MOUSE", "BTN_TOOL_LENS", "BTN_TOOL_QUINTTAP", "BTN_STYLUS3",
    "BTN_TOUCH", "BTN_STYLUS", "BTN_STYLUS2", "BTN_TOOL_DOUBLETAP", "BTN_TOOL_TRIPLETAP",
    "BTN_TOOL_QUADTAP",
};

static const char *const relative_names[] = {
    "REL_X", "REL_Y", "REL_Z", "REL_RX", "REL_RY", "REL_RZ", "REL_HWHEEL", "REL_DIAL", "REL_WHEEL",
    "REL_MISC", "REL_RESERVED", "REL_WHEEL_HI_RES", "REL_HWHEEL_HI_RES",
};

static const char *const absolute_names[] = {
    "ABS_X", "ABS_Y", "ABS_Z", "ABS_RX", "ABS_RY", "ABS_RZ", "ABS_THROTTLE", "ABS_RUDDER",
    "ABS_WHEEL", "ABS_GAS", "ABS_BRAKE", NULL,
};

static const char *const touch_names[] = { /* from axis 0x2f, several fingers */
    "ABS_MT_SLOT", "ABS_MT_TOUCH_MAJOR", "ABS_MT_TOUCH_MINOR", "ABS_MT_WIDTH_MAJOR",
    "ABS_MT_WIDTH_MINOR", "ABS_MT_ORIENTATION", "ABS_MT_POSITION_X", "ABS_MT_POSITION_Y",
    "ABS_MT_TOOL_TYPE", "ABS_MT_BLOB_ID", "ABS_MT_TRACKING_ID", "ABS_MT_PRESSURE",
    "ABS_MT_DISTANCE", "ABS_MT_TOOL_X", "ABS_MT_TOOL_Y",
};

static const char *const led_names[] = {
    "LED_NUML", "LED_CAPSL", "LED_SCROLLL", "LED_COMPOSE", "LED_KANA",
};

static const char *const syn_names[] = {
    "SYN_REPORT", "SYN_CONFIG", "SYN_MT_REPORT", "SYN_DROPPED",
};

static const struct range {
    unsigned type, first, count;
    const char *const *names;
} ranges[] = {
    {EV_SYN, 0, COUNT(syn_names), syn_names},
    {EV_KEY, 0, COUNT(key_names), key_names},
    {EV_KEY, 0x110, COUNT(button_names), button_names},
    {EV_KEY, 0x140, COUNT(pen_names), pen_names},
    {EV_REL, 0, COUNT(relative_names), relative_names},
    {EV_ABS, 0, COUNT(absolute_names), absolute_names},
    {EV_ABS, 0x2f, COUNT(touch_names), touch_names},
    {EV_LED, 0, COUNT(led_names), led_names},
};

const char *input_type_name(unsigned type)
{
    switch (type) {
    case EV_SYN: return "EV_SYN";
    case EV_KEY: return "EV_KEY";
    case EV_REL: return "EV_REL";
    case EV_ABS: return "EV_ABS";
    case EV_LED: return "EV_LED";
    default: return NULL;
    }
}

const char *input_code_name(unsigned type, unsigned code)
{
    for (const struct range *range = ranges; range < ranges + COUNT(ranges); range++)
        if (range->type == type && code >= range->first && code - range->first < range->count)
            return range->names[code - range->first];
    return NULL;
}
