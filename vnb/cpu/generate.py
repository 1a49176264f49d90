"""Joins the table and the dialect sources into `_engine.py`: run `python -m vnb.cpu.generate`."""

import re
from pathlib import Path
from textwrap import dedent, indent

from vnb.clock import INSTRUCTIONS_PER_TICK
from vnb.cpu import csr, isa, state
from vnb.cpu.hart import TRANSLATE, ExitKind
from vnb.cpu.isa import COMPRESSED_ROWS, FLOAT_ROWS, ROWS, CompressedRow, Row

ROOM = Path(__file__).parent
ENGINE = ROOM / "_engine.py"
SOURCES = (
    "integer", "trap", "pmp", "latch", "mmu", "fetch", "breakpoint", "system", "float",
    "float_convert", "float_host", "region", "block", "tiers",
)  # fmt: skip

SPECIAL = ("UNDECODED", "INVALID", "PAGE_END", "ACROSS", "BREAK", "REGION", "BLOCK")
"""Operations of slots that hold no instruction, but the place of a region's record, or of code."""

NAMES = ("SLOTS", "SLOT_PAGE_BYTES", "MOST_REWRITTEN", "LATCH_BYTES")
PREFIXES = ("REGION_", "STENCIL_", "KIND_", "HOLE_")
"""Of what state.py lays out, what the dialect speaks of."""
EXTENSIONS = ("ZERO_EXTEND", "SIGN_EXTEND", "BOX_SINGLE", "NOT_A_LOAD")

ATOMIC, SYSTEM = ("lr", "sc", "amo"), ("csr", "system")

# numbering ---------------------------------------------------------------------------------------


def _shares_handler(row: Row) -> bool:
    """Rows that one function serves; the others have a handler of their own in the run loop."""
    return row.kind in ATOMIC + SYSTEM or row.meaning == "float"


def _numbers() -> dict[str, int]:
    """Operation numbers: special, integer and memory, their 2-byte twins, atomic, system, float.

    A twin exists because a handler that knows its length does not wait for the slot to move pc.
    """
    plain = [r for r in ROWS if r not in FLOAT_ROWS and not _shares_handler(r)]
    names = [*SPECIAL, *(r.constant for r in plain), *(f"C_{r.constant}" for r in twins())]
    for kinds in (ATOMIC, SYSTEM):
        names += [r.constant for r in ROWS if r.kind in kinds]
    names += [r.constant for r in FLOAT_ROWS]
    assert len(names) <= 256
    return {name: number for number, name in enumerate(names)}


def twins() -> list[Row]:
    """The rows that a compressed instruction can mean."""
    targets = {row.target for row in COMPRESSED_ROWS}
    return [r for r in ROWS if r.name in targets and not _shares_handler(r)]


OPERATIONS: dict[str, int] = _numbers()

# handlers of the run loop ------------------------------------------------------------------------

SAVE = "S.pc = pc\nS.left = left\n"
RESUME = "pc = S.pc\nleft = S.left\n"
ALONE = f"if base == 0:\n{indent(RESUME, '    ')}    break\npage = pc ^ NOWHERE\ncontinue\n"
"""Go on with the one slot on the scratch page that `base` makes pc's, if there is any."""

LOADS = {
    "8": ("ld8", 1, "ZERO_EXTEND"),
    "16": ("ld16", 2, "ZERO_EXTEND"),
    "32": ("ld32", 4, "ZERO_EXTEND"),
    "64": ("ld64", 8, "ZERO_EXTEND"),
    "s8": ("lds8", 1, "SIGN_EXTEND"),
    "s16": ("lds16", 2, "SIGN_EXTEND"),
    "s32": ("lds32", 4, "SIGN_EXTEND"),
    "f32": ("ld32", 4, "BOX_SINGLE"),
}


def _leave_if(call: str) -> str:
    """Call a slow function; it returns 1 when pc moved or the engine must leave."""
    return f"{SAVE}if {call} != 0:\n{indent(RESUME, '    ')}    break\n"


def _next(length: int) -> str:
    return f"pc = pc + {length}\nleft = left - 1\ncontinue\n"


def _go(target: str) -> str:
    """Continue at another address: in this page at once, else through the fetch TLB."""
    return f"pc = {target}\nleft = left - 1\nif pc - page < 4096:\n    continue\nbreak\n"


def _memory(row: Row, length: int) -> str:
    """Loads and stores: one compare finds the page and checks the alignment."""
    store = row.kind.endswith("store")
    use, size, extension = LOADS[row.rest]
    tlb = "store_tlb" if store else "load_tlb"
    host = "va + ld64(entry + 8)"
    slow = f"store_slow(S, w, va, {size}, b)"
    if store:
        fast = f"st{row.rest}({host}, b)"
    else:
        boxed = " | BOX" if extension == "BOX_SINGLE" else ""
        fast = f"st64(S + rd, {use}({host}){boxed})"
        slow = f"load_slow(S, w, va, {size}, {extension})"
    touch = "if S.float_on == 0:\n" + indent(_leave_if("float_touch(S)"), "    ")
    return (
        (touch if row.kind.startswith("f") else "")
        + f"va = a + i\nentry = {tlb} + (va >> 8 & TLB_INDEX)\n"
        + f"if ld64(entry) == va & ALIGNED_{size}:\n    {fast}\n"
        + indent(_next(length), "    ")
        + _leave_if(slow)
        + _next(length)
    )


def _float(row: Row, length: int) -> str:
    """The host's arithmetic where its result and flags are surely right, else the engine's."""
    flag = "S.fma_fast" if row.kind == "fma" else "S.float_fast"
    ready = "S.float_on != 0" if row.is_exact else f"{flag} > w >> 63"
    boxed = [f"{' & '.join(row.singles)} >= BOX"] if row.singles else []
    guard = [] if row.guard in ("", "1") else [f"{row.guard} != 0"]
    conditions = " and ".join([ready, *boxed, *guard])
    fast = "st64(S + rd, result)\n" + _next(length)
    if not row.guard:
        fast = f"if is_ordinary{row.result}(result) != 0:\n" + indent(fast, "    ")
    fast = f"if {conditions}:\n" + indent(f"result = {row.expression}\n{fast}", "    ")
    return fast + _leave_if("float_slow(S, w, a, b)") + _next(length)


OPERANDS = {
    "rd": "w >> 5 & 0x7f8",
    "a": "ld64(S + (w >> 13 & 0x7f8))",
    "b": "ld64(S + (w >> 21 & 0x7f8))",
    "c": f"ld64(S + {8 * state.F0} + (w >> 37 & 0xf8))",
    "i": "sar(w, 40)",
}
"""How a handler gets at its slot's fields."""


def _with_operands(body: str) -> str:
    """A handler's body behind the operands that it mentions."""
    reads = [f"{n} = {e}\n" for n, e in OPERANDS.items() if re.search(rf"\b{n}\b", body)]
    return "".join(reads) + body


def _handler(row: Row, length: int) -> str:
    """What the run loop does for one row, as dialect text that ends the iteration."""
    if row.kind == "d":
        return f"st64(S + rd, {row.rest})\n" + _next(length)
    if row.kind == "if":
        return f"if {row.rest}:\n{indent(_go('pc + i'), '    ')}" + _next(length)
    if row.kind == "jump":
        return f"target = {row.rest}\nst64(S + rd, pc + {length})\n" + _go("target")
    if row.kind in ("load", "store", "fload", "fstore"):
        return _memory(row, length)
    return _float(row, length)


def _chain() -> str:
    """The run loop's dispatch: one branch for every operation with a handler of its own."""
    special = {
        "UNDECODED": "decode(S, base + (pc << 2))\ncontinue\n",
        "INVALID": f"{SAVE}illegal(S)\n{RESUME}break\n",
        "PAGE_END": "break\n",
        "ACROSS": f"{SAVE}base = fetch_across(S, pc)\n{ALONE}",
        "BREAK": f"{SAVE}base = break_here(S, base + (pc << 2))\n{ALONE}",
        "REGION": (
            "record = S.regions + (w >> 8)\nS.pc = pc\nafter = visit(S, record, left)\n"
            "if after != left:\n    pc = S.pc\n    left = after\n"
            "    if pc - page < 4096:\n        continue\n    break\n"
            "base = single_step(S, record, pc, left)\npage = pc ^ NOWHERE\ncontinue\n"
        ),
        "BLOCK": "base = alone(S, plain_slot(w), pc)\npage = pc ^ NOWHERE\ncontinue\n",
    }
    bodies = list(special.items())
    bodies += [(r.constant, _handler(r, 4)) for r in ROWS if not _shares_handler(r)]
    bodies += [(f"C_{r.constant}", _handler(r, 2)) for r in twins()]
    text = "".join(
        f"{'elif' if k else 'if'} operation == {name}:\n{indent(_with_operands(body), '    ')}"
        for k, (name, body) in enumerate(bodies)
    )
    shared = {
        "elif operation < CSRRW": _leave_if("atomic(S, w, a, b)") + _next(4),
        "elif operation < FMADD_S": f"{SAVE}system(S, w)\n{RESUME}break\n",
        "else": _leave_if("float_slow(S, w, a, b)") + _next(4),
    }
    for test, body in shared.items():
        text += f"{test}:\n{indent(_with_operands(body), '    ')}"
    return text


RUN = '''
def run(S):
    """Run until the engine must leave, and return why: an ExitKind.

    `pc` and `left` live in registers of the host and are stored in S around slow functions.
    """
    arrive(S)
    choose_tlbs(S)
    pc = S.pc
    left = S.left
    while True:
        if left == 0:
            S.pc = pc
            S.left = left
            kind = event(S)
            if kind != 0:
                S.ticks_left = host_clock(S)
                return kind
            pc = S.pc
            left = S.left
        load_tlb = S.load_tlb
        store_tlb = S.store_tlb
        fetch_entry = S.fetch_tlb + (pc >> 8 & TLB_INDEX)
        if ld64(fetch_entry) != pc & ~OFFSET:
            S.pc = pc
            S.left = left
            if fetch(S, pc) != 0:
                pc = S.pc
                left = S.left
                continue
        base = ld64(fetch_entry + 8)
        page = pc & ~OFFSET
        while left != 0:
            w = ld64(base + (pc << 2))
            operation = w & 255
'''

# functions read off the tables -------------------------------------------------------------------


def _atomic() -> str:
    """One function for every lr, sc and amo row."""
    amos = [r for r in ROWS if r.kind == "amo" and r.name.endswith(".d")]
    choices = "".join(
        f"    {'elif' if k else 'if'} operation == {double} or operation == {double[:-1]}W:\n"
        f"        result = {row.rest.split(None, 1)[1]}\n"
        for k, (double, row) in enumerate((r.constant, r) for r in amos)
    )
    return (
        dedent('''
        def atomic(S, w, a, b):
            """lr, sc and amo: 0 when done, 1 when it trapped [unpriv 13]."""
            operation = w & 255
            rd = S + (w >> 5 & 0x7f8)
            size = select(ltu(operation, LR_D), 4, 8)
            if operation == LR_W or operation == LR_D:
                host = atomic_address(S, a, size, READ)
                if host == 0:
                    return 1
                S.reservation = host
                st64(rd, extend(read(host, size), size, SIGN_EXTEND))
                return 0
            host = atomic_address(S, a, size, WRITE)
            if host == 0:
                return 1
            if operation == SC_W or operation == SC_D:
                kept = eq(S.reservation, host)
                S.reservation = 0
                if kept != 0:
                    write(host, size, b)
                st64(rd, kept ^ 1)
                return 0
            m = extend(read(host, size), size, SIGN_EXTEND)
            if size == 4:
                b = sext32(b)
            result = b
        ''')
        + choices
        + "    write(host, size, result)\n    st64(rd, m)\n    return 0\n"
    )


def _csr_functions() -> str:
    """csr_guard, csr_read and csr_write, a branch for each row."""

    def test(row: csr.Csr) -> str:
        if row.first == row.last:
            return f"    if n == {row.first:#x}:  # {row.name}\n"
        return f"    if n - {row.first:#x} <= {row.last - row.first}:  # {row.name}\n"

    guard = 'def csr_guard(S, n):\n    """1 when CSR n exists and may be accessed now."""\n'
    read = 'def csr_read(S, n):\n    """The value of CSR n."""\n'
    write = 'def csr_write(S, n, v):\n    """Write CSR n as its row says."""\n'
    for row in csr.ROWS:
        guard += f"{test(row)}        return {row.guard or 1}\n"
        read += f"{test(row)}        return {row.reads}\n"
        if row.writes:
            write += test(row) + "".join(f"        {line}\n" for line in row.writes)
            write += "        return 0\n"
    return f"\n\n{guard}    return 0\n\n\n{read}    return 0\n\n\n{write}    return 0\n"


IMMEDIATES = {
    "I": "immediate_i(w)",
    "S": "immediate_s(w)",
    "B": "immediate_b(w)",
    "U": "immediate_u(w)",
    "J": "immediate_j(w)",
    "H": "w >> 20 & 63",
    "C": "w >> 20 & 0xfff",
    "M": "rounding(w)",
    "T": "truncating(w)",
    "4": "rounding(w) | w >> 27",
    "N": "0",
}


def _shape(row: Row) -> str:
    """Which operands a row has, as the name of the function that reads them: dab_N."""
    return "".join(c for c in "dDaAbB" if c in row.bits) + "_" + row.immediate


def _shape_function(shape: str) -> str:
    operands, immediate = shape.split("_")
    fields = {"d": "w >> 7 & 31", "a": "w >> 15 & 31", "b": "w >> 20 & 31"}

    def field(letter: str) -> str:
        if letter.upper() in operands:
            return f"({fields[letter]}) + {state.F0}"
        number = fields[letter] if letter in operands else "0"
        return f"destination({number})" if letter == "d" else number

    legal = ""
    if immediate in "MT4":
        legal = "    if w >> 12 & 7 == 5 or w >> 12 & 7 == 6:\n        return INVALID | LENGTH_4\n"
    return (
        f"\n\ndef {shape}(operation, w):\n{legal}    return slot(operation, {field('d')}, "
        f"{field('a')}, {field('b')}, 4, {IMMEDIATES[immediate]})\n"
    )


def _decode_word() -> str:
    """The decoder of 32-bit instructions: by major opcode, then row by row."""
    text = "".join(_shape_function(s) for s in sorted({_shape(r) for r in ROWS}))
    text += '\n\ndef decode_word(w):\n    """The slot of a 32-bit instruction."""\n'
    text += "    opcode = w & 127\n"
    for opcode in sorted({r.match & 127 for r in ROWS}):
        text += f"    if opcode == {opcode:#x}:\n"
        for row in (r for r in ROWS if r.match & 127 == opcode):
            text += f"        if w & {row.mask:#x} == {row.match:#x}:\n"
            text += f"            return {_shape(row)}({row.constant}, w)\n"
    return text + "    return INVALID | LENGTH_4\n"


def _compressed_immediate(row: CompressedRow) -> str:
    """The immediate of a 16-bit instruction: runs of bits that move together, then the sign."""
    parts: list[str] = []
    runs: dict[int, list[int]] = {}
    for source, token in zip(row.sources(), row.scatter, strict=True):
        if token.startswith("s"):
            parts.append(f"0 - (w >> {source} & 1) << {token[1:]}")
        else:
            runs.setdefault(source - int(token), []).append(int(token))
    for shift, bits in runs.items():
        mask = sum(1 << bit for bit in bits)
        move = f" >> {shift}" if shift > 0 else f" << {-shift}" if shift else ""
        parts.append(f"w{move} & {mask:#x}")
    return " | ".join(parts) or "0"


def _compressed_register(row: CompressedRow, token: str, destination: bool) -> str:
    if token == ".":
        return str(state.SINK) if destination else "0"
    if token.isdigit():
        return f"destination({token})" if destination else token
    low, width = row.field(token[0])
    number = f"w >> {low} & {(1 << width) - 1}"
    if "'" in token or token[0].isupper():
        base = (8 if "'" in token else 0) + (state.F0 if token[0].isupper() else 0)
        return f"({number}) + {base}"
    return f"destination({number})" if destination else number


def _decode_compressed() -> str:
    """The decoder of 16-bit instructions: by quadrant and funct3, then row by row."""
    text = '\n\ndef decode_compressed(w):\n    """The slot of a 16-bit instruction."""\n'
    text += "    group = w & 0xe003\n"
    for group in dict.fromkeys(r.match & 0xE003 for r in COMPRESSED_ROWS):
        text += f"    if group == {group:#x}:\n"
        for row in (r for r in COMPRESSED_ROWS if r.match & 0xE003 == group):
            conditions = [f"w & {row.mask:#x} == {row.match:#x}"]
            for letter in row.nonzero:
                mask = sum(1 << 15 - k for k, c in enumerate(row.bits) if c == letter)
                conditions.append(f"w & {mask:#x} != 0")
            target = isa.BY_NAME[row.target]
            name = target.constant if _shares_handler(target) else f"C_{target.constant}"
            rd, rs1, rs2 = (
                _compressed_register(row, token, k == 0) for k, token in enumerate(row.registers)
            )
            text += f"        if {' and '.join(conditions)}:\n            return slot(\n"
            text += f"                {name}, {rd}, {rs1}, {rs2}, 2, {_compressed_immediate(row)}\n"
            text += "            )\n"
    return text + "    return INVALID | 2 << 32\n"


# the file ----------------------------------------------------------------------------------------


def _constants() -> str:
    layout = {
        "SINK": state.SINK,
        "F0": state.F0,
        "TLB_BYTES": state.TLB_BYTES,
        "TLB_INDEX": (state.TLB_ENTRIES - 1) << 4,
        "TLBS": state.TLBS,
        "FILL_LOG": state.FILL_LOG,
        "SUPERPAGE_BITS": state.SUPERPAGE_BITS,
        "SUPERPAGES": state.SUPERPAGES,
        **{name: getattr(state, name) for name in NAMES},
        "PMPADDR0": state.OFFSETS["pmpaddr0"],
        "NOWHERE": 1 << 63,
        "INSTRUCTIONS_PER_TICK": INSTRUCTIONS_PER_TICK,
        **{f"EXIT_{kind.name}": int(kind) for kind in ExitKind},
        "EXIT_TRANSLATE": TRANSLATE,
        **{name: getattr(state, name) for name in EXTENSIONS},
        **{n: v for n, v in vars(state).items() if n.startswith(PREFIXES)},
        **{f"HOLE_{name}": number for number, name in enumerate(state.HOLES)},
        **{f"ALIGNED_{size}": ~(0xFFF ^ (size - 1)) for size in (1, 2, 4, 8)},
    }
    text = "# layout\n" + "".join(f"{name} = {value:#x}\n" for name, value in layout.items())
    text += "\n# operations\n"
    return text + "".join(f"{name} = {number}\n" for name, number in OPERATIONS.items())


def _source(name: str) -> str:
    """A dialect source without its docstring, under a heading."""
    text = (ROOM / "source" / f"{name}.py").read_text()
    text = re.sub(r'\A""".*?"""\n+', "", text, flags=re.DOTALL)
    return f"\n\n# from source/{name}.py {'-' * (76 - len(name))}\n\n{text.strip()}\n"


def generate() -> str:
    """The text of `_engine.py`."""
    header = (
        '"""The engine, generated by `python -m vnb.cpu.generate` from isa.py, csr.py, source/;\n'
        "do not edit. It is written in the dialect that `vnb.cpu.dialect` describes.\n"
        '"""\n\n'
    )
    parts = [header, _constants(), *map(_source, SOURCES)]
    parts.append("\n\n# from csr.py and isa.py " + "-" * 71 + "\n")
    parts += [_csr_functions(), _decode_word(), _decode_compressed(), _atomic()]
    parts += ["\n", RUN.strip("\n") + "\n", indent(_chain(), " " * 12)]
    return "".join(parts)


if __name__ == "__main__":
    ENGINE.write_text(generate())
