"""The network card: frames between the driver's buffers and a place on a network [virtio 5.1]."""

import struct
from collections import deque
from typing import ClassVar, Protocol

from vnb.errors import GuestError
from vnb.frame import GSO_ECN, GSO_TCPV4, GSO_TCPV6, LARGEST, Frame, parse
from vnb.virtio.device import Device
from vnb.virtio.net_filter import CTRL_MAC_ADDR, CTRL_RX, CTRL_RX_EXTRA, CTRL_VLAN, Filter
from vnb.virtio.queue import Chain, Queue

# Features [virtio 5.1.3]
CSUM, GUEST_CSUM, MTU, MAC = 1 << 0, 1 << 1, 1 << 3, 1 << 5
GUEST_TSO4, GUEST_TSO6, GUEST_ECN = 1 << 7, 1 << 8, 1 << 9
HOST_TSO4, HOST_TSO6, HOST_ECN = 1 << 11, 1 << 12, 1 << 13
MRG_RXBUF, STATUS, CTRL_VQ = 1 << 15, 1 << 16, 1 << 17

OFFERED = (
    (CSUM | GUEST_CSUM | MTU | MAC | MRG_RXBUF | STATUS)
    | (GUEST_TSO4 | GUEST_TSO6 | GUEST_ECN | HOST_TSO4 | HOST_TSO6 | HOST_ECN)
    | (CTRL_VQ | CTRL_RX | CTRL_RX_EXTRA | CTRL_VLAN | CTRL_MAC_ADDR)
)

# What a driver has to accept to send, or to receive, frames of each GSO type.
SENDING = {GSO_TCPV4: HOST_TSO4, GSO_TCPV6: HOST_TSO6, GSO_ECN: HOST_ECN}
RECEIVING = {GSO_TCPV4: GUEST_TSO4, GSO_TCPV6: GUEST_TSO6, GSO_ECN: GUEST_ECN}

RX, TX, CONTROL = range(3)
QUEUE_SIZES = (256, 256, 64)

CONFIG = struct.Struct("<6sHHH")  # mac, status, queue pairs (there is no MQ), mtu [virtio 5.1.4]
LINK_UP = 1

HEADER = struct.Struct("<10sH")  # what vnb.frame knows, and the buffers that the frame lies in
COMMAND = struct.Struct("<BB")  # class, command
OK, ERR = b"\0", b"\1"

ETHERNET = 22
"""Bytes around what the MTU limits: the Ethernet header with two VLAN tags."""


class Backend(Protocol):
    """A place on a network. Frames wait in it until they are taken; it keeps only so many."""

    @property
    def mac(self) -> bytes: ...
    @property
    def carrier(self) -> bool: ...
    @property
    def dropped(self) -> int: ...
    def send(self, frame: Frame, /) -> None: ...
    def take(self) -> Frame | None: ...
    def clear(self) -> None: ...


class Net(Device):
    """A network card over `backend`; `mtu` is the longest IP packet that goes out whole."""

    type = 1
    name = "net"
    needs: ClassVar = {
        GUEST_TSO4: GUEST_CSUM,
        GUEST_TSO6: GUEST_CSUM,
        HOST_TSO4: CSUM,
        HOST_TSO6: CSUM,
        GUEST_ECN: GUEST_TSO4 | GUEST_TSO6,
        HOST_ECN: HOST_TSO4 | HOST_TSO6,
        CTRL_RX: CTRL_VQ,
        CTRL_RX_EXTRA: CTRL_VQ,
        CTRL_VLAN: CTRL_VQ,
        CTRL_MAC_ADDR: CTRL_VQ,
    }

    def __init__(self, backend: Backend, mtu: int = 1500) -> None:
        self._backend = backend
        self._mtu = mtu
        self._filter = Filter(backend.mac)
        self._known_drops = backend.dropped
        # Frames on their way to the driver, cut up where it needs that, and buffers that were
        # taken for the first of them but do not hold all of it yet.
        self._frames: deque[Frame] = deque()
        self._room: list[Chain] = []
        self._sendable: frozenset[int] = frozenset()
        self._receivable: frozenset[int] = frozenset()
        super().__init__(OFFERED, QUEUE_SIZES, self._describe())

    def poll(self) -> None:
        """Frames may have come, or the carrier come or gone."""
        self._refresh()
        if self.live:
            self.run(self._receive)
        else:
            self._backend.clear()

    def activate(self) -> None:
        self._filter.reset(self.accepted)
        self._sendable = self._kinds(SENDING)
        self._receivable = self._kinds(RECEIVING)
        self._backend.clear()

    def deactivate(self) -> None:
        self._frames.clear()
        self._room.clear()
        self._filter.reset(0)
        self.config = self._describe()

    def serve(self, index: int, queue: Queue) -> None:
        if index == RX:
            self._receive()
        elif index == TX:
            for chain in queue:
                self._send(chain)
                queue.push(chain, 0)
        else:
            for chain in queue:
                queue.push(chain, self._control(chain))

    # From the driver.

    def _send(self, chain: Chain) -> None:
        """Pass one frame on, or drop it if it is none that its driver may send."""
        header, _ = HEADER.unpack(chain.reader.read(HEADER.size))
        size = chain.reader.available
        frame = parse(header, chain.reader.read(size)) if size <= LARGEST else None
        if frame is None or not self._may_send(frame):
            self.stats.add("malformed")
            return
        self.stats.add("sent", size, "bytes")
        self.stats.add("frames sent")
        self._backend.send(frame)

    def _may_send(self, frame: Frame) -> bool:
        """Whether what is left to be done to the frame was negotiated, and it is not too long."""
        if frame.gso_type:
            return frame.gso_type in self._sendable and frame.gso_size <= self._mtu
        return len(frame.data) <= self._mtu + ETHERNET and not (
            frame.flags and not self.negotiated(CSUM)
        )

    # To the driver.

    def _receive(self) -> None:
        """From the network into buffers, while there are both."""
        queue = self.queue(RX)
        if missed := self._backend.dropped - self._known_drops:
            self._known_drops += missed
            self.stats.add("dropped", missed)
        while queue is not None and self._next_frame():
            if not self._deliver(queue, self._frames[0]):
                break
            self._frames.popleft()

    def _next_frame(self) -> bool:
        """Whether there is a frame for the driver: if need be, take one that it wants."""
        while not self._frames and (frame := self._backend.take()):
            if not self._filter.accepts(frame.data):
                self.stats.add("filtered")
            elif self._may_receive(frame):
                self._frames.append(frame)
            else:
                self._frames.extend(map(Frame, frame.plain()))
        return len(self._frames) > 0

    def _may_receive(self, frame: Frame) -> bool:
        """Whether the driver can deal with what is left to be done to the frame."""
        if frame.gso_type:
            return frame.gso_type in self._receivable
        return not frame.flags or self.negotiated(GUEST_CSUM)

    def _deliver(self, queue: Queue, frame: Frame) -> bool:
        """Put a frame where the driver has room; False if it has to give more room first.

        A frame that can never fit is dropped: one that is longer than its one buffer, where the
        driver does not merge them, or longer than all buffers that the queue can hold.
        """
        room = self._room
        size = HEADER.size + len(frame.data)
        count = space = 0
        while space < size:
            if count == len(room):
                if count == queue.size or (count and not self.negotiated(MRG_RXBUF)):
                    self.stats.add("dropped")
                    return True
                chain = queue.pop()
                if chain is None:
                    return False
                if chain.writer.available < HEADER.size:
                    raise GuestError("a network buffer without room for a header")
                room.append(chain)
            space += room[count].writer.available
            count += 1
        part, left = HEADER.pack(frame.header(), count), memoryview(frame.data)
        for chain in room[:count]:
            space = chain.writer.available - len(part)
            part += left[:space]
            chain.writer.write(part)
            queue.push(chain, len(part))
            part, left = b"", left[space:]
        del room[:count]
        self.stats.add("received", len(frame.data), "bytes")
        self.stats.add("frames received")
        return True

    # What there is to be said about it.

    def _control(self, chain: Chain) -> int:
        """Obey one command; the bytes of its answer."""
        command = COMMAND.unpack(chain.reader.read(COMMAND.size))
        if not chain.writer.available:
            raise GuestError("a network command without room for its answer")
        done = self._filter.obey(command, chain.reader)
        if not done:
            self.stats.add("errors")
        self._refresh()
        chain.writer.write(OK if done else ERR)
        return chain.writer.written

    def _refresh(self) -> None:
        """Tell the driver if the config space is no longer what it was."""
        config = self._describe()
        if config != self.config:
            self.change_config(config)

    def _describe(self) -> bytes:
        """The config space, as card and network are now."""
        return CONFIG.pack(self._filter.mac, LINK_UP if self._backend.carrier else 0, 0, self._mtu)

    def _kinds(self, needed: dict[int, int]) -> frozenset[int]:
        """The GSO types, ECN included, for which the driver has accepted what is needed."""
        kinds = [kind for kind in (GSO_TCPV4, GSO_TCPV6) if self.negotiated(needed[kind])]
        if self.negotiated(needed[GSO_ECN]):
            kinds += [kind | GSO_ECN for kind in kinds]
        return frozenset(kinds)
