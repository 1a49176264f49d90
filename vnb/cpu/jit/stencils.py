"""The rows of isa.py once more: code of the host with holes for operands, for blocks to be made of.

LLVM writes each stencil as an operation of the run loop, whose operands are addresses that a linker
would fill in; where, its object file says. source/block.py copies stencils behind one another and
fills the holes in itself, at about the speed at which the interpreter decodes. (The technique is
Xu and Kjolstad's: Copy-and-Patch Compilation, OOPSLA 2021.)
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from vnb.cpu import objects
from vnb.cpu.isa import ROWS, Row
from vnb.cpu.jit.access import width
from vnb.cpu.jit.graph import ACCESSES, READ, WRITE
from vnb.cpu.jit.meaning import FLOATS, Template, guard, has_meaning, meaning, ordinary
from vnb.cpu.lower_llvm import CARRIED
from vnb.cpu.read_llvm import calling_convention, target_machine
from vnb.cpu.state import (
    HOLE_RELATIVE,
    HOLE_WIDE,
    HOLES,
    KIND_BRANCH,
    KIND_END,
    KIND_JUMP,
    KIND_ROUNDS,
    KIND_STRAIGHT,
    OFFSETS,
    STENCIL_BYTES,
    STENCIL_ENTER,
    STENCIL_LEAVE,
    TLB_ENTRIES,
)
from vnb.cpu.words import BOX

HANDLER = f"{calling_convention()} {{i64, i64}}"
PARAMETERS = ", ".join(f"{'ptr' if name == 'S' else 'i64'} %{name}" for name in CARRIED)

HEAD = f"""
declare {HANDLER} @ON({PARAMETERS.replace("%", "%_")})
declare {HANDLER} @OUT({PARAMETERS.replace("%", "%_")})
attributes #0 = {{ optsize nounwind }}
!0 = !{{i64 0, i64 2147483648}}
!1 = !{{i64 -2147483648, i64 2147483648}}
!2 = !{{i64 -1, i64 -1}}
!3 = !{{!"branch_weights", i32 1, i32 2000}}
"""
RANGES = {"I": 1, "PC": 1, "AFTER": 1, "SLOT": 2}
"""Holes that hold more than small numbers: signed ones, and any word."""

PREFIX = "stencils-"
"""What the table is called in the cache of compiled code."""

MADE_FROM = (
    *objects.MADE_FROM, "jit/access.py", "jit/graph.py", "jit/meaning.py", "jit/stencils.py",
)  # fmt: skip
"""The sources that decide what the table is."""

RECORDS = (STENCIL_LEAVE + 1) * STENCIL_BYTES
"""Bytes of the table before the code."""

# x86-64's relocations, as its ABI numbers them: wide, relative
RELOCATIONS = {1: HOLE_WIDE, 2: HOLE_RELATIVE, 4: HOLE_RELATIVE, 10: 0, 11: 0}


def hole(name: str) -> str:
    """What a hole will hold, as a word."""
    return f"ptrtoint (ptr @{name} to i64)"


class _Stencil:
    """Writes one function."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self.declares: set[str] = set()
        self.count = 0

    def value(self, expression: str) -> str:
        self.count += 1
        self.lines.append(f"%t{self.count} = {expression}")
        return f"%t{self.count}"

    def at(self, base: str, offset: str) -> str:
        return self.value(f"getelementptr i8, ptr {base}, i64 {offset}")

    def word(self, name: str) -> str:
        return self.value(f"load i64, ptr {self.at('%S', str(OFFSETS[name]))}")

    def register(self, letter: str, kind: str = "i64") -> str:
        """A register's value. (Volatile: else LLVM adds it from memory to a long constant.)"""
        load = "load volatile" if kind == "i64" else "load"
        return self.value(f"{load} {kind}, ptr {self.at('%S', hole(letter))}")

    def set_register(self, value: str, kind: str = "i64") -> None:
        self.lines.append(f"store {kind} {value}, ptr {self.at('%S', hole('D'))}")

    def fill(self, template: Template, values: dict[str, str]) -> str:
        self.count += 1
        text, result = template.fill(f"m{self.count}", values)
        self.declares |= template.declares
        self.lines.append(text)
        return result

    def demand(self, condition: str) -> None:
        """Go on only if it holds; else this is the interpreter's."""
        self.branch(f"xor i1 {condition}, true")

    def branch(self, condition: str) -> None:
        """Take the way out if a condition holds."""
        out = self.value(condition)
        self.count += 1
        self.lines.append(f"br i1 {out}, label %out, label %g{self.count}, !prof !3")
        self.lines.append(f"g{self.count}:")

    def jump(self, target: str, **changed: str) -> None:
        arguments = ", ".join(
            f"{'ptr' if name == 'S' else 'i64'} {changed.get(name, f'%{name}')}" for name in CARRIED
        )
        result = self.value(f"musttail call {HANDLER} {target}({arguments})")
        self.lines.append(f"ret {{i64, i64}} {result}")

    def leave(self, pc: str, left: str) -> None:
        """Return to the run loop."""
        first = self.value(f"insertvalue {{i64, i64}} undef, i64 {pc}, 0")
        self.lines.append(
            f"ret {{i64, i64}} {self.value(f'insertvalue {{i64, i64}} {first}, i64 {left}, 1')}"
        )

    def interpret(self, w: str, **changed: str) -> None:
        """The operation of a slot."""
        table = self.value(f"inttoptr i64 {self.word('operations')} to ptr")
        operation = self.value(f"and i64 {w}, 255")
        place = self.value(f"getelementptr ptr, ptr {table}, i64 {operation}")
        self.jump(self.value(f"load ptr, ptr {place}"), w=w, **changed)

    def dispatch(self, pc: str, left: str, base: str = "%base", page: str = "%page") -> None:
        """Go on at pc, in a page; not if nothing is left to run."""
        self.unless(f"icmp eq i64 {left}, 0", lambda: self.leave(pc, left))
        shifted = self.value(f"shl i64 {pc}, 2")
        place = self.value(f"inttoptr i64 {self.value(f'add i64 {base}, {shifted}')} to ptr")
        w = self.value(f"load i64, ptr {place}")
        self.interpret(w, pc=pc, left=left, base=base, page=page)

    def cross(self, pc: str, left: str) -> None:
        """Go on at pc, which may be in another page: the fetch TLB may know that.

        Each place has this for itself, so that the host predicts its jump by itself.
        """
        shifted = self.value(f"lshr i64 {pc}, 8")
        index = self.value(f"and i64 {shifted}, {(TLB_ENTRIES - 1) << 4}")
        place = self.value(f"add i64 {self.word('fetch_tlb')}, {index}")
        entry = self.value(f"inttoptr i64 {place} to ptr")
        page = self.value(f"and i64 {pc}, -4096")
        tag = self.value(f"load i64, ptr {entry}")
        self.unless(f"icmp ne i64 {tag}, {page}", lambda: self.leave(pc, left))
        base = self.value(f"load i64, ptr {self.at(entry, '8')}")
        self.dispatch(pc, left, base, page)

    def unless(self, condition: str, otherwise: Callable[[], None]) -> None:
        """Go on only if a condition does not hold."""
        stop = self.value(condition)
        self.count += 1
        following = f"s{self.count}"
        self.lines.append(f"br i1 {stop}, label %l{self.count}, label %{following}")
        self.lines.append(f"l{self.count}:")
        otherwise()
        self.lines.append(f"{following}:")

    def text(self) -> str:
        self.lines.append("out:")
        self.jump("@OUT")
        body = "\n".join(self.lines)
        return f"define {HANDLER} @{self.name}({PARAMETERS}) #0 {{\nentry:\n{body}\n}}\n"

    # instructions -----------------------------------------------------------------------------

    def operands(self, row: Row) -> dict[str, str]:
        values = {"i": hole("I")}
        for letter in row.singles:
            values[letter] = self.single(letter.upper())
        for letter in "ABC":
            if letter.lower() in values:
                continue
            if letter in row.bits:
                values[letter.lower()] = self.register(letter, "double")
            elif letter.lower() in row.bits:
                values[letter.lower()] = self.register(letter)
        if "pc" in row.meaning:
            values["pc"] = self.value(f"add i64 %pc, {hole('PC')}")
        return values

    def need_float(self, word: str = "float_on") -> None:
        self.demand(self.value(f"icmp ne i64 {self.word(word)}, 0"))

    def address(self, row: Row, size: int) -> str:
        """Where an access is on the host: the TLB knows, or the interpreter does it."""
        va = self.value(f"add i64 {self.register('A')}, {hole('I')}")
        shifted = self.value(f"lshr i64 {va}, 8")
        index = self.value(f"and i64 {shifted}, {(TLB_ENTRIES - 1) << 4}")
        tlb = "%store_tlb" if ACCESSES[row.kind] == WRITE else "%load_tlb"
        entry = self.value(f"inttoptr i64 {self.value(f'add i64 {tlb}, {index}')} to ptr")
        last = self.value(f"add i64 {va}, {size - 1}")
        page = self.value(f"and i64 {last}, -4096")
        self.demand(self.value(f"icmp eq i64 {self.value(f'load i64, ptr {entry}')}, {page}"))
        data = self.value(f"load i64, ptr {self.at(entry, '8')}")
        return self.value(f"inttoptr i64 {self.value(f'add i64 {data}, {va}')} to ptr")

    def access(self, row: Row) -> None:
        size, extension = width(row.rest)
        if row.kind.startswith("f"):
            self.need_float()
        place = self.address(row, size)
        kind = f"i{8 * size}"
        if ACCESSES[row.kind] == READ:
            value = self.value(f"load {kind}, ptr {place}, align 1")
            if extension == "box":
                value = self.value(f"or i64 {self.value(f'zext {kind} {value} to i64')}, {BOX}")
            elif size < 8:
                value = self.value(f"{extension} {kind} {value} to i64")
            self.set_register(value)
            return
        value = self.register("B")
        if size < 8:
            value = self.value(f"trunc i64 {value} to {kind}")
        self.lines.append(f"store {kind} {value}, ptr {place}, align 1")

    def single(self, letter: str) -> str:
        """The number in a register that holds a boxed single; else this is the interpreter's."""
        place = self.at("%S", hole(letter))
        upper = self.value(f"load i32, ptr {self.at(place, '4')}")
        self.demand(self.value(f"icmp eq i32 {upper}, -1"))
        return self.value(f"load float, ptr {place}")

    def set_single(self, value: str) -> None:
        place = self.at("%S", hole("D"))
        self.lines.append(f"store float {value}, ptr {place}")
        self.lines.append(f"store i32 -1, ptr {self.at(place, '4')}")

    def float(self, row: Row) -> None:
        if row.is_exact:
            self.need_float()
        else:
            self.need_float("fma_fast" if row.kind == "fma" else "float_fast")
        values = self.operands(row)
        if row.guard not in ("", "1"):
            self.demand(self.fill(guard(row), values))
        result = self.fill(meaning(row), values)
        if not row.guard:
            self.demand(self.fill(ordinary(row), {"result": result}))
        if row.result == "s":
            self.set_single(result)
        else:
            self.set_register(result, "double" if row.result else "i64")

    def instruction(self, row: Row) -> None:
        """What a row does; the next stencil follows."""
        if row.kind in ("load", "store", "fload", "fstore"):
            self.access(row)
        elif row.kind in FLOATS:
            self.float(row)
        elif row.kind == "if":
            self.branch(f"xor i1 {self.fill(meaning(row), self.operands(row))}, false")
        elif row.name == "jal":
            self.link()
        elif row.name == "jalr":
            target = self.fill(meaning(row), self.operands(row))  # rd may be the register it reads
            self.link()
            self.cross(target, self.value(f"sub i64 %left, {hole('COUNT')}"))
            return
        else:
            self.set_register(self.fill(meaning(row), self.operands(row)))
        self.jump("@ON")

    def link(self) -> None:
        """rd gets where the jump's successor is."""
        self.set_register(self.value(f"add i64 %pc, {hole('AFTER')}"))


def _special() -> dict[int, _Stencil]:
    """Stencils of no operation."""
    names = "enter", "step", "refuse", "go", "leave"
    enter, step, refuse, go, leave = stencils = tuple(map(_Stencil, names))
    enter.branch(f"icmp ult i64 %left, {hole('COUNT')}")
    enter.jump("@ON")
    refuse.lines.append(f"store i64 1, ptr {refuse.at('%S', str(OFFSETS['block_refused']))}")
    for stencil in (step, refuse, go, leave):
        pc = stencil.value(f"add i64 %pc, {hole('PC')}")
        left = stencil.value(f"sub i64 %left, {hole('COUNT')}")
        if stencil in (step, refuse):
            stencil.interpret(hole("SLOT"), pc=pc, left=left)
        elif stencil is go:
            stencil.dispatch(pc, left)
        else:
            stencil.cross(pc, left)
    return dict(enumerate(stencils, STENCIL_ENTER))


def _kind(row: Row) -> int:
    if row.kind in FLOATS and not row.is_exact:
        return KIND_ROUNDS
    if row.kind == "if":
        return KIND_BRANCH
    return {"jal": KIND_JUMP, "jalr": KIND_END}.get(row.name, KIND_STRAIGHT)


def rows() -> dict[str, Row]:
    """The rows that have stencils, by what their functions are called."""
    told = ("load", "store", "fload", "fstore")
    return {
        row.name.replace(".", "_"): row
        for row in ROWS
        if row.kind in told or (has_meaning(row) and row.kind != "amo")
    }


def text() -> str:
    """All stencils as one LLVM module."""
    functions = list(_special().values())
    for name, row in rows().items():
        functions.append(stencil := _Stencil(f"i_{name}"))
        stencil.instruction(row)
    declares = sorted({line for stencil in functions for line in stencil.declares})
    holes = "\n".join(
        f"@{name} = external global i8, !absolute_symbol !{RANGES.get(name, 0)}"
        for name in HOLES[:-2]
    )
    inside = "\n".join(declares)
    return "\n".join([HEAD, holes, inside, *(stencil.text() for stencil in functions)])


@dataclass(frozen=True)
class Piece:
    """The code of a stencil, and its holes as source/block.py wants them."""

    code: bytes
    holes: tuple[int, ...]


def _pieces(content: bytes) -> dict[str, Piece]:
    """The stencils of an object file by name; those that need more than holes are left out."""
    from elftools.elf.elffile import ELFFile

    elf: Any = ELFFile(io.BytesIO(content))
    symbols, code, fixups = map(elf.get_section_by_name, (".symtab", ".text", ".rela.text"))
    relocations = [
        (r["r_offset"], r["r_info_type"], symbols.get_symbol(r["r_info_sym"]).name, r["r_addend"])
        for r in fixups.iter_relocations()
    ]
    pieces = {}
    for symbol in symbols.iter_symbols():
        if symbol["st_info"]["type"] != "STT_FUNC":
            continue
        first, size = symbol["st_value"], symbol["st_size"]
        inside = [r for r in relocations if first <= r[0] < first + size]
        if all(name in HOLES and kind in RELOCATIONS for _, kind, name, _ in inside):
            pieces[symbol.name] = _piece(code.data()[first : first + size], first, inside)
    return pieces


def _piece(code: bytes, first: int, relocations: list[tuple[int, int, str, int]]) -> Piece:
    last = len(code) - 5
    holes = []
    for place, kind, name, addend in relocations:
        offset = place - first
        if name == "ON" and offset - 1 == last and code[last] == 0xE9:
            code = code[:last]  # a jump to what follows
            continue
        number = HOLES.index(name) << 16
        holes.append(offset | number | RELOCATIONS[kind] | (addend & 0xFFFFFFFF) << 32)
    return Piece(code, tuple(holes))


def _compiled() -> dict[str, Piece]:
    machine = target_machine(reloc="static", codemodel="small")
    module = llvm.parse_assembly(text())
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(module, passes)
    return _pieces(machine.emit_object(module))


@cache
def table() -> bytes | None:
    """The table that S.stencils points to, with addresses from its own begin; None: not here."""
    if (
        not llvm.get_default_triple().startswith("x86_64")
        or "linux" not in llvm.get_default_triple()
    ):
        return None
    features = llvm.get_host_cpu_features().flatten()
    key = PREFIX + objects.key(llvm.get_host_cpu_name(), features, made_from=MADE_FROM)
    return objects.remember(key, lambda: _laid_out(_compiled()))


def _laid_out(pieces: dict[str, Piece]) -> bytes:
    from vnb.cpu.generate import OPERATIONS

    wanted = {number: (piece.name, KIND_STRAIGHT) for number, piece in _special().items()}
    for name, row in rows().items():
        for constant in (row.constant, f"C_{row.constant}"):
            if constant in OPERATIONS:
                wanted[OPERATIONS[constant]] = f"i_{name}", _kind(row)
    records, code = bytearray(RECORDS), bytearray()
    for number, (name, kind) in wanted.items():
        if name not in pieces or len(pieces[name].holes) > STENCIL_BYTES // 8 - 4:
            continue
        piece = pieces[name]
        words = [RECORDS + len(code), len(piece.code), kind, len(piece.holes), *piece.holes]
        struct.pack_into(f"<{len(words)}Q", records, number * STENCIL_BYTES, *words)
        code += piece.code.ljust(len(piece.code) + 15 & ~7, b"\0")
    return bytes(records + code)
