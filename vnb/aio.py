"""The awaitable mirror of what blocks: `await machine.aio.shell("make")` leaves the kernel free."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from vnb.waiting import Bell, awaited


class Aio:
    """`target`'s blocking methods of these names, each as a coroutine with the same arguments.

    Cancelling one is what Ctrl-C is to the blocking method. `children` mirror attributes.
    """

    def __init__(
        self, target: object, bell: Bell, names: tuple[str, ...], **children: "Aio"
    ) -> None:
        self._target = target
        self._bell = bell
        self._names = names
        self.__dict__.update(children)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name not in self._names:
            raise AttributeError(f"aio has {', '.join(self._names)}, but no {name!r}")
        method = getattr(self._target, name)

        @wraps(method)
        async def mirrored(*args: Any, **kwargs: Any) -> Any:
            return await awaited(self._bell, method, *args, **kwargs)

        return mirrored

    def __dir__(self) -> list[str]:
        return sorted({*self._names, *self.__dict__})
