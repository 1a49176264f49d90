"""A small machine at labos's prompt."""

from collections.abc import Iterator

import pytest

from tests.guest.prompt import PROMPT
from vnb import Console, Disk, Machine


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(memory="16M", clock="virtual", devices=[Console(), Disk(size="1M")]) as machine:
        machine.console.expect(PROMPT)
        yield machine
