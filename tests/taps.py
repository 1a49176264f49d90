"""A network interface of the host's for a test, or the reason why there is none."""

import os
import sys
from itertools import count

import pytest

from vnb.errors import UsageError
from vnb.host.ether import Tap

NUMBERS = count()


def tap() -> Tap:
    """A new one; skips the test where the host has none to lend."""
    if sys.platform != "linux":
        pytest.skip("only Linux has taps")
    lan = Tap(f"vnbt{os.getpid() % 100000}n{next(NUMBERS)}")
    try:
        lan.plug().close()
    except UsageError as error:
        if "no permission" in str(error) or "has no /dev/net/tun" in str(error):
            pytest.skip(f"taps cannot be tested here: {error}")
        raise
    return lan
