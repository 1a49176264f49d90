"""The three ways in which something can go wrong, and whose fault each one is."""


class VnbError(Exception):
    """What every error raised on purpose by vnb is."""


class GuestError(VnbError):
    """The guest broke a rule; its device or access suffers, the notebook never does."""


class HostError(VnbError):
    """The host failed the guest: a disk is full, a file vanished, a download broke."""


class UsageError(VnbError, ValueError):
    """The cell is wrong; the message names the argument and says what is allowed."""
