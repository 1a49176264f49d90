"""What a monitor says of itself, in the 128 bytes that all of them say it in (VESA EDID 1.4)."""

import struct

# Reduced blanking of VESA's Coordinated Video Timings, at 60 frames a second: in pixels across,
# in lines down, and the shortest vertical pause in microseconds.
REFRESH = 60
H_BLANK, H_FRONT, H_SYNC = 160, 48, 32
V_FRONT, V_BACK = 3, 6
SHORTEST_PAUSE = 460
V_SYNC = {(4, 3): 4, (16, 9): 5, (16, 10): 6, (5, 4): 7, (15, 9): 7}  # tells the shape of screen
OTHER_V_SYNC = 10
CLOCK_STEP = 250_000  # Hz

DOTS_PER_INCH = 96
POSITIVE_H_SYNC = 0x1A  # digital separate sync: positive across, negative down

NAME, NOTHING = 0xFC, 0x10  # kinds of descriptors

HEADER = struct.Struct(">8sH")  # signature, maker: three letters of five bits
MODEL = struct.Struct("<HIBBBB")  # product, serial, week, years since 1990, version, revision
DISPLAY = struct.Struct("<BBBBB")  # input, width and height in cm, gamma, features
DIGITAL_8_BIT, GAMMA_2_2, PREFERRED_IS_NATIVE = 0xA5, 120, 0x06
SRGB = bytes.fromhex("ee91a3544c99260f5054")  # the colours of red, green, blue and white
NO_OLD_TIMINGS = bytes(3) + b"\x01\x01" * 8


def edid(width: int, height: int) -> bytes:
    """The EDID of a screen whose one mode has so many pixels, each at most 4,095."""
    block = b"".join(
        (
            HEADER.pack(b"\0\xff\xff\xff\xff\xff\xff\0", _letters("VNB")),
            MODEL.pack(1, 0, 0, 2026 - 1990, 1, 4),
            DISPLAY.pack(
                *(DIGITAL_8_BIT, _millimetres(width) // 10, _millimetres(height) // 10),
                *(GAMMA_2_2, PREFERRED_IS_NATIVE),
            ),
            SRGB,
            NO_OLD_TIMINGS,
            detailed_timing(width, height),
            _descriptor(NAME, b"vnb screen\n".ljust(13)),
            _descriptor(NOTHING, bytes(13)) * 2,
            b"\0",  # no extensions follow
        )
    )
    return block + bytes((-sum(block) & 0xFF,))


def detailed_timing(width: int, height: int) -> bytes:
    """The 18 bytes that describe the mode: pixel clock, what is seen, pauses and pulses."""
    sync = _v_sync(width, height)
    line = (1e6 / REFRESH - SHORTEST_PAUSE) / height  # microseconds
    blank = max(int(SHORTEST_PAUSE / line) + 1, V_FRONT + sync + V_BACK)
    clock = REFRESH * (height + blank) * (width + H_BLANK) // CLOCK_STEP * CLOCK_STEP
    across, down = _millimetres(width), _millimetres(height)
    return struct.pack(
        "<H16B",
        max(clock, CLOCK_STEP) // 10_000,
        *_low_and_high(width, H_BLANK),
        *_low_and_high(height, blank),
        *(H_FRONT, H_SYNC, V_FRONT << 4 | sync, 0),
        *_low_and_high(across, down),
        *(0, 0, POSITIVE_H_SYNC),
    )


def _low_and_high(one: int, other: int) -> tuple[int, int, int]:
    """Two numbers of 12 bits: their low bytes, and what remains of both."""
    return one & 0xFF, other & 0xFF, one >> 8 << 4 | other >> 8


def _v_sync(width: int, height: int) -> int:
    shapes = (lines for (w, h), lines in V_SYNC.items() if width * h == height * w)
    return next(shapes, OTHER_V_SYNC)


def _millimetres(pixels: int) -> int:
    return pixels * 254 // (10 * DOTS_PER_INCH)


def _letters(three: str) -> int:
    first, second, third = (ord(letter) - ord("A") + 1 for letter in three)
    return first << 10 | second << 5 | third


def _descriptor(kind: int, content: bytes) -> bytes:
    return bytes((0, 0, 0, kind, 0)) + content
