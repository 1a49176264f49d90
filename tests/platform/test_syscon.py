"""The finisher: how a guest ends, and with which code."""

import pytest

from vnb.bus import BusFault
from vnb.platform.syscon import Syscon


@pytest.mark.parametrize(
    ("word", "size", "ending"),
    [
        (0x5555, 4, ("off", 0)),
        (0x5555, 2, ("off", 0)),
        (7 << 16 | 0x5555, 4, ("off", 0)),
        (0x3333 | 42 << 16, 4, ("off", 42)),
        (0x3333 | 0xFFFF << 16, 4, ("off", 0xFFFF)),
        (0x3333, 4, ("off", 1)),  # a failure is not to look like success
        (0x7777, 4, ("reboot", 0)),
    ],
)
def test_the_word_says_how_the_guest_ends(word: int, size: int, ending: tuple[str, int]) -> None:
    endings: list[tuple[str, int]] = []
    Syscon(lambda action, code: endings.append((action, code))).write(0, size, word)
    assert endings == [ending]


def test_other_words_and_other_places_end_nothing() -> None:
    syscon = Syscon(lambda action, code: pytest.fail(f"{action} {code}"))
    syscon.write(0, 4, 0x1234)
    syscon.write(4, 4, 0x5555)
    assert syscon.read(0, 4) == 0


def test_a_single_byte_is_a_bus_fault() -> None:
    syscon = Syscon(lambda action, code: pytest.fail(f"{action} {code}"))
    with pytest.raises(BusFault):
        syscon.write(0, 1, 0x55)
