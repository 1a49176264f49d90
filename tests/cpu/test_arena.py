"""Object code comes to its place in memory: by us where we know the format, else by LLVM."""

import ctypes
import mmap

import llvmlite.binding as llvm
import pytest
from test_regions import looping, made

from vnb.cpu.hart import Hart
from vnb.cpu.jit.arena import BLOCK, Arena, image_of
from vnb.cpu.jit.code import Linker, Made
from vnb.cpu.read_llvm import target_machine

TEXT = """
@table = private constant [4 x i64] [i64 10, i64 20, i64 30, i64 40]
define internal i64 @twice(i64 %x) noinline { %y = add i64 %x, %x
 ret i64 %y }
define i64 @pick(i64 %k) {
 %p = getelementptr [4 x i64], ptr @table, i64 0, i64 %k
 %x = load i64, ptr %p
 %y = call i64 @twice(i64 %x)
 ret i64 %y }
"""
"""A function that needs a constant and another function, and so relocations."""
ELSEWHERE = """
declare i64 @far(i64)
define i64 @pick(i64 %k) { %x = call i64 @far(i64 %k)
 ret i64 %x }
"""

is_x86 = llvm.get_default_triple().startswith("x86_64")
known_format = pytest.mark.skipif(not is_x86, reason="the arena is for x86-64")


def compiled(text: str, triple: str | None = None) -> bytes:
    module = llvm.parse_assembly(text)
    if triple is None:
        return bytes(target_machine(level=1).emit_object(module))
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    module.triple = triple
    machine = llvm.Target.from_triple(triple).create_target_machine(opt=1)
    return bytes(machine.emit_object(module))


def picked(address: int) -> list[int]:
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)
    return [function(k) for k in range(4)]


@known_format
def test_functions_find_their_constants_and_each_other() -> None:
    arena, image = Arena(), image_of(compiled(TEXT), "pick")
    assert image is not None
    addresses = [arena.place(image) for _ in range(3)]
    for address in addresses:
        assert address is not None and picked(address) == [20, 40, 60, 80]
    assert len(set(addresses)) == 3


@known_format
def test_code_lies_side_by_side_in_blocks() -> None:
    arena, image = Arena(), image_of(compiled(TEXT), "pick")
    assert image is not None
    addresses = [arena.place(image) for _ in range(10_000)]
    assert 1 < len(arena._blocks) < 10
    assert picked(addresses[0]) == picked(addresses[-1])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "triple", ["aarch64-unknown-linux-gnu", "arm64-apple-darwin", "x86_64-apple-darwin"]
)
def test_other_formats_are_left_to_llvm(triple: str) -> None:
    assert image_of(compiled(TEXT, triple), "pick") is None


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF", b"\x7fELF\x02\x01\x01", b"\x7fELF\x02\x01\x01" + bytes(100)]
)
def test_what_is_no_object_file_is_left_to_llvm(content: bytes) -> None:
    assert image_of(content, "pick") is None


def test_code_that_needs_what_it_does_not_bring_is_left_to_llvm() -> None:
    assert image_of(compiled(ELSEWHERE), "pick") is None
    assert image_of(compiled(TEXT), "other") is None


def test_regions_are_loaded_by_llvm_where_the_system_lets_nobody_execute_what_he_wrote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> mmap.mmap:
        raise PermissionError

    interpreted, translated = looping("off"), looping()
    monkeypatch.setattr("vnb.cpu.jit.arena.mmap.mmap", refuse)
    for hart in (interpreted, translated):
        hart.run(100_000)
    assert made(translated).share > 0.9
    assert list(translated.x) == list(interpreted.x)


def test_a_region_is_loaded_once() -> None:
    linker, content = Linker(), compiled(TEXT)
    both = [linker.load(Made("pick", content, cached=False)) for _ in range(2)]
    assert both[0] is both[1] and picked(both[0].address) == [20, 40, 60, 80]
    with pytest.raises(LookupError, match="other is not in the code"):
        linker.load(Made("other", content, cached=False))


@known_format
def test_regions_are_in_the_arena() -> None:
    hart: Hart = looping()
    hart.run(100_000)
    assert hart.translator is not None and hart.translator._linker is not None
    (block,) = hart.translator._linker._arena._blocks
    start = ctypes.addressof(ctypes.c_char.from_buffer(block))
    assert all(start <= region.code.address < start + BLOCK for region in made(hart).regions)
