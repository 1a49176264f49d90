"""Characters between the guest's serial devices and the host: who can sit at the other end."""

from vnb.host.chars.chars import Chars
from vnb.host.chars.log import Log
from vnb.host.chars.pipe import HostTerminal, Pipe
from vnb.host.chars.pty import Pty
from vnb.host.chars.terminal import INPUT, SCROLLBACK, Terminal

__all__ = ["INPUT", "SCROLLBACK", "Chars", "HostTerminal", "Log", "Pipe", "Pty", "Terminal"]
