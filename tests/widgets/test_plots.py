"""Figures of what disks counted."""

from vnb.stats import Stats
from vnb.widgets.plots import throughput


def used(name: str, *order: str) -> Stats:
    stats = Stats(name)
    for counter in order:
        stats.add(counter, 4096, "bytes")
    return stats


def test_a_direction_keeps_its_colour_whatever_a_disk_did_first() -> None:
    devices = {
        "console": used("console"),
        "vda": used("vda", "written", "read"),
        "vdb": used("vdb", "read", "written"),
    }
    (axes,) = throughput(devices).axes
    colours = {line.get_label(): line.get_color() for line in axes.lines}
    assert colours == {
        "vda read": "C0",
        "vda written": "C1",
        "vdb read": "C2",
        "vdb written": "C3",
    }


def test_a_machine_whose_disks_were_not_used_says_so() -> None:
    (axes,) = throughput({"vda": used("vda")}).axes
    assert axes.texts[0].get_text() == "no disk has been used yet"
