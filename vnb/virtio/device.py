"""The status machine of every VirtIO device: what a driver negotiates, kicks and resets.

A device never knows its transport. The transport turns register accesses into the methods of
`Device` and hands in one function that raises interrupts.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, ParamSpec

from vnb.errors import GuestError
from vnb.memory import Memory
from vnb.stats import Stats
from vnb.virtio.queue import Queue, QueueConfig

P = ParamSpec("P")

log = logging.getLogger(__name__)

# Device status [virtio 2.1]; the first four are set in this order.
ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK, NEEDS_RESET, FAILED = 1, 2, 8, 4, 64, 128
STEPS = (ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK)

# Features that belong to no device type in particular [virtio 6].
INDIRECT_DESC, EVENT_IDX, VERSION_1 = 1 << 28, 1 << 29, 1 << 32
COMMON = INDIRECT_DESC | EVENT_IDX | VERSION_1
FEATURE_WORDS = 4
"""Feature bits are exchanged 32 at a time; no word beyond these exists."""

Signal = Callable[[int | None], None]
"""Raises an interrupt: for the queue of this number, or for a config change if None."""

Post = Callable[[Callable[[], object]], None]
"""Has a function run on the machine's thread soon; any thread may call it."""

Field = Literal["size", "desc", "avail", "used", "ready"]


class Device:
    """Identity, features, config space, queues and status of one device.

    A device type sets `type` and `name` and overrides `serve`, and if it needs them `activate`,
    `deactivate` and `write_config`. Those may raise GuestError: the device then wants a reset,
    and nothing else happens to anyone.
    """

    type: ClassVar[int]
    name: ClassVar[str]
    needs: ClassVar[Mapping[int, int]] = {}
    """Feature bits that may only be accepted with others: {bit: those of which it needs one}."""
    room_is_request: ClassVar[bool] = False
    """Whether buffers of nothing but room are requests, and do not wait for input to come."""

    def __init__(self, features: int, queues: Sequence[int], config: bytes = b"") -> None:
        """`features` besides the common ones, the queues' largest sizes, and the config space."""
        self.offered = features | COMMON
        self.stats = Stats(self.name, kind=self.name)
        self.configs = tuple(QueueConfig(size) for size in queues)
        self._config = config
        self.generation = 0
        self.accepted = 0
        self.status = 0
        self._queues: dict[int, Queue] = {}  # the active ones; empty unless the device is live
        self._life = 0  # counts how often the driver went away
        self._memory: Memory | None = None
        self._signal: Signal = lambda queue: None
        self._post: Post = lambda function: None

    # What a transport uses.

    def connect(self, memory: Memory, signal: Signal, post: Post) -> None:
        """Put the device behind a transport; its buffers lie in `memory`."""
        self._memory = memory
        self._signal = signal
        self._post = post

    def accept_features(self, word: int, value: int) -> None:
        """The driver wants these 32 of the bits, until it sets FEATURES_OK."""
        if word >= FEATURE_WORDS or self.status & FEATURES_OK:
            return self.refuse("features written when they were settled, or beyond the last")
        self.accepted = self.accepted & ~(0xFFFF_FFFF << 32 * word) | value << 32 * word

    def set_status(self, value: int) -> None:
        """The driver writes its progress; 0 resets [virtio 2.1, 3.1.1].

        Steps are taken in order and never back. FEATURES_OK is refused, and stays clear, unless
        the accepted features are a valid subset of those offered.
        """
        if value == 0:
            return self.reset()
        if self.status & (FAILED | NEEDS_RESET):
            return self.refuse(f"status {value:#x} where only a reset helps")
        for step in STEPS:
            if value & step and not self.status & step and not self._step(step):
                break
        if value & FAILED:
            self.status |= FAILED
            self._stop()

    def configure(self, index: int, field: Field, value: int) -> None:
        """Set a register of queue `index`, from FEATURES_OK until it is ready [virtio 4.2.3.2].

        A queue in use can only be taken out of use, by `ready` = 0, until the next reset.
        """
        config = self.configs[index] if index < len(self.configs) else None
        if config is not None and field == "ready" and not value:
            config.ready = False
            self._queues.pop(index, None)
        elif (
            config is None or config.ready or self.status & (FEATURES_OK | DRIVER_OK) != FEATURES_OK
        ):
            self.refuse(f"the {field} of queue {index} written at the wrong time")
        elif field == "size" and not (0 < value <= config.max and value & (value - 1) == 0):
            self.refuse(f"a size of {value} for queue {index} of at most {config.max}")
        else:
            setattr(config, field, value)

    def notify(self, index: int) -> None:
        """The driver kicked queue `index`; harmless where there is no such active queue."""
        queue = self._queues.get(index)
        if queue is None:
            return self.stats.add("spurious kicks")
        self.run(self.serve, index, queue)
        self.stats.add("kicks")

    def read_config(self, offset: int, size: int) -> int:
        """`size` bytes of the config space; beyond its end it reads as zeros."""
        return int.from_bytes(self.config[offset : offset + size], "little")

    def write_config(self, offset: int, size: int, value: int) -> None:
        """The driver writes config space; nothing of it is writable unless a device says so."""
        self.refuse(f"config space written at {offset:#x}")

    def poll(self) -> None:
        """Something changed on the host's side of the device: look what it is."""

    def reset(self) -> None:
        """Back to the state of power-on: no features, no queues, no interrupts to come."""
        self._stop()
        self.status = self.accepted = 0
        for config in self.configs:
            config.reset()

    def refuse(self, what: str) -> None:
        """Count something that the driver may not do and that has had no effect."""
        if not self.stats["refused"]:
            log.warning("virtio %s: refused: %s", self.name, what)
        self.stats.add("refused")

    # What a device type uses.

    @property
    def config(self) -> bytes:
        """The config space; whenever it is set, the generation changes [virtio 2.5]."""
        return self._config

    @config.setter
    def config(self, config: bytes) -> None:
        self._config = config
        self.generation = (self.generation + 1) & 0xFF

    @property
    def live(self) -> bool:
        """Whether the driver is ready and nothing has gone wrong."""
        return self.status & (DRIVER_OK | FAILED | NEEDS_RESET) == DRIVER_OK

    def negotiated(self, feature: int) -> bool:
        """Whether the driver accepted this bit."""
        return self.accepted & feature != 0

    def queue(self, index: int) -> Queue | None:
        """Queue `index`, if it is active."""
        return self._queues.get(index)

    def run(self, work: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do `work` that touches queues: a GuestError of it ends here, in NEEDS_RESET.

        Afterwards the driver is interrupted for what was pushed, where it asked for that.
        """
        self.stats.begin()
        try:
            work(*args, **kwargs)
        except GuestError as error:
            self._break(error)
        for index, queue in self._queues.items():
            if queue.wants_interrupt():
                self.stats.add("interrupts")
                self._signal(index)

    def from_thread(self, work: Callable[P, Any]) -> Callable[P, None]:
        """A function for any thread to call, which has `run` do `work` on the machine's thread.

        It does nothing once the driver that is there now has gone away: the chains that `work`
        was to finish are then no longer the device's.
        """
        life = self._life

        def call(*args: P.args, **kwargs: P.kwargs) -> None:
            def finish() -> None:
                if life == self._life:
                    self.run(work, *args, **kwargs)

            self._post(finish)

        return call

    def change_config(self, config: bytes) -> None:
        """Replace the config space, and tell a driver that is there."""
        self.config = config
        if self.live:
            self.stats.add("interrupts")
            self._signal(None)

    def activate(self) -> None:
        """The driver is ready: all queues that it set up are there."""

    def deactivate(self) -> None:
        """The driver is gone: forget every chain and everything it said."""

    def serve(self, index: int, queue: Queue) -> None:
        """The driver made chains available in queue `index`."""
        raise NotImplementedError

    # The status machine.

    def _step(self, step: int) -> bool:
        """Take one step if the one before it was taken; whether it was."""
        before = STEPS[: STEPS.index(step)]
        if not all(self.status & bit for bit in before):
            self.refuse(f"status {step:#x} set before its turn")
            return False
        if step == FEATURES_OK and not self._acceptable():
            self.refuse(f"features {self.accepted:#x} of {self.offered:#x}")
            return False
        self.status |= step
        if step == DRIVER_OK:
            self.run(self._start)
        return True

    def _acceptable(self) -> bool:
        return (
            not self.accepted & ~self.offered
            and self.negotiated(VERSION_1)
            and all(
                self.negotiated(needed)
                for feature, needed in self.needs.items()
                if self.negotiated(feature)
            )
        )

    def _start(self) -> None:
        """Freeze the queues: what their registers say from now on reaches nobody."""
        assert self._memory is not None, "the transport connects the device first"
        event_idx, indirect = self.negotiated(EVENT_IDX), self.negotiated(INDIRECT_DESC)
        for index, config in enumerate(self.configs):
            if config.ready:
                self._queues[index] = Queue(
                    self._memory,
                    config,
                    event_idx=event_idx,
                    indirect=indirect,
                    stats=self.stats,
                    room_is_request=self.room_is_request,
                )
        self.activate()

    def _stop(self) -> None:
        self._life += 1
        self._queues = {}
        self.deactivate()

    def _break(self, error: GuestError) -> None:
        """Stop for good until the driver resets the device [virtio 2.1.2]."""
        if not self.stats["broken"]:
            log.warning("virtio %s wants a reset: %s", self.name, error)
        self.stats.add("broken")
        self.status |= NEEDS_RESET
        self._stop()
        if self.status & DRIVER_OK:
            self._signal(None)
