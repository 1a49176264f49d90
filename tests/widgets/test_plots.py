"""Figures of what devices counted."""

import pytest
from matplotlib.colors import to_hex

from vnb.stats import PERIOD, Stats
from vnb.widgets.plots import Over, Plot, overview


def used(name: str, kind: str, up: str, down: str) -> Stats:
    """A device that for a second took in 10 MB, and then for a second gave out 20 MB."""
    now = [0]
    stats = Stats(name, kind, lambda: now[0])
    stats.instructions = lambda: now[0] // 5
    for word, amount in ((up, 250_000), (down, 500_000)):
        for _ in range(40):
            stats.begin()
            begun = stats.taken(3)
            stats.add(word, amount, "bytes")
            now[0] += 20_000
            stats.answered(begun)
            now[0] += PERIOD - 20_000
    return stats


@pytest.fixture
def devices() -> dict[str, Stats]:
    found = [
        Stats("console", "console"),
        used("vda", "block", "read", "written"),
        used("data", "9p", "read", "written"),
        used("eth0", "net", "received", "sent"),
    ]
    return {stats.owner: stats for stats in found}


def heights(figure: Plot, title: str) -> list[tuple[float, float]]:
    """The lowest and highest values that a panel shows."""
    (axes,) = [axes for axes in figure.axes if axes.get_title("left") == title]
    values = [patch.get_data().values for patch in axes.patches]
    return [(min(value), max(value)) for value in values]


def test_there_is_a_panel_for_each_question_with_units(devices: dict[str, Stats]) -> None:
    figure = overview(devices)
    assert [(axes.get_title("left"), axes.get_ylabel()) for axes in figure.axes] == [
        ("Disks and shares", "MB/s"),
        ("Network", "Mbit/s"),
        ("Latency", "% of requests"),
        ("Queue depth", "requests at once"),
    ]
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_what_came_in_goes_up_and_what_went_out_goes_down(devices: dict[str, Stats]) -> None:
    shown = heights(overview(devices), "Disks and shares")
    assert shown[0] == pytest.approx((0, 10), rel=0.1)
    assert shown[2] == pytest.approx((-20, 0), rel=0.1)
    assert heights(overview(devices), "Network")[0] == pytest.approx((0, 80), rel=0.1)


def test_over_the_guests_time_rates_are_by_its_instructions(devices: dict[str, Stats]) -> None:
    figure = overview(devices, "guest")
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert figure.axes[2].texts[0].get_text() == "all at once, while the guest stood still"
    assert figure.axes[0].get_xlabel() == "million instructions of the guest"
    assert heights(figure, "Disks and shares")[0] == pytest.approx((0, 0.05), rel=0.1)


def test_a_device_has_one_colour_in_all_panels(devices: dict[str, Stats]) -> None:
    flows, latency = overview(devices).axes[:2], overview(devices).axes[2]
    colours = {}
    for axes in flows:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            colours[name] = to_hex(handle.get_facecolor())
    assert len(set(colours.values())) == 3
    for handle, label in zip(*latency.get_legend_handles_labels(), strict=True):
        assert to_hex(handle.get_facecolor()) == colours[label.partition(":")[0]]


def test_latencies_are_told_in_the_legend(devices: dict[str, Stats]) -> None:
    legend = overview(devices).axes[2].get_legend()
    assert legend is not None
    assert legend.get_texts()[0].get_text() == "vda: half within 21 µs, 99 % within 23 µs"


@pytest.mark.parametrize("over", ["host", "guest"])
def test_a_machine_whose_devices_were_not_used_says_so(over: Over) -> None:
    figure = overview({"vda": Stats("vda", "block")}, over)
    assert figure.axes == []
    assert figure.texts[0].get_text() == "no disk, share or network has been used yet"
    assert figure._repr_png_().startswith(b"\x89PNG")
