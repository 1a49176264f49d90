"""The numbers and names of Linux's input events, and which keys type which character."""

from vnb.errors import UsageError

# Kinds of events, and what ends a group of them.
EV_SYN, EV_KEY, EV_REL, EV_ABS, EV_LED, EV_REP = 0x00, 0x01, 0x02, 0x03, 0x11, 0x14
SYN_REPORT = 0

# What moves, and where.
REL_X, REL_Y, REL_WHEEL = 0x00, 0x01, 0x08
ABS_X, ABS_Y = 0x00, 0x01
ABS_MT_SLOT, ABS_MT_POSITION_X, ABS_MT_POSITION_Y, ABS_MT_TRACKING_ID = 0x2F, 0x35, 0x36, 0x39

BUTTONS = (0x110, 0x111, 0x112, 0x113, 0x114)
"""BTN_LEFT, RIGHT, MIDDLE, SIDE, EXTRA: bit 0 of a number of buttons is the first."""

BTN_TOUCH = 0x14A
INPUT_PROP_DIRECT = 0x01  # what is touched is what is seen
REPEATS = (0, 1)  # REP_DELAY, REP_PERIOD: the guest repeats a key that is held down

LEDS = ("NUML", "CAPSL", "SCROLLL", "COMPOSE", "KANA")
"""A keyboard's lights by their numbers, without the LED_ in front."""

# Names without the KEY_ in front; each row counts on from its first number.
_ROWS = {
    1: "ESC 1 2 3 4 5 6 7 8 9 0 MINUS EQUAL BACKSPACE",
    15: "TAB Q W E R T Y U I O P LEFTBRACE RIGHTBRACE ENTER",
    29: "LEFTCTRL A S D F G H J K L SEMICOLON APOSTROPHE GRAVE",
    42: "LEFTSHIFT BACKSLASH Z X C V B N M COMMA DOT SLASH RIGHTSHIFT",
    55: "KPASTERISK LEFTALT SPACE CAPSLOCK F1 F2 F3 F4 F5 F6 F7 F8 F9 F10",
    69: "NUMLOCK SCROLLLOCK KP7 KP8 KP9 KPMINUS KP4 KP5 KP6 KPPLUS KP1 KP2 KP3 KP0 KPDOT",
    85: "ZENKAKUHANKAKU 102ND F11 F12 RO KATAKANA HIRAGANA HENKAN KATAKANAHIRAGANA MUHENKAN",
    95: "KPJPCOMMA KPENTER RIGHTCTRL KPSLASH SYSRQ RIGHTALT LINEFEED",
    102: "HOME UP PAGEUP LEFT RIGHT END DOWN PAGEDOWN INSERT DELETE",
    112: "MACRO MUTE VOLUMEDOWN VOLUMEUP POWER KPEQUAL KPPLUSMINUS PAUSE SCALE KPCOMMA",
    122: "HANGEUL HANJA YEN LEFTMETA RIGHTMETA COMPOSE STOP AGAIN PROPS UNDO FRONT",
    133: "COPY OPEN PASTE FIND CUT HELP MENU CALC SETUP SLEEP WAKEUP FILE",
    150: "WWW MSDOS SCREENLOCK ROTATE_DISPLAY CYCLEWINDOWS MAIL BOOKMARKS COMPUTER BACK FORWARD",
    163: "NEXTSONG PLAYPAUSE PREVIOUSSONG STOPCD RECORD REWIND",
    172: "HOMEPAGE REFRESH EXIT MOVE EDIT SCROLLUP SCROLLDOWN KPLEFTPAREN KPRIGHTPAREN NEW REDO",
    183: "F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23 F24",
    210: "PRINT",
    217: "SEARCH",
    224: "BRIGHTNESSDOWN BRIGHTNESSUP MEDIA",
}

KEYS = {
    name: first + place for first, row in _ROWS.items() for place, name in enumerate(row.split())
}
"""Every key that a keyboard has, by name, with its Linux code."""

# The characters of keys on a US keyboard: alone, and with shift held.
_CHARACTERS = {
    "GRAVE": "`~",
    "1": "1!",
    "2": "2@",
    "3": "3#",
    "4": "4$",
    "5": "5%",
    "6": "6^",
    "7": "7&",
    "8": "8*",
    "9": "9(",
    "0": "0)",
    "MINUS": "-_",
    "EQUAL": "=+",
    "LEFTBRACE": "[{",
    "RIGHTBRACE": "]}",
    "BACKSLASH": "\\|",
    "SEMICOLON": ";:",
    "APOSTROPHE": "'\"",
    "COMMA": ",<",
    "DOT": ".>",
    "SLASH": "/?",
    "SPACE": " ",
    "ENTER": "\n",
    "TAB": "\t",
    "BACKSPACE": "\b",
    "ESC": "\x1b",
    **{letter: letter.lower() + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
}

STROKES = {
    character: (KEYS["LEFTSHIFT"], KEYS[name]) if shift else (KEYS[name],)
    for name, characters in _CHARACTERS.items()
    for shift, character in enumerate(characters)
}
"""The keys to hold, in this order, to type a character on a US keyboard."""


def key_code(key: int | str) -> int:
    """The Linux code of a key: itself, or its name as in "KEY_A", "a", "LeftShift".

    UsageError for a key that no keyboard here has.
    """
    if isinstance(key, str):
        code = KEYS.get(key.upper().removeprefix("KEY_"))
        if code is not None:
            return code
    elif key in KEYS.values():
        return key
    raise UsageError(
        f'{key!r} is no key: give a Linux key code or its name, such as "KEY_A", "a", "ENTER",'
        ' "LEFTSHIFT", "F1", "UP", "DOT"'
    )
