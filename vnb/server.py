"""What a kernel says passes the Jupyter server at once, where that would hold it back."""

from typing import Any

CONNECTION = "kernel_websocket_connection_class"
"""The server's setting for what joins a page to a kernel."""


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """What the server is to load."""
    return [{"module": "vnb.server"}]


def _load_jupyter_server_extension(app: Any) -> None:
    """Change how this server joins pages to kernels, and nothing else."""
    settings = app.web_app.settings
    settings[CONNECTION] = prompt(settings[CONNECTION])


def prompt(connection: Any) -> type[Any]:
    """The same kind of connection, but its websocket sends each message when it comes.

    A kernel answers a key with three messages: busy, idle, and what the guest echoes. TCP keeps the
    second and third back until the browser has acknowledged the first [RFC 896], and a browser's
    host waits with that for something else to send, 40 ms on Linux [RFC 1122 4.2.3.2].
    """

    class Prompt(connection):  # type: ignore[misc]
        def connect(self) -> Any:
            self.websocket_handler.set_nodelay(True)
            return super().connect()

    return Prompt
