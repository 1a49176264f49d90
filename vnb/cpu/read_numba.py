"""The engine as numba reads it: the portable reading, slower to compile.

numba caches what it compiles beside a source file, so the lowered engine is written to one, named
by its content, in the user's cache.
"""

import ast
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

from vnb.cpu import objects
from vnb.cpu.dialect import engine
from vnb.cpu.emit import OPERATORS
from vnb.cpu.progress import Progress
from vnb.cpu.words import WORDS

_INLINE = "@njit(nogil=True, error_model='numpy', no_cpython_wrapper=True, no_cfunc_wrapper=True)\n"
_ENTRY = "@njit(uint64(uint64), nogil=True, error_model='numpy', cache=True)\n"


class _Name(ast.NodeTransformer):
    """Operators become calls of words, literals become uint64 globals: numba infers nothing."""

    def __init__(self) -> None:
        self.literals: dict[str, int] = {}

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, bool):
            return node
        value = cast(int, node.value)
        name = f"k{value:x}"
        self.literals[name] = value
        return ast.Name(name, ast.Load())

    def _word(self, operator: object, *operands: ast.expr) -> ast.expr:
        name = ast.Name(type(operator).__name__, ast.Load())
        return ast.Call(name, [self.visit(operand) for operand in operands], [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        return self._word(node.op, node.left, node.right)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        return self._word(node.ops[0], node.left, node.comparators[0])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.op, ast.Not):
            return ast.UnaryOp(node.op, self.visit(node.operand))
        return self._word(node.op, node.operand)


def lowered_source() -> str:
    """The engine as a module of numba functions; each begins with its decorator."""
    naming = _Name()
    functions = [
        (_ENTRY if function.name == "run" else _INLINE) + ast.unparse(naming.visit(function))
        for function in engine().functions
    ]
    literals = (f"{name} = uint64({value:#x})" for name, value in naming.literals.items())
    head = (
        '"""The engine of vnb, lowered for numba. Written by vnb.cpu.read_numba."""',
        "from numba import njit, uint64 as word",
        "from numpy import uint64",
        f"from vnb.cpu.numba_words import {', '.join([*WORDS, *OPERATORS])}",
    )
    text = "\n".join([*head, *literals, *functions]) + "\n"
    return text.replace("uint64(uint64)", "word(word)")


def _write(text: str) -> tuple[Path, bool]:
    """The file that holds `text`, and whether it was there before."""
    digest = hashlib.sha256((text + objects.key("numba")).encode()).hexdigest()[:16]
    for folder in (objects.folder(), Path(tempfile.gettempdir()) / f"vnb-{os.getuid()}"):
        place = folder / f"engine_{digest}.py"
        if place.exists():
            return place, True
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = place.with_name(f".{place.name}.{os.getpid()}")
            temporary.write_text(text)
            temporary.replace(place)
            return place, False
        except OSError:
            continue
    raise OSError(f"neither {objects.folder()} nor {tempfile.gettempdir()} can be written")


def _compile_with_progress(functions: int, execute: Callable[[], None]) -> None:
    """Run `execute`, which compiles the functions one by one, and tell how far it is."""
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, happened: event.Event) -> None:
            pass

        def on_end(self, happened: event.Event) -> None:
            progress.step(happened.data["dispatcher"].py_func.__name__)

    title = "compiling the engine with numba, once"
    with (
        Progress(title, steps=functions) as progress,
        event.install_listener("numba:compile", Listener()),
    ):
        execute()


def load() -> Callable[[int], int]:
    """The engine's run(S), compiled by numba or from its cache; it frees the GIL while it runs."""
    from numpy import uint64

    source = lowered_source()
    place, known = _write(source)
    specification = importlib.util.spec_from_file_location(place.stem, place)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[place.stem] = module  # cached code looks its functions up by module
    loader = specification.loader
    if known:
        loader.exec_module(module)
    else:
        _compile_with_progress(source.count("@njit"), lambda: loader.exec_module(module))
    run: Callable[[uint64], int] = module.run
    return lambda address: int(run(uint64(address)))
