"""Guest RAM: every byte that a device, a loader or a cell reads or writes passes through here."""

import ctypes
import hashlib
import mmap
import struct
import sys
from collections.abc import Callable
from contextlib import suppress

from vnb.errors import GuestError, UsageError

PAGE = 4096

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


def _address_of(block: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(block))


def anonymous(size: int, protection: int = mmap.PROT_READ | mmap.PROT_WRITE) -> mmap.mmap:
    """Zeroed pages that cost the host nothing until they are touched, large ones where it may."""
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=protection)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without them
            block.madvise(mmap.MADV_HUGEPAGE)
    return block


class Memory:
    """`size` bytes of RAM at physical address `base`, lazily backed by the host.

    Compiled code reaches RAM by `address`; everyone else by these methods, which check every
    range (GuestError outside RAM) and report writes to pages of which a hart holds decoded
    instructions: those pages have a non-zero entry in `code_pages`.
    """

    def __init__(self, size: int, base: int = 0x8000_0000) -> None:
        if size <= 0 or size % PAGE:
            raise UsageError(f"size must be a positive multiple of {PAGE} bytes, not {size}")
        self.base = base
        self.size = size
        try:
            self._block = anonymous(size)
        except (OSError, OverflowError) as error:
            raise UsageError(f"the host cannot reserve {size} bytes of guest RAM") from error
        self.address = _address_of(self._block)
        self._bytes = memoryview(self._block)
        self._readonly = self._bytes.toreadonly()
        code_pages = anonymous(size // PAGE * 4)
        self.code_pages_address = _address_of(code_pages)
        self.code_pages = memoryview(code_pages).cast("I")
        self.on_code_write: Callable[[int, int], None] = lambda first, last: None

    def contains(self, address: int, length: int) -> bool:
        """Whether `length` bytes from `address` all lie in RAM."""
        return self.base <= address and address + length <= self.base + self.size and length >= 0

    def _offset(self, address: int, length: int) -> int:
        offset = address - self.base
        if offset < 0 or length < 0 or offset + length > self.size:
            raise GuestError(f"{length} bytes at {address:#x} are not in RAM")
        return offset

    def _written(self, offset: int, length: int) -> None:
        """Report a write, before it happens, that touches decoded instructions."""
        first, last = offset // PAGE, (offset + length - 1) // PAGE
        if first == last:
            touched = self.code_pages[first] != 0
        else:
            touched = any(self.code_pages[first : last + 1])
        if touched:
            self.on_code_write(first, last)

    def view(self, address: int, length: int) -> memoryview:
        """A read-only window on RAM, without a copy."""
        offset = self._offset(address, length)
        return self._readonly[offset : offset + length]

    def writable(self, address: int, length: int) -> memoryview:
        """A window to write through at once, without a copy."""
        offset = self._offset(address, length)
        if length:
            self._written(offset, length)
        return self._bytes[offset : offset + length]

    def read(self, address: int, length: int) -> bytes:
        """A copy of `length` bytes."""
        return bytes(self.view(address, length))

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Store all of `data`, or nothing if any of it falls outside RAM."""
        self.writable(address, len(data))[:] = data

    def fill(self, address: int, length: int, byte: int = 0) -> None:
        """Set `length` bytes to `byte`."""
        window = self.writable(address, length)
        chunk = bytes([byte]) * min(length, 1 << 20)
        for start in range(0, length, 1 << 20):
            window[start : start + len(chunk)] = chunk[: length - start]

    def read_u16(self, address: int) -> int:
        """The little-endian 16-bit word at `address`."""
        return int(_U16.unpack_from(self._bytes, self._offset(address, 2))[0])

    def read_u32(self, address: int) -> int:
        """The little-endian 32-bit word at `address`."""
        return int(_U32.unpack_from(self._bytes, self._offset(address, 4))[0])

    def read_u64(self, address: int) -> int:
        """The little-endian 64-bit word at `address`."""
        return int(_U64.unpack_from(self._bytes, self._offset(address, 8))[0])

    def write_u16(self, address: int, value: int) -> None:
        """Store a little-endian 16-bit word."""
        offset = self._offset(address, 2)
        self._written(offset, 2)
        _U16.pack_into(self._bytes, offset, value)

    def write_u32(self, address: int, value: int) -> None:
        """Store a little-endian 32-bit word."""
        offset = self._offset(address, 4)
        self._written(offset, 4)
        _U32.pack_into(self._bytes, offset, value)

    def write_u64(self, address: int, value: int) -> None:
        """Store a little-endian 64-bit word."""
        offset = self._offset(address, 8)
        self._written(offset, 8)
        _U64.pack_into(self._bytes, offset, value)

    def clear(self) -> None:
        """Zero all of RAM and give its pages back to the host, as a power cycle does."""
        if sys.platform == "linux":  # elsewhere the advice may leave the bytes as they are
            self._block.madvise(mmap.MADV_DONTNEED)
        else:
            self.fill(self.base, self.size)
        self.on_code_write(0, self.size // PAGE - 1)

    def sha256(self) -> str:
        """The hash of all RAM, in hexadecimal."""
        return hashlib.sha256(self._readonly).hexdigest()
