"""What a machine's devices counted, as frames and as words."""

from pathlib import Path

import pytest

from vnb.errors import UsageError
from vnb.stats import PERIOD, Stats
from vnb.tally import Tally


@pytest.fixture
def tally() -> Tally:
    now = [0]
    devices = [Stats("vda", "block", lambda: now[0]), Stats("eth0", "net", lambda: now[0])]
    for device in devices:
        device.instructions = lambda: now[0] // 10
    for turn in range(4):
        now[0] += 2 * PERIOD
        for device in devices:
            device.begin()
            device.answered(device.taken(turn + 1))
            device.add("read", 4096, "bytes")
    return Tally({device.owner: device for device in devices})


def test_a_number_is_there_by_device_and_name(tally: Tally) -> None:
    assert tally["vda"]["read"] == 4 * 4096
    assert list(tally) == ["vda", "eth0"]
    assert ">read</td>" in (table := tally._repr_html_()) and ">16,384</td>" in table
    assert ">most at once</td>" in table and ">median latency</td>" in table
    assert "eth0: requests 4" in repr(tally)


def test_samples_are_a_tidy_frame_over_both_times(tally: Tally) -> None:
    frame = tally.to_pandas()
    assert list(frame) == ["device", "counter", "unit", "seconds", "instructions", "amount"]
    read = frame[(frame.device == "vda") & (frame.counter == "read")]
    assert list(read.seconds) == pytest.approx([0.05, 0.1, 0.15, 0.2])
    assert list(read.instructions) == [5_000_000, 10_000_000, 15_000_000, 20_000_000]
    assert set(read.unit) == {"bytes"}
    depths = frame[(frame.device == "vda") & (frame.counter == "depth")]
    assert list(depths.amount) == [1, 2, 3, 4]
    assert list(depths.unit.unique()) == ["requests"]


def test_sums_over_the_samples_are_the_totals(tally: Tally) -> None:
    totals = tally.to_pandas("totals").set_index(["device", "counter"]).total
    samples = tally.to_pandas().groupby(["device", "counter"]).amount.sum()
    assert len(totals) == 4  # "waited" was no time at all
    for key, total in totals.items():
        assert samples[key] == total


def test_latencies_are_a_tidy_frame_by_both_clocks(tally: Tally) -> None:
    frame = tally.to_pandas("latency")
    assert list(frame) == ["device", "clock", "unit", "lower", "upper", "count"]
    assert set(frame.clock + " " + frame.unit) == {"host ns", "guest instructions"}
    assert frame[frame.device == "vda"].groupby("clock")["count"].sum().to_dict() == {
        "host": 4,
        "guest": 4,
    }


def test_a_machine_that_did_nothing_has_frames_without_rows() -> None:
    for frame in ("samples", "totals", "latency"):
        assert len(Tally({}).to_pandas(frame)) == 0


def test_a_frame_or_a_time_that_is_none_is_named(tally: Tally, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="frame='all': frame is one of samples, totals, latency"):
        tally.to_pandas("all")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="over='virtual': over is one of host, guest"):
        tally.plot("virtual")  # type: ignore[arg-type]
