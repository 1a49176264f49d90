"""Bare-metal programs of a few instructions, for tests that need a guest of a certain temper."""

from vnb import images

BASE = 0x8000_0000


def program(*words: int) -> images.Image:
    """A guest that runs these instructions from the start of RAM, in machine mode."""
    data = b"".join(word.to_bytes(4, "little") for word in words)
    return images.Image("program", "raw", data, address=BASE)


LUI_T0_UART = 0x1000_02B7  # lui t0, 0x10000
LUI_T0_SYSCON = 0x0010_02B7  # lui t0, 0x100

SPIN = program(0x0000_006F)  # j .
TRAPS = program(0)  # illegal, and there is nothing at mtvec: traps that never end
SLEEP = program(0x1050_0073, 0xFFDF_F06F)  # wfi; j back
FLOOD = program(
    LUI_T0_UART,
    0x0410_0313,  # li t1, 'A'
    0x0062_8023,  # sb t1, (t0)
    0xFFDF_F06F,  # j back
)
STORM = program(
    LUI_T0_UART,
    0x0052_C303,  # lbu t1, 5(t0)
    0xFFDF_F06F,  # j back
)
STRAY = program(
    0x0000_0297,  # auipc t0, 0
    0x0102_8293,  # addi t0, t0, 16
    0x3052_9073,  # csrw mtvec, t0
    0x0000_2303,  # lw t1, (zero): nothing is there
    0x3420_2573,  # csrr a0, mcause
    0x0000_006F,  # j .
)


def power(word: int) -> images.Image:
    """A guest that writes `word` to the test device at once."""
    return program(
        LUI_T0_SYSCON,
        (word + 0x800 & 0xFFFF_F000) | 0x337,  # lui t1, high
        (word & 0xFFF) << 20 | 0x0003_0313,  # addi t1, t1, low
        0x0062_A023,  # sw t1, (t0)
        0x0000_006F,  # j .
    )
