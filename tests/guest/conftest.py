"""A small machine at labos's prompt, and what carries its devices."""

from collections.abc import Iterator

import pytest

from tests.guest.prompt import PROMPT
from vnb import Console, Disk, Machine
from vnb.config import Transport


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(memory="16M", clock="virtual", devices=[Console(), Disk(size="1M")]) as machine:
        machine.console.expect(PROMPT)
        yield machine


@pytest.fixture(params=["mmio", "pci"])
def transport(request: pytest.FixtureRequest) -> Transport:
    """Both of them, one after the other."""
    carrier: Transport = request.param
    return carrier
