"""Kernel modules pass through here: what each needs, and in which order they can be loaded."""

import io
import lzma
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vnb.errors import HostError

# The modules that vnb's devices and their file systems need, each with those it wants beside it
# although no symbol ties the two. What they depend on in turn, the modules themselves say.
WANTED: dict[str, tuple[str, ...]] = {
    "virtio_mmio": (),
    "virtio_blk": (),
    "virtio_net": (),
    "virtio_rng": (),
    "virtio_gpu": (),
    "virtio_input": ("evdev",),  # without it there is no /dev/input/event*
    "9pnet_virtio": (),
    "9p": (),
    "ext4": ("crc32c_generic",),  # the checksum of its metadata, asked for by name at run time
    "vfat": ("nls_cp437", "nls_ascii"),
    "loop": (),
}


@dataclass(frozen=True)
class Module:
    """One module as its file tells: depends are names, aliases patterns of what it drives."""

    name: str
    path: str
    content: bytes
    depends: tuple[str, ...]
    aliases: tuple[str, ...]


def name_of(path: str) -> str:
    """A module's name by its file: "a/virtio-rng.ko.xz" is virtio_rng."""
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


def read(path: str, content: bytes) -> Module:
    """A module from its file, plain or as .ko.xz; path loses the .xz as content does."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        if path.endswith(".xz"):
            path, content = path.removesuffix(".xz"), lzma.decompress(content)
        section = ELFFile(io.BytesIO(content)).get_section_by_name(".modinfo")
    except (ELFError, lzma.LZMAError) as broken:
        raise HostError(f"{path} is no kernel module: {broken}") from broken
    if section is None:
        raise HostError(f"{path} is no kernel module: it has no .modinfo section")
    facts = [fact.partition("=") for fact in section.data().decode().split("\0")]
    depends = next((value for key, _, value in facts if key == "depends"), "")
    return Module(
        name_of(path),
        path,
        content,
        tuple(name.replace("-", "_") for name in depends.split(",") if name),
        tuple(value for key, _, value in facts if key == "alias"),
    )


def closure(
    files: Mapping[str, bytes], wanted: Mapping[str, Iterable[str]] = WANTED
) -> dict[str, Module]:
    """The wanted modules and all that they need, by name, each after what it needs.

    files: contents of the kernel's modules by path. HostError where one that is needed is not
    among them, or where they need each other in a circle.
    """
    paths = {name_of(path): path for path in files}
    found: dict[str, Module] = {}
    pending: list[str] = []  # from a wanted module down to the one that is being looked at

    def visit(name: str) -> None:
        if name in found:
            return
        if name in pending:
            raise HostError(f"kernel modules need each other: {' → '.join([*pending, name])}")
        if name not in paths:
            needed = f", which {pending[-1]} needs" if pending else ""
            raise HostError(f"the kernel package has no module {name}{needed}")
        module = read(paths[name], files[paths[name]])
        pending.append(name)
        for needed in (*module.depends, *wanted.get(name, ())):
            visit(needed)
        pending.pop()
        found[name] = module

    for name in wanted:
        visit(name)
    return found


def dependency_table(
    modules: dict[str, Module], wanted: Mapping[str, Iterable[str]] = WANTED
) -> bytes:
    """modules.dep, as modprobe reads it: each file with all that it needs.

    modprobe loads a line's files from its end, so what all others need stands there.
    """
    needs: dict[str, set[str]] = {}
    lines = []
    for name, module in modules.items():  # each after what it needs
        direct = {*module.depends, *wanted.get(name, ())}
        needs[name] = direct.union(*(needs[near] for near in direct))
        order = [modules[need].path for need in reversed(modules) if need in needs[name]]
        lines.append(f"{' '.join([module.path + ':', *order])}\n")
    return "".join(lines).encode()


def alias_table(modules: Mapping[str, Module]) -> bytes:
    """modules.alias, as modprobe reads it: which device or name calls for which module."""
    return b"".join(
        f"alias {alias} {module.name}\n".encode()
        for module in modules.values()
        for alias in module.aliases
    )
