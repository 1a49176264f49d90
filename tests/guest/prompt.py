"""What a person at labos's prompt does: type, and read on until it is there again."""

import re

from vnb import Machine

PROMPT = "labos> "


def typed(machine: Machine, keys: str) -> str:
    """What the console shows from these keys up to the next prompt."""
    machine.console.write(keys)
    machine.console.expect("\r\n")
    shown = machine.console.expect(re.compile(rf"(?s)\A(.*?){PROMPT}"))
    return shown[1].replace("\r\n", "\n")
