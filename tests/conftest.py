"""What all tests share: a seed that is printed, and random numbers that follow from it."""

import os
import random
from collections.abc import Iterator

import pytest

SEED = int(os.environ.get("VNB_TEST_SEED", 20261122))


def pytest_configure(config: pytest.Config) -> None:
    # Set before xdist starts its workers, so that all of them draw from the printed seed.
    os.environ["VNB_TEST_SEED"] = str(SEED)


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: VNB_TEST_SEED={SEED}"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> Iterator[random.Random]:
    """Random numbers that VNB_TEST_SEED and the test's name decide."""
    print(f"VNB_TEST_SEED={SEED}")
    yield random.Random(f"{SEED} {request.node.nodeid}")
