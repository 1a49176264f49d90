"""The one thread that speaks for all widgets: soon, and seldom."""

import threading
import time

import pytest

from vnb.widgets.publisher import PAUSE, PERIOD, Publisher


class Speaker:
    """Counts how often it was asked, and when; says something each time if it has a `publisher`."""

    def __init__(self, wait: float | None = None, publisher: Publisher | None = None) -> None:
        self.wait = wait
        self.publisher = publisher
        self.times: list[float] = []
        self.asked = threading.Event()

    def speak(self) -> float | None:
        self.times.append(time.monotonic())
        self.asked.set()
        if self.publisher:
            self.publisher.messages += 1
        return self.wait


def test_a_speaker_is_asked_when_something_woke_the_publisher_and_not_before() -> None:
    publisher = Publisher()
    publisher.add(speaker := Speaker())
    assert speaker.asked.wait(5)
    time.sleep(3 * PERIOD)
    assert len(speaker.times) == 1
    speaker.asked.clear()
    publisher.wake()
    assert speaker.asked.wait(5)


def test_however_often_it_is_woken_nobody_speaks_more_than_thirty_times_a_second() -> None:
    publisher = Publisher()
    publisher.add(speaker := Speaker(publisher=publisher))
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        publisher.wake()
    assert 2 <= len(speaker.times) <= 0.5 / PERIOD + 2
    gaps = [later - first for first, later in zip(speaker.times, speaker.times[1:], strict=False)]
    assert min(gaps) >= PERIOD * 0.99


def test_after_silence_the_next_to_speak_does_not_wait_for_long() -> None:
    publisher = Publisher()
    publisher.add(speaker := Speaker())
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        publisher.wake()
    gaps = [later - first for first, later in zip(speaker.times, speaker.times[1:], strict=False)]
    assert PAUSE * 0.99 <= min(gaps) < PERIOD / 2


def test_who_was_silent_is_asked_at_once_although_another_has_just_spoken() -> None:
    publisher = Publisher()
    publisher.add(busy := Speaker(publisher=publisher))
    publisher.add(silent := Speaker())
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        publisher.wake()
    gaps = [later - first for first, later in zip(silent.times, silent.times[1:], strict=False)]
    assert min(gaps) < PERIOD / 2
    assert len(silent.times) > 2 * len(busy.times)


def test_what_a_speaker_has_to_say_while_it_may_not_is_said_when_it_may() -> None:
    publisher = Publisher()
    publisher.add(speaker := Speaker(publisher=publisher))
    assert speaker.asked.wait(5)
    speaker.asked.clear()
    publisher.wake()
    assert speaker.asked.wait(5)
    assert speaker.times[1] - speaker.times[0] >= PERIOD * 0.99


def test_a_speaker_that_wants_to_be_asked_again_is() -> None:
    publisher = Publisher()
    publisher.add(speaker := Speaker(wait=0.01))
    end = time.monotonic() + 10
    while len(speaker.times) < 4 and time.monotonic() < end:
        time.sleep(0.01)
    assert len(speaker.times) >= 4


def test_a_speaker_that_nobody_holds_is_forgotten() -> None:
    publisher = Publisher()
    publisher.add(speaker := Speaker())
    assert speaker.asked.wait(5)
    gone = threading.Event()

    class Last(Speaker):
        def __del__(self) -> None:
            gone.set()

    publisher.add(last := Last())
    assert last.asked.wait(5)
    del last
    assert gone.wait(5)


def test_a_speaker_that_fails_is_reported_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Speaker):
        def speak(self) -> float | None:
            super().speak()
            raise ZeroDivisionError

    publisher = Publisher()
    publisher.add(broken := Broken())
    assert broken.asked.wait(5)
    publisher.add(speaker := Speaker())
    assert speaker.asked.wait(5)
    assert len(broken.times) == 1
    assert "no longer updated" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_found_no_code_to_go_on_with_is_begun_again() -> None:
    """As happens to one that wakes while its module is loaded again."""
    publisher = Publisher()

    class Cruel(Publisher):
        def _round(self) -> float | None:
            raise NameError("time")

    publisher.__class__ = Cruel
    publisher.wake()
    thread = publisher._thread
    assert thread is not None
    thread.join(5)
    publisher.__class__ = Publisher
    publisher.add(speaker := Speaker())
    assert speaker.asked.wait(5)
