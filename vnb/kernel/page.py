"""What the cells of the guest shell show, as messages to its front ends."""

from typing import Any

from ipykernel.jsonutil import encode_images, json_clean
from ipykernel.kernelbase import Kernel
from IPython.core.formatters import DisplayFormatter

from vnb.magics.page import Note


class KernelPage:
    """The output of the cell that a kernel runs; a new one for each cell."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._formatter = DisplayFormatter()
        self._told = 0  # lines told by this cell
        self._silent = False

    def begin(self, silent: bool) -> None:
        """Another cell; a `silent` one shows nothing."""
        self._told = 0
        self._silent = silent

    def print(self, text: str) -> None:
        self._send("stream", name="stdout", text=text)

    def show(self, thing: Any) -> None:
        self._display("display_data", thing, {})

    def tell(self, text: str) -> None:
        place = {"display_id": f"vnb-{self._kernel.ident}-{self._kernel.execution_count}"}
        self._display("update_display_data" if self._told else "display_data", Note(text), place)
        self._told += 1

    def error(self, **content: Any) -> None:
        """How the cell failed, as front ends show it."""
        self._send("error", **content)

    def _display(self, kind: str, thing: Any, transient: dict[str, str]) -> None:
        data, metadata = self._formatter.format(thing)
        shown = json_clean(encode_images(data))  # type: ignore[no-untyped-call]
        self._send(kind, data=shown, metadata=metadata, transient=transient)

    def _send(self, kind: str, **content: Any) -> None:
        if self._silent:
            return
        send = self._kernel.send_response
        send(self._kernel.iopub_socket, kind, content)  # type: ignore[no-untyped-call]
