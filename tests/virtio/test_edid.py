"""What the screen says of itself, read as a driver reads it."""

import itertools

import pytest

from vnb.virtio.edid import edid

SIZES = [(1024, 768), (800, 600), (64, 64), (1366, 768), (1920, 1080), (3840, 2160), (641, 479)]


@pytest.mark.parametrize("size", SIZES)
def test_a_block_has_its_signature_and_sums_to_zero(size: tuple[int, int]) -> None:
    block = edid(*size)
    assert len(block) == 128
    assert block[:8] == b"\0\xff\xff\xff\xff\xff\xff\0"
    assert sum(block) % 256 == 0
    assert (block[18], block[19], block[126]) == (1, 4, 0)


def test_the_maker_and_the_name_are_readable() -> None:
    block = edid(1024, 768)
    maker = int.from_bytes(block[8:10], "big")
    assert "".join(chr(64 + (maker >> shift & 31)) for shift in (10, 5, 0)) == "VNB"
    assert block[72:77] == b"\0\0\0\xfc\0"
    assert block[77:90] == b"vnb screen\n  "


def fields(block: bytes) -> dict[str, int]:
    """The numbers of the detailed timing."""
    mode = block[54:72]
    return {
        "clock": int.from_bytes(mode[:2], "little") * 10_000,
        "width": mode[2] | mode[4] >> 4 << 8,
        "h_blank": mode[3] | (mode[4] & 15) << 8,
        "height": mode[5] | mode[7] >> 4 << 8,
        "v_blank": mode[6] | (mode[7] & 15) << 8,
        "h_front": mode[8],
        "h_sync": mode[9],
        "v_front": mode[10] >> 4,
        "v_sync": mode[10] & 15,
        "h_mm": mode[12] | mode[14] >> 4 << 8,
        "v_mm": mode[13] | (mode[14] & 15) << 8,
        "flags": mode[17],
    }


@pytest.mark.parametrize("size", SIZES)
def test_the_one_mode_has_the_size_asked_for_and_about_60_frames_a_second(
    size: tuple[int, int],
) -> None:
    mode = fields(edid(*size))
    assert (mode["width"], mode["height"]) == size
    total = (mode["width"] + mode["h_blank"]) * (mode["height"] + mode["v_blank"])
    assert 60 * 0.76 < mode["clock"] / total <= 60  # the clock goes in steps of 250 kHz
    assert mode["h_front"] + mode["h_sync"] < mode["h_blank"]
    assert mode["v_front"] + mode["v_sync"] < mode["v_blank"]
    assert mode["flags"] == 0x1A


def test_the_timing_of_1920_by_1080_is_the_one_of_the_standard() -> None:
    """VESA's CVT with reduced blanking: 138.5 MHz, 2080 × 1111 in all."""
    mode = fields(edid(1920, 1080))
    assert (mode["clock"], mode["h_blank"], mode["v_blank"]) == (138_500_000, 160, 31)
    assert (mode["v_front"], mode["v_sync"]) == (3, 5)


def test_every_size_that_a_screen_can_have_fits() -> None:
    for width, height in itertools.product((64, 65, 1000, 2559, 3839, 3840), (64, 99, 1601, 2160)):
        mode = fields(edid(width, height))
        assert (mode["width"], mode["height"]) == (width, height)
        assert mode["clock"] < 655_360_000
        assert abs(mode["h_mm"] - width * 25.4 / 96) <= 1
        assert abs(mode["v_mm"] - height * 25.4 / 96) <= 1
