"""The committed engine, its dialect, the words under it, and the cache of what was compiled."""

import ast
import ctypes
import inspect
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from vnb.cpu import csr, dialect, generate, isa, objects, state, words
from vnb.cpu.emit import EMIT, OPERATORS
from vnb.cpu.lower_llvm import CALLED_BY_REGIONS, NOINLINE

SOURCES = sorted((Path(generate.__file__).parent / "source").glob("*.py"))


def test_the_committed_engine_is_what_the_tables_and_sources_generate() -> None:
    assert generate.ENGINE.read_text() == generate.generate()


def test_every_source_file_is_part_of_the_engine() -> None:
    assert {path.stem for path in SOURCES} == set(generate.SOURCES)


def test_no_two_rows_of_the_table_claim_the_same_word() -> None:
    for one, other in combinations(isa.ROWS, 2):
        assert (one.match ^ other.match) & one.mask & other.mask, (one.name, other.name)


def test_every_row_is_as_long_as_its_instruction() -> None:
    assert {len(row.bits) for row in isa.ROWS} == {32}
    assert {len(row.bits) for row in isa.COMPRESSED_ROWS} == {16}


def test_every_compressed_row_places_each_of_its_immediate_bits() -> None:
    for row in isa.COMPRESSED_ROWS:
        assert row.bits.count("i") == len(row.scatter), row


def test_no_two_csrs_share_a_number() -> None:
    assert len(csr.NUMBERS) == sum(row.last - row.first + 1 for row in csr.ROWS)
    assert len(set(csr.NUMBERS.values())) == len(csr.NUMBERS)


def test_every_word_of_state_is_used_by_the_engine_or_the_hart() -> None:
    text = generate.ENGINE.read_text()
    text += (Path(generate.__file__).parent / "hart.py").read_text()
    reached_by_address = {f"pmpaddr{k}" for k in range(1, 16)}
    for name in state.OFFSETS.keys() - reached_by_address:
        assert re.search(rf"\b{name}\b", text), name


def test_every_engine_function_is_called_or_the_entry() -> None:
    functions = dialect.engine().functions
    called = {
        node.func.id
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called >= set(words.WORDS), "a word that the engine never speaks"
    names = {function.name for function in functions}
    assert names - called == {"run", *CALLED_BY_REGIONS}
    assert names >= NOINLINE


def test_the_words_are_the_same_for_python_and_llvm() -> None:
    assert set(words.WORDS) == set(EMIT)


def test_the_dialect_names_what_it_does_not_have() -> None:
    with pytest.raises(dialect.DialectError, match=r"line 2: S\.nowhere"):
        dialect.lower("def f(S):\n    return S.nowhere\n")


# words: CPython against LLVM ---------------------------------------------------------------------

HOST = {"host_ticks", "memset", "fmad", "fmas", "enter"}
MEMORY = {name for name in words.WORDS if re.match(r"(ld|st)s?\d", name)}


def compiled(names: list[str]) -> dict[str, Callable[..., int]]:
    """Each word as a native function of its own."""
    import llvmlite.binding as llvm
    from llvmlite import ir

    from vnb.cpu.read_llvm import target_machine

    module = ir.Module("words")
    for name in names:
        arity = len(inspect.signature(words.WORDS[name]).parameters)
        kind = ir.FunctionType(ir.IntType(64), [ir.IntType(64)] * arity)
        function = ir.Function(module, kind, f"word_{name}")
        builder = ir.IRBuilder(function.append_basic_block())
        builder.ret(EMIT[name](builder, *function.args))
    machine = target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), machine)
    engine.finalize_object()
    word = ctypes.c_uint64

    def native(name: str) -> Callable[..., int]:
        arity = len(inspect.signature(words.WORDS[name]).parameters)
        call = ctypes.CFUNCTYPE(word, *[word] * arity)(engine.get_function_address(f"word_{name}"))
        call.engine = engine  # type: ignore[attr-defined]
        return call

    return {name: native(name) for name in names}


def operand(rng: random.Random) -> int:
    """A word that is likely to be a corner: small, huge, a float, a boxed single, or anything."""
    choice = rng.randrange(5)
    if choice == 0:
        return rng.choice([0, 1, 2, 63, 64, words.MASK, 1 << 63, (1 << 63) - 1, 1 << 31, 1 << 32])
    if choice == 1:
        return words.double_bits(rng.uniform(-1e6, 1e6))
    if choice == 2:
        return words.BOX | rng.getrandbits(32)
    if choice == 3:
        return rng.getrandbits(rng.randrange(1, 64))
    return rng.getrandbits(64)


def usable(name: str, operands: list[int]) -> bool:
    """Whether the dialect says what the word means for these operands."""
    if name == "sar":
        return operands[1] < 64
    if name in ("quo", "rem"):
        return operands[1] != 0
    if name in ("squo", "srem"):
        return operands[1] != 0 and operands != [1 << 63, words.MASK]
    if name in ("s2i", "d2i"):
        number = words.single(operands[0]) if name == "s2i" else words.double(operands[0])
        return -(2.0**63) <= number < 2.0**63
    return True


def is_nan(bits: int) -> bool:
    single = bits >> 32 == 0xFFFFFFFF and bits & 0x7FFFFFFF > 0x7F800000
    return single or bits & ~(1 << 63) > 0x7FF << 52


def test_every_word_means_the_same_to_python_and_llvm(rng: random.Random) -> None:
    names = [name for name in words.WORDS if name not in HOST | MEMORY]
    for name, native in compiled(names).items():
        python = words.WORDS[name]
        floats = name[:-1] in ("add", "sub", "mul", "div", "sqrt", "cvtd") and name not in (
            "add",
            "sub",
        )
        for _ in range(500):
            operands = [operand(rng) for _ in inspect.signature(python).parameters]
            if not usable(name, operands):
                continue
            expected, got = python(*operands), native(*operands)
            assert expected is not None
            # the engine never trusts the host with a NaN, so any NaN will do
            if not (floats and is_nan(expected) and (is_nan(got) or name.startswith("div"))):
                assert got == expected, (name, [hex(x) for x in operands])


def test_every_operator_of_the_dialect_has_an_emitter() -> None:
    used = {
        type(node).__name__
        for function in dialect.engine().functions
        for node in ast.walk(function)
        if isinstance(node, ast.operator | ast.cmpop | ast.Invert)
    }
    assert used <= set(OPERATORS)


# the cache of compiled code ----------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VNB_CACHE_DIR", str(tmp_path))
    return tmp_path / "compiled"


def test_compiled_code_comes_back_as_it_was_kept(cache: Path) -> None:
    objects.put("one", b"code" * 1000)
    assert objects.get("one") == b"code" * 1000
    assert [path.name for path in cache.iterdir()] == ["one"]


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:40] + b"x" + b[41:]]
)
def test_a_damaged_file_counts_as_absent(cache: Path, damage: Callable[[bytes], bytes]) -> None:
    objects.put("one", b"code" * 1000)
    (cache / "one").write_bytes(damage((cache / "one").read_bytes()))
    assert objects.get("one") is None


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VNB_CACHE_DIR", str(tmp_path / "file"))
    assert objects.put("one", b"code") == b"code"
    assert objects.get("one") is None


def test_the_key_follows_the_host_and_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    one = objects.key("engine", "this processor")
    assert one == objects.key("engine", "this processor")
    assert one != objects.key("engine", "another processor")
    monkeypatch.setattr(objects, "_sources", lambda names: "edited")
    assert one != objects.key("engine", "this processor")


COUNT = """
from vnb.cpu import read_llvm
compiled = 0
real = read_llvm.compile_engine
def counting():
    global compiled
    compiled += 1
    return real()
read_llvm.compile_engine = counting
read_llvm.load()
print(compiled)
"""


def test_a_second_process_compiles_nothing_and_parallel_ones_get_along(cache: Path) -> None:
    environment = {**os.environ, "VNB_CACHE_DIR": str(cache.parent)}

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", COUNT], env=environment, stdout=subprocess.PIPE, text=True
        )

    together = [start(), start()]
    assert all(process.wait() == 0 for process in together)
    after = start()
    assert after.communicate()[0].strip() == "0"
    assert [path.suffix for path in cache.iterdir()] == [""]
