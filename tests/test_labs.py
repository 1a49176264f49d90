"""Checks of the notebooks' exercises accept right answers, and say what is wrong with others."""

import struct
import sys
from typing import Any

import pytest

from vnb import labs
from vnb.errors import UsageError
from vnb.labs import driver, path


@pytest.mark.parametrize("name", labs.names())
def test_a_reference_passes_and_says_what_it_shows(name: str) -> None:
    verdict = labs.check(name, labs.working(name, None))
    assert verdict, verdict.words
    assert verdict.words


@pytest.mark.parametrize("name", labs.names())
@pytest.mark.parametrize("answer", [None, ..., 0, [], "", lambda *given: None, lambda *given: ()])
def test_what_is_no_answer_yet_is_refused_in_words(name: str, answer: Any) -> None:
    verdict = labs.check(name, answer)
    assert not verdict
    assert verdict.words
    assert repr(verdict).startswith(f"{name} not yet: ")


# Mistakes that drivers of beginners have, and what each should be told.


def begins_without_a_reset(device: Any, wanted: int) -> int:
    device.write(0x70, 1)
    return driver.begin(device, wanted)


def begins_with_one_half_of_the_features(device: Any, wanted: int) -> int:
    for status in 0, 1, 3:
        device.write(0x70, status)
    device.write(0x14, 0)
    device.write(0x24, 0)
    device.write(0x20, device.read(0x10) & wanted & 0xFFFF_FFFF)
    device.write(0x70, 11)
    return wanted


def forgets_earlier_steps(device: Any, wanted: int) -> int:
    for status in 0, 1, 2, 8:
        device.write(0x70, status)
    return wanted


class NeverRefused:
    def __init__(self, device: Any) -> None:
        self._device = device
        self.write = device.write

    def read(self, offset: int) -> int:
        return 8 if offset == 0x70 else self._device.read(offset)


def hears_no_refusal(device: Any, wanted: int) -> int:
    return driver.begin(NeverRefused(device), wanted)


def is_ready_too_soon(device: Any, memory: Any, number: int, base: int) -> driver.Rings:
    device.write(0x30, number)
    device.write(0x44, 1)
    return driver.set_queue(device, memory, number, base)


def leaves_garbage(device: Any, memory: Any, number: int, base: int) -> driver.Rings:
    rings = driver.set_queue(device, memory, number, base)
    memory.fill(rings.avail, 4, 0xAA)
    return rings


def packs_the_used_ring(device: Any, memory: Any, number: int, base: int) -> driver.Rings:
    rings = driver.set_queue(device, memory, number, base)
    return rings._replace(used=rings.avail + 6 + 2 * rings.size)


def takes_all_that_there_is(device: Any, memory: Any, number: int, base: int) -> driver.Rings:
    rings = driver.set_queue(device, memory, number, base)
    device.write(0x30, number)
    return rings._replace(size=device.read(0x34))


def tells_before_the_entry_is_there(memory: Any, rings: Any, head: int, buffers: Any) -> None:
    driver.offer(memory, rings, head, buffers)
    index = memory.read_u16(rings.avail + 2)
    memory.write_u16(rings.avail + 4 + 2 * ((index - 1) % rings.size), head)


def takes_the_index_modulo_the_size(memory: Any, rings: Any, head: int, buffers: Any) -> None:
    driver.offer(memory, rings, head, buffers)
    memory.write_u16(rings.avail + 2, memory.read_u16(rings.avail + 2) % rings.size)


def never_ends_a_chain(memory: Any, rings: Any, head: int, buffers: Any) -> None:
    driver.offer(memory, rings, head, buffers)
    at = rings.desc + 16 * (head + len(buffers) - 1) + 12
    index = memory.read_u16(rings.avail + 2)
    memory.write_u16(at, memory.read_u16(at) | 1)
    memory.write_u16(rings.avail + 2, index)


def compares_with_more_than(memory: Any, rings: Any, seen: int) -> tuple[int, int] | None:
    if not memory.read_u16(rings.used + 2) > seen:
        return None
    return driver.take(memory, rings, seen)


def takes_entries_for_eight_bits(memory: Any, rings: Any, seen: int) -> tuple[int, int] | None:
    found = driver.take(memory, rings, seen)
    return found and (found[0], found[1] & 0xFF)


def never_rings(disk: Any, memory: Any, rings: Any, sector: int) -> bytes:
    return bytes(512)


def believes_every_disk(disk: Any, memory: Any, rings: Any, sector: int) -> bytes:
    try:
        return driver.read_sector(disk, memory, rings, sector)
    except OSError:
        return bytes(512)


class Deaf:
    def __init__(self, disk: Any) -> None:
        self.read = disk.read
        self._disk = disk

    def write(self, offset: int, value: int) -> None:
        if offset != 0x64:
            self._disk.write(offset, value)


def leaves_the_interrupt(disk: Any, memory: Any, rings: Any, sector: int) -> bytes:
    return driver.read_sector(Deaf(disk), memory, rings, sector)


def lists_empty_slots(bus: Any) -> list[tuple[int, int]]:
    bases = range(0x1000_1000, 0x1000_9000, 0x1000)
    return [(base, bus.read(base + 8, 4)) for base in bases]


def follows_the_table(memory: Any, table: int, head: int) -> list[tuple[int, ...]]:
    parts = (struct.unpack("<QIHH", memory.read(table + 16 * n, 16)) for n in range(head, 16))
    return [part[:3] for part in parts]


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("02.1", lambda address: (0, address & 0xFFF), "slot 1"),
        ("02.1", lambda address: (address >> 12 & 0xF, address & 0xFFF), "slot 0"),
        ("02.2", follows_the_table, "NEXT (bit 0)"),
        ("02.3", lambda index, seen: index - seen, "after 65535 comes 0"),
        ("02.4", [1], "how often is the doorbell rung"),
        ("02.4", [0, 4], "its type is in the header"),
        ("03.1", lists_empty_slots, "is empty"),
        ("03.2", begins_without_a_reset, "reset"),
        ("03.2", begins_with_one_half_of_the_features, "half 0 and half 1"),
        ("03.2", forgets_earlier_steps, "ACKNOWLEDGE | DRIVER is due, but it writes 0x2"),
        ("03.2", hears_no_refusal, "refuse"),
        ("03.3", is_ready_too_soon, "QUEUE_READY comes last"),
        ("03.3", leaves_garbage, "zeros"),
        ("03.3", packs_the_used_ring, "align it to 4"),
        ("03.3", takes_all_that_there_is, "take 8 entries"),
        ("03.4", tells_before_the_entry_is_there, "avail.idx last"),
        ("03.4", takes_the_index_modulo_the_size, "avail.idx was 13: it has to be 14"),
        ("03.4", never_ends_a_chain, "flags"),
        ("03.5", compares_with_more_than, "returns None"),
        ("03.5", takes_entries_for_eight_bits, "(3, 512)"),
        ("03.6", never_rings, "never hears of it"),
        ("03.6", believes_every_disk, "beyond the disk's end"),
        ("03.6", leaves_the_interrupt, "INTERRUPT_ACK"),
        ("04.1", lambda wanted, read: 1 - read / wanted, "no rate is below 0"),
        ("04.2", lambda before, after: after["read"] / after["requests"], "bytes each"),
        ("04.3", lambda before, after, seconds: after["waited"] / 1e9 / seconds, "at once, not"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_mistake_is_named(name: str, answer: Any, words: str) -> None:
    verdict = labs.check(name, answer)
    assert not verdict
    assert words in verdict.words


def test_what_an_answer_raises_is_told_with_its_line() -> None:
    def breaks(address: int) -> Any:
        return [][address]

    line = breaks.__code__.co_firstlineno + 1
    assert f"line {line} of it raises IndexError" in labs.check("02.1", breaks).words


def test_an_answer_that_takes_other_arguments_is_told_so() -> None:
    assert "called with 1 arguments" in labs.check("02.1", lambda: (0, 0)).words


def test_an_answer_of_the_wrong_kind_is_a_verdict_and_no_error() -> None:
    assert "it does not fit: TypeError" in labs.check("02.3", lambda index, seen: "four").words


def test_interrupting_an_answer_interrupts_the_check() -> None:
    def never_ends(address: int) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        labs.check("02.1", never_ends)


def test_a_notebook_goes_on_with_what_works() -> None:
    def own(index: int, seen: int) -> int:
        return (index - seen) % 65536

    assert labs.working("02.3", own) is own
    assert labs.working("02.3", lambda index, seen: index - seen) is path.fresh


def test_a_solution_is_folded_up() -> None:
    page = labs.solution("02.3")._repr_html_()
    assert page.startswith("<details") and "<details open" not in page


@pytest.mark.parametrize("name", labs.names())
def test_a_solution_can_be_pasted_into_a_cell(name: str) -> None:
    text = repr(labs.solution(name))
    if text.startswith("def "):
        word = text[4 : text.index("(")]
        words = dict(vars(sys.modules[labs.working(name, None).__module__]))
        exec(text, {})  # needs no word of vnb's just to be there, as annotations would
        exec(text, words)
        assert labs.check(name, words[word])
    else:
        assert labs.check(name, eval(text))


def test_a_verdict_shows_itself_in_a_page_with_nothing_of_the_answer_left_raw() -> None:
    def breaks(address: int) -> Any:
        raise ValueError("<b>")

    assert "&lt;b&gt;" in labs.check("02.1", breaks)._repr_html_()
    assert "right" in labs.check("02.1", path.locate)._repr_html_()


@pytest.mark.parametrize("name", ["03.99", "3", "", None, 3.2])
def test_an_exercise_that_does_not_exist_is_refused_with_those_that_do(name: Any) -> None:
    with pytest.raises(UsageError, match=r"there are 02\.1, 02\.2"):
        labs.check(name, None)
