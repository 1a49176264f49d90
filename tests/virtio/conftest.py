"""What several files here test with: every device in turn, and a guest of a small share."""

import pytest

from tests.contracts.virtio import VirtioContract
from tests.virtio.devices import DEVICES
from tests.virtio.ninep import Guest
from vnb.host.files import Tree


@pytest.fixture(params=DEVICES)
def contract(request: pytest.FixtureRequest) -> VirtioContract:
    found: VirtioContract = request.param()
    return found


@pytest.fixture
def tree() -> Tree:
    return Tree({"hello.txt": "hello\n", "dir": {"a": "1", "b": "2"}})


@pytest.fixture
def guest(tree: Tree) -> Guest:
    return Guest(tree)
