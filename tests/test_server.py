"""The extension of the Jupyter server: messages of a kernel are not held back on their way."""

import asyncio
import json
import socket
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jupyter_server.extension.utils import validate_extension
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect

from vnb import server
from vnb.server import CONNECTION, prompt

ROOT = Path(__file__).parents[1]


def test_the_wheel_puts_where_servers_look_what_names_an_extension_that_they_can_load() -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]
    shared = hatch["build"]["targets"]["wheel"]["shared-data"]
    (source,) = (source for source, target in shared.items() if "jupyter_server_config.d" in target)
    installed = json.loads((ROOT / source).read_text())
    for name, enabled in installed["ServerApp"]["jpserver_extensions"].items():
        assert enabled
        assert validate_extension(name)


def test_the_server_s_own_kind_of_connection_stays_what_it_was() -> None:
    settings = {CONNECTION: ZMQChannelsWebsocketConnection, "else": 1}
    server._load_jupyter_server_extension(
        SimpleNamespace(web_app=SimpleNamespace(settings=settings))
    )
    assert issubclass(settings.pop(CONNECTION), ZMQChannelsWebsocketConnection)
    assert settings == {"else": 1}


class Connection:
    """What the server makes for each page; says how its socket is set when it begins."""

    def __init__(self, handler: WebSocketHandler) -> None:
        self.websocket_handler = handler

    async def connect(self) -> None:
        stream: Any = self.websocket_handler.ws_connection.stream
        delays = stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
        await self.websocket_handler.write_message("delays" if delays else "at once")


async def said_by(kind: Any) -> Any:
    """What a page hears first from a connection of this kind."""

    class Handler(WebSocketHandler):
        async def open(self, *args: str, **kwargs: str) -> None:
            await kind(self).connect()

    listening, port = bind_unused_port()
    http = HTTPServer(Application([("/", Handler)]))
    http.add_socket(listening)
    page = await websocket_connect(f"ws://127.0.0.1:{port}/")
    heard = await page.read_message()
    page.close()
    http.stop()
    return heard


def test_a_websocket_sends_each_message_when_it_comes() -> None:
    assert asyncio.run(said_by(Connection)) == "delays"
    assert asyncio.run(said_by(prompt(Connection))) == "at once"
