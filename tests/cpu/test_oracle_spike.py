"""Programs that Spike ran, instruction by instruction: registers, flags, stores and traps.

The traces under fixtures/ were made by record_spike.py. They hold what unicorn lacks: Zba, Zbb, Zbs
and Zicond, boxed singles, CSRs, delegation, interrupts, Sv39 to Sv57 and PMP.
"""

from functools import cache
from random import Random

import pytest
from again import Again, translate_here
from privileged import HANDLERS, RAM_SIZE
from traces import Step, Trace, load
from wanderings import PROGRAMS

from vnb.cpu.hart import EngineName, ExitKind, Hart, TranslatorName
from vnb.memory import Memory

ENGINES = ("llvm", "numba", "python")

trace = cache(load)


def started(engine: EngineName, given: Trace, jit: TranslatorName = "off") -> Hart:
    """A hart as Spike's, in front of the first instruction."""
    memory = Memory(RAM_SIZE)
    for address, data in given.memory.items():
        memory.write(address, data)
    hart = Hart(memory, engine=engine, clock="virtual", jit=jit)
    hart.reset(given.steps[0].pc)
    hart.mtimecmp = hart.stimecmp = 0  # Spike's timers are due from the start
    return hart


def run(hart: Hart, count: int) -> None:
    """Retire instructions; no device answers anywhere."""
    end = hart.instret + count
    while (kind := hart.run(end - hart.instret)) is not ExitKind.BUDGET:
        assert kind in (ExitKind.LOAD, ExitKind.STORE), f"left with {kind.name} at {hart.pc:#x}"
        hart.access_fault()


def value(hart: Hart, what: str) -> int:
    """What the step wrote, by its name in the trace."""
    if what[0] == "x":
        return hart.x[int(what[1:])]
    if what[0] == "f" and what[1:].isdigit():
        return hart.f[int(what[1:])]
    if what == "fcsr":
        return hart.state.frm << 5 | hart.state.fflags
    if "." not in what:
        return int(getattr(hart.state, what))
    address, size = what.split(".")
    return int.from_bytes(hart.memory.read(int(address, 16), int(size)), "little")


def check(hart: Hart, step: Step, number: int) -> None:
    for what, expected in step.writes.items():
        found = value(hart, what)
        assert found == expected, (
            f"step {number} at {step.pc:#x}: {what} {found:#x}, {expected=:#x}"
        )


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("engine", ENGINES)
def test_each_instruction_does_what_it_did_on_spike(engine: EngineName, name: str) -> None:
    given = trace(name)
    hart = started(engine, given)
    for number, step in enumerate(given.steps):
        # Before a trap pc is still at what traps; the handler then reads where that was.
        at = hart.pc
        assert at == step.pc or step.pc in HANDLERS.values(), (
            f"step {number} at {at:#x}, not {step.pc:#x}"
        )
        run(hart, 1)
        check(hart, step, number)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_program_ends_alike_when_it_runs_in_one_go(engine: EngineName, name: str) -> None:
    given = trace(name)
    hart = started(engine, given)
    run(hart, len(given.steps))
    written: dict[str, int] = {}
    for step in given.steps:
        written |= {what: value for what, value in step.writes.items() if "." not in what}
    check(hart, Step(hart.pc, written), len(given.steps))


@pytest.mark.parametrize("name", PROGRAMS)
def test_regions_do_what_the_program_did_on_spike(name: str, rng: Random) -> None:
    """The interpreter decodes it, then regions are made on the way, then it runs in them."""
    given = trace(name)
    hart = started("llvm", given, "eager")
    assert hart.translator is not None
    hart.state.sample_limit = 0  # regions are made where this test says
    again = Again(hart)
    run(hart, len(given.steps))
    for makes in (True, False):
        again.rewind()
        written: dict[str, int] = {}
        done = 0
        while done < len(given.steps):
            if makes:
                translate_here(hart)
            count = rng.randrange(20, 100) if makes else rng.randrange(400, 4000)
            steps = given.steps[done : done + count]
            run(hart, len(steps))
            done += len(steps)
            for step in steps:
                written |= {what: value for what, value in step.writes.items() if "." not in what}
            check(hart, Step(hart.pc, written), done)
    told = hart.translator.report()
    print(told)
    assert told.share > 0.01 or name == "csrs"
