"""Where the files of a share live: in memory, in a folder of the host, or wherever fsspec goes.

What a share asks of them is written down where it asks: `vnb.virtio.ninep.files.Files`.
"""

from vnb.host.files.folder import Folder
from vnb.host.files.remote import Fsspec
from vnb.host.files.tree import Tree

__all__ = ["Folder", "Fsspec", "Tree"]
