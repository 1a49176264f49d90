"""Three kinds of error, told apart by whose fault they are."""

import pytest

from vnb.bus import BusFault
from vnb.errors import GuestError, HostError, UsageError, VnbError


def test_every_kind_is_a_vnb_error_and_no_kind_is_another() -> None:
    kinds = (GuestError, HostError, UsageError)
    for kind in kinds:
        assert issubclass(kind, VnbError)
        assert [k for k in kinds if issubclass(kind, k)] == [kind]


def test_a_wrong_cell_is_also_a_value_error() -> None:
    with pytest.raises(ValueError, match="size"):
        raise UsageError("size must be even")


def test_an_access_that_nobody_answers_is_the_guests_fault() -> None:
    assert issubclass(BusFault, GuestError)
