"""Requests of Jupyter's front ends become commands in a guest, and its answers their replies."""

import asyncio
import sys
import threading
import traceback
from functools import partial
from typing import Any

from ipykernel.iostream import OutStream
from ipykernel.kernelbase import Kernel

from vnb import __version__
from vnb.agent import Result
from vnb.errors import VnbError
from vnb.kernel import cell
from vnb.kernel.complete import complete
from vnb.kernel.page import KernelPage
from vnb.kernel.rest import Rests
from vnb.magics import commands
from vnb.magics.bench import Bench
from vnb.waiting import Bell, Errand

PATIENCE = 6.0
"""Seconds that a cell has to end after an interrupt; then it is replied to all the same."""

COMPLETION = 2.0
"""Seconds that the guest has to complete a word."""

BANNER = f"""vnb {__version__}: the shell of a guest, on a RISC-V computer in this kernel
%machine image=… chooses the guest, %help says what else there is."""

LANGUAGE: dict[str, object] = {
    "name": "bash",  # by which editors and jupytext know how such cells look
    "mimetype": "text/x-sh",
    "codemirror_mode": "shell",
    "pygments_lexer": "bash",
    "file_extension": ".sh",
}


class Bells(Bell):
    """The bells of all machines on a bench, rung as one."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench

    def ring(self) -> None:
        super().ring()
        for machine in self._bench.machines().values():
            machine.console.bell.ring()


class GuestKernel(Kernel):
    """The guest shell: the machine is made by `%machine`, or with the first cell that needs it."""

    implementation = "vnb"
    implementation_version = __version__
    language_info = LANGUAGE
    banner = BANNER

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._page = KernelPage(self)
        self._bench = Bench(self._page, {}, commands.make)
        self._bells = Bells(self._bench)
        self._rests = Rests(self._bench)
        self._errands: dict[Errand, Any] = {}
        self._lock = threading.Lock()

    def set_parent(self, ident: Any, parent: Any, channel: str = "shell") -> None:
        """What this process prints itself, such as a download's bar, is of the cell that runs."""
        super().set_parent(ident, parent, channel)  # type: ignore[no-untyped-call]
        for stream in (sys.stdout, sys.stderr):
            if channel == "shell" and isinstance(stream, OutStream):
                stream.set_parent(parent)  # type: ignore[no-untyped-call]

    # Cells

    async def do_execute(
        self,
        code: str,
        silent: bool,
        store_history: bool = True,
        user_expressions: dict[str, Any] | None = None,
        allow_stdin: bool = False,
        *,
        cell_meta: Any = None,
        cell_id: str | None = None,
    ) -> dict[str, Any]:
        """Run the cell; "error" where the guest's status is not 0, with the status as `evalue`."""
        error = await self._outcome(partial(self._run, code, silent))
        if error is None:
            return {
                "status": "ok",
                "execution_count": self.execution_count,
                "payload": [],
                "user_expressions": {},
            }
        self._page.error(**error)
        return {"status": "error", "execution_count": self.execution_count, **error}

    def _run(self, code: str, silent: bool) -> Result | None:
        """The cell, on a thread of its own."""
        self._page.begin(silent)
        parts = cell.parse(code)
        with self._rests.cell():
            for name, line in parts.magics:
                commands.run(self._bench, name or "help", line)
            if not parts.shell.strip():
                return None
            return self._bench.run(self._bench.ready(), parts.shell)

    async def _outcome(self, function: Any) -> dict[str, Any] | None:
        """How `function` failed, in the words of Jupyter's protocol; None if it did not."""
        errand = Errand(self._bells, function)
        answer = asyncio.wrap_future(errand.future)
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        with self._lock:
            self._errands[errand] = partial(loop.call_soon_threadsafe, stopped.set)
        stop = asyncio.ensure_future(stopped.wait())
        await asyncio.wait({answer, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            await asyncio.wait({answer}, timeout=PATIENCE)
        stop.cancel()
        with self._lock:
            del self._errands[errand]
        if not answer.done():
            answer.cancel()
            return failure("KeyboardInterrupt", "interrupted; it goes on in the background")
        if (error := answer.exception()) is not None:
            return reported(error)
        result = answer.result()
        if result is None or result.status == 0:
            return None
        return failure("ExitStatus", str(result.status), f"exit status {result.status}")

    async def interrupt_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Answered at once; what runs hears of it as of Ctrl-C, and so does the guest."""
        with self._lock:
            errands = dict(self._errands)
        for errand, stop in errands.items():
            errand.give_up()
            stop()
        if self.session is not None:
            self.session.send(stream, "interrupt_reply", {"status": "ok"}, parent, ident=ident)

    async def do_shutdown(self, restart: bool) -> dict[str, Any]:
        """Close the machines, within seconds."""
        for machine in self._bench.machines().values():
            machine.close()
        return {"status": "ok", "restart": restart}

    # What helps to write cells

    async def do_complete(self, code: str, cursor_pos: int) -> dict[str, Any]:
        """Words for the place of the cursor: magics, commands and paths in the guest."""
        errand = Errand(self._bells, partial(complete, self._bench, code[:cursor_pos], COMPLETION))
        answer = asyncio.wrap_future(errand.future)
        await asyncio.wait({answer}, timeout=2 * COMPLETION)
        known = answer.done() and answer.exception() is None
        matches, length = answer.result() if known else ([], 0)
        return {
            "status": "ok",
            "matches": matches,
            "cursor_start": cursor_pos - length,
            "cursor_end": cursor_pos,
            "metadata": {},
        }

    async def do_inspect(
        self, code: str, cursor_pos: int, detail_level: int = 0, omit_sections: Any = ()
    ) -> dict[str, Any]:
        """Help for the magic in whose line the cursor is."""
        line = code[:cursor_pos].rpartition("\n")[2] + code[cursor_pos:].partition("\n")[0]
        found = cell.MAGIC.match(line)
        known = found is not None and found[1] in commands.MAGICS
        data = {"text/plain": commands.help_of(found[1])} if found and known else {}
        return {"status": "ok", "found": known, "data": data, "metadata": {}}

    async def do_is_complete(self, code: str) -> dict[str, Any]:
        """For consoles, where a line may go on."""
        if cell.unfinished(code):
            return {"status": "incomplete", "indent": ""}
        return {"status": "complete"}


def failure(name: str, value: str, line: str = "") -> dict[str, Any]:
    """An error as the protocol has it; its traceback is the line that says it."""
    return {"ename": name, "evalue": value, "traceback": [f"\x1b[31m{line or value}\x1b[0m"]}


def reported(error: BaseException) -> dict[str, Any]:
    """An exception as an error: vnb's own in their words, others with the way that they came."""
    if isinstance(error, KeyboardInterrupt):
        return failure("KeyboardInterrupt", "interrupted")
    if isinstance(error, VnbError | OSError):
        return failure(type(error).__name__, str(error))
    lines = traceback.format_exception(error)
    return {"ename": type(error).__name__, "evalue": str(error), "traceback": lines}
