"""Where the bytes of a disk live on the host: in a file, in memory, at a URL, or as changes."""

from vnb.host.block.changes import Changes
from vnb.host.block.disk import CLUSTER, SECTOR, Block, Source
from vnb.host.block.drive import Drive
from vnb.host.block.file import File, Raw
from vnb.host.block.opening import Format, open_image, over
from vnb.host.block.overlay import Content, InMemory, Memory, Overlay
from vnb.host.block.qcow2 import Qcow2
from vnb.host.block.url import Url, is_url

__all__ = [
    "CLUSTER",
    "SECTOR",
    "Block",
    "Changes",
    "Content",
    "Drive",
    "File",
    "Format",
    "InMemory",
    "Memory",
    "Overlay",
    "Qcow2",
    "Raw",
    "Source",
    "Url",
    "is_url",
    "open_image",
    "over",
]
