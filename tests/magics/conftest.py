"""Magics whose tests start with no machine on, whatever other tests have left running."""

import weakref

import pytest


@pytest.fixture(autouse=True)
def nothing_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machines that are on are those of the test."""
    monkeypatch.setattr("vnb.machine._starts", weakref.WeakKeyDictionary())
