"""A front end: runs cells in a kernel and keeps what came of them."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

Message = dict[str, Any]


@dataclass
class Cell:
    """What a cell showed, in order, and the reply to it."""

    messages: list[tuple[float, str, Message]] = field(default_factory=list)
    reply: Message = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def text(self) -> str:
        return "".join(it["text"] for _, kind, it in self.messages if kind == "stream")

    def shown(self, kind: str = "display_data") -> list[Message]:
        return [it["data"] for _, of, it in self.messages if of == kind]


class Client:
    """One kernel, and this front end of it."""

    def __init__(self, name: str = "vnb", **environment: str) -> None:
        self.manager: KernelManager
        self.channels: BlockingKernelClient
        self.manager, self.channels = start_new_kernel(
            kernel_name=name, env=os.environ | environment
        )

    def close(self) -> None:
        self.channels.stop_channels()
        self.manager.shutdown_kernel()

    def run(
        self, code: str, meanwhile: Callable[[Cell], None] | None = None, silent: bool = False
    ) -> Cell:
        """Run a cell; `meanwhile` is called after each message of it."""
        began, cell = time.monotonic(), Cell()
        sent = self.channels.execute(code, silent=silent)
        while (message := self._next(self.channels.get_iopub_msg, sent)) is not None:
            kind, content = message["msg_type"], message["content"]
            cell.messages.append((time.monotonic() - began, kind, content))
            if meanwhile:
                meanwhile(cell)
            if kind == "status" and content["execution_state"] == "idle":
                break
        reply = self._next(self.channels.get_shell_msg, sent)
        cell.reply = reply["content"]
        cell.seconds = time.monotonic() - began
        return cell

    def complete(self, code: str) -> tuple[list[str], str]:
        """What a cell could go on with at its end, and the part of it that this replaces."""
        found = self.ask("complete", code)
        return found["matches"], code[found["cursor_start"] : found["cursor_end"]]

    def ask(self, what: str, *arguments: Any) -> Message:
        """The reply to a request that is no cell."""
        sent = getattr(self.channels, what)(*arguments)
        content: Message = self._next(self.channels.get_shell_msg, sent)["content"]
        return content

    def interrupt(self) -> float:
        """Seconds until the kernel has answered to an interrupt."""
        began = time.monotonic()
        message = self.channels.session.msg("interrupt_request", {})
        self.channels.control_channel.send(message)
        reply = self._next(self.channels.get_control_msg, message["header"]["msg_id"])
        assert reply["content"]["status"] == "ok"
        return time.monotonic() - began

    def _next(self, get: Callable[..., Message], sent: str) -> Message:
        """The next message in answer to what was sent."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                message = get(timeout=5)
            except Empty:
                assert self.channels.is_alive(), "the kernel died"
                continue
            if message["parent_header"].get("msg_id") == sent:
                return message
        raise TimeoutError("the kernel did not answer")
