"""The console as a cell asks for it."""

from dataclasses import dataclass

from vnb.config.part import Part
from vnb.config.words import number_from


@dataclass(frozen=True)
class Console(Part):
    """The guest's console: /dev/hvc0 in Linux, with the UART before that is up.

    `columns` and `rows` are the size that the guest is told, in characters.
    """

    columns: int = 80
    rows: int = 25

    def __post_init__(self) -> None:
        super().__post_init__()
        number_from(self.columns, "columns", 1, 0xFFFF)
        number_from(self.rows, "rows", 1, 0xFFFF)

    def name(self, index: int) -> str:
        """There is one."""
        return "console"

    def __str__(self) -> str:
        return f"console {self.columns}×{self.rows}"
