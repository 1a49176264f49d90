"""Waiting ends with the answer, the deadline, Ctrl-C or a cancelled task, and blocks nobody."""

import asyncio
import threading
import time

import pytest

from vnb.waiting import Bell, Deadline, awaited


def test_a_wait_ends_when_the_bell_rings_and_the_answer_is_there() -> None:
    bell, answers = Bell(), []
    timer = threading.Timer(0.05, lambda: (answers.append("yes"), bell.ring()))
    timer.start()
    assert bell.wait(lambda: answers[0] if answers else None, timeout=5) == "yes"


def test_a_wait_gives_none_when_its_time_is_over() -> None:
    began = time.monotonic()
    assert Bell().wait(lambda: None, timeout=0.05) is None
    assert 0.05 <= time.monotonic() - began < 1


def test_a_timeout_of_zero_looks_once() -> None:
    looks = []
    assert Bell().wait(lambda: looks.append(1), timeout=0) is None
    assert looks == [1]


def test_who_waits_looks_a_few_hundred_times_a_second_at_most() -> None:
    bell, looks, over = Bell(), [], threading.Event()

    def flood() -> None:
        while not over.is_set():
            bell.ring()

    thread = threading.Thread(target=flood)
    thread.start()
    bell.wait(lambda: looks.append(1), timeout=0.3)
    over.set()
    thread.join()
    assert 1 < len(looks) < 100


def test_what_the_look_raises_is_raised() -> None:
    def look() -> None:
        raise EOFError("off")

    with pytest.raises(EOFError):
        Bell().wait(look)


def test_a_deadline_is_shared_by_several_waits() -> None:
    deadline = Deadline(0.05)
    bell = Bell()
    bell.wait(lambda: None, deadline.left())
    assert deadline.left() == 0
    assert Deadline(None).left() is None


def test_an_awaited_wait_leaves_the_event_loop_free() -> None:
    bell, answers = Bell(), []

    async def main() -> tuple[str | None, int]:
        task = asyncio.create_task(
            awaited(bell, bell.wait, lambda: answers[0] if answers else None)
        )
        ticks = 0
        for _ in range(5):
            await asyncio.sleep(0.01)
            ticks += 1
        answers.append("yes")
        bell.ring()
        return await task, ticks

    assert asyncio.run(main()) == ("yes", 5)


def test_cancelling_the_task_is_ctrl_c_for_the_wait() -> None:
    bell, ends = Bell(), []

    def blocking() -> None:
        try:
            bell.wait(lambda: None)
        except KeyboardInterrupt:
            ends.append("interrupted")
            assert bell.wait(lambda: "cleaned up", 1) == "cleaned up"
            ends.append("cleaned up")

    async def main() -> None:
        task = asyncio.create_task(awaited(bell, blocking))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    deadline = Deadline(2)
    while len(ends) < 2 and deadline.left():
        time.sleep(0.01)
    assert ends == ["interrupted", "cleaned up"]


def test_what_the_awaited_function_raises_is_raised_where_it_is_awaited() -> None:
    def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(awaited(Bell(), fails))


def test_a_bell_knows_when_anybody_last_waited() -> None:
    bell = Bell()
    made = bell.waited
    assert made <= time.monotonic()
    meanwhile: list[float] = []
    bell.wait(lambda: meanwhile.append(bell.waited) or time.monotonic())
    assert made <= meanwhile[0] <= bell.waited <= time.monotonic()
    assert bell.waited == bell.waited
