"""What counting costs: a guest's disk with statistics and without, taking turns in one boot.

    python benchmarks/stats.py [--turns 20]

Without means without a trace: the methods of queue and devices are compiled again with every
statement about statistics left out, and take the places of the true ones for a turn. Compared is
the CPU time of this process, which is the machine's thread and little else, for the same work.
On a busy computer the two differ by more than what is looked for; so what one request calls is
also timed by itself, and given as a share of the request's time.
"""

import ast
import contextlib
import inspect
import statistics
import time
from collections.abc import Iterator
from types import FunctionType, ModuleType

import click
from tables import host, table

from vnb import Console, Disk, Machine, images
from vnb.stats import Stats
from vnb.virtio import block, device, queue

WORK = {
    "4 KiB reads, direct": "dd if=/dev/vda of=/dev/null bs=4k count=4096 iflag=direct",
    "4 KiB writes, direct": "dd if=/dev/zero of=/dev/vda bs=4k count=4096 oflag=direct",
    "1 MiB reads, direct": "dd if=/dev/vda of=/dev/null bs=1M count=256 iflag=direct",
}


class Without(ast.NodeTransformer):
    """Leaves out every statement that speaks of statistics."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for field, value in ast.iter_fields(node):
            if isinstance(value, list) and any(isinstance(item, ast.stmt) for item in value):
                kept = [item for item in value if not self._counts(item)]
                setattr(node, field, kept or [ast.Pass()])
        return node

    def _counts(self, node: ast.stmt) -> bool:
        simple = isinstance(node, ast.Expr | ast.Assign | ast.If)
        words = ast.unparse(node.test if isinstance(node, ast.If) else node) if simple else ""
        return "stats." in words or "begun" in words or "_room_is_request" in words


def stripped(module: ModuleType) -> dict[str, dict[str, FunctionType]]:
    """The methods of the module's classes without statistics, those that had any."""
    tree = ast.fix_missing_locations(Without().visit(ast.parse(inspect.getsource(module))))
    space: dict[str, object] = {"__name__": module.__name__}
    exec(compile(tree, module.__file__ or "", "exec"), space)
    found: dict[str, dict[str, FunctionType]] = {}
    for name, cls in inspect.getmembers(module, inspect.isclass):
        if cls.__module__ != module.__name__:
            continue
        for method, true in inspect.getmembers(cls, inspect.isfunction):
            other = getattr(space[name], method)
            if method in vars(cls) and true.__code__.co_code != other.__code__.co_code:
                found.setdefault(name, {})[method] = FunctionType(
                    other.__code__, true.__globals__, method, other.__defaults__, true.__closure__
                )
    return found


@contextlib.contextmanager
def without_statistics(machine: Machine) -> Iterator[None]:
    """Meanwhile nothing is counted."""
    swaps = [
        (getattr(module, name), method, function)
        for module in (queue, device, block)
        for name, methods in stripped(module).items()
        for method, function in methods.items()
        if method != "__init__"
    ]
    true = [(cls, method, vars(cls)[method]) for cls, method, _ in swaps]

    def put(places: list[tuple[type, str, FunctionType]]) -> None:
        for cls, method, function in places:
            setattr(cls, method, function)

    machine.call(lambda: put(swaps))
    try:
        yield
    finally:
        machine.call(lambda: put(true))


def seconds(machine: Machine, command: str) -> float:
    """CPU seconds of this process for the command."""
    began = time.process_time()
    machine.shell(f"{command} 2>/dev/null", check=True)
    return time.process_time() - began


def alone(machine: Machine) -> float:
    """Seconds that counting takes for one request with one kick and one interrupt."""
    stats, repeats = Stats("alone"), 100_000
    stats.instructions = machine.stats["vda"].instructions
    began = time.process_time()
    for _ in range(repeats):
        stats.begin()
        begun = stats.taken(1)
        stats.add("read", 4096, "bytes")
        stats.answered(begun)
        stats.add("kicks")
        stats.add("interrupts")
    return (time.process_time() - began) / repeats


@click.command()
@click.option("--turns", default=20, show_default=True, help="How often each is measured.")
def main(turns: int) -> None:
    """Print what statistics cost of a disk's throughput."""
    rows = []
    with Machine(images.debian(), devices=[Console(), Disk(size="256M")]) as machine:
        for name, command in WORK.items():
            seconds(machine, command)
            pairs = []
            for _ in range(turns):
                with without_statistics(machine):
                    before = machine.stats["vda"]["requests"]
                    bare = seconds(machine, command)
                    assert machine.stats["vda"]["requests"] == before
                whole = seconds(machine, command)
                requests = machine.stats["vda"]["requests"] - before
                pairs.append((bare, whole))
            share = statistics.median(whole / bare for bare, whole in pairs) - 1
            counting = alone(machine)
            best = [min(column) for column in zip(*pairs, strict=True)]
            rows.append(
                [
                    name,
                    f"{best[0] / requests * 1e6:.2f} µs",
                    f"{best[1] / requests * 1e6:.2f} µs",
                    f"{best[1] / best[0] - 1:+.1%}",
                    f"{share:+.1%}",
                    f"{counting * 1e6:.2f} µs",
                    f"{counting * requests / best[0]:.1%}",
                ]
            )
    print(host())
    heads = [
        "without, each",
        "with, each",
        "best to best",
        "median pair",
        "counting alone",
        "share",
    ]
    print(table(["work", *heads], rows))


if __name__ == "__main__":
    main()
