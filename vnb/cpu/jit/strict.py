"""Float arithmetic whose exceptions the host itself notes: LLVM text made strict, for x86.

The processor gathers exceptions in MXCSR as RISC-V does in fflags: the same five, tininess detected
after rounding, none forgotten. So a region may use plain host arithmetic in any order that keeps
every operation, and hand the flags over when it leaves. Only NaNs are not the same: RISC-V has one.
"""

import re

DYNAMIC, STRICT = 'metadata !"round.dynamic"', 'metadata !"fpexcept.strict"'
CONSTRAINED = "llvm.experimental.constrained"

WIDTHS = {"float": "f32", "double": "f64", "i64": "i64"}

# what a template says                          → what a strict region says
_ARITHMETIC = re.compile(r"= (fadd|fsub|fmul|fdiv) (float|double) ([^,]+), (\S+)")
_FUNCTION = re.compile(r'= call (float|double) @"llvm\.(sqrt|fma)\.f\d\d"\(([^)]*)\)')
_COMPARISON = re.compile(r"= fcmp (oeq|olt|ole) (float|double) ([^,]+), (\S+)")
_CONVERSION = re.compile(r"= (fpext|fptrunc|sitofp|fptosi) (\S+) (\S+) to (\S+)")
_CALL = re.compile(rf"= call (\S+) @({CONSTRAINED}\.\S+)\((.*)\) #0")

ROUNDED = ("fptrunc", "sitofp")
"""Conversions that the rounding mode concerns: fpext is exact, fptosi always goes towards zero."""


HEAD = frozenset(
    [
        "declare void @llvm.x86.sse.ldmxcsr(ptr)",
        "declare void @llvm.x86.sse.stmxcsr(ptr)",
        "attributes #0 = { strictfp }",
    ]
)
"""What every strict region declares."""


def _arithmetic(match: re.Match[str]) -> str:
    name, kind, x, y = match.groups()
    operands = f"{kind} {x}, {kind} {y}, {DYNAMIC}, {STRICT}"
    return f"= call {kind} @{CONSTRAINED}.{name}.{WIDTHS[kind]}({operands}) #0"


def _function(match: re.Match[str]) -> str:
    kind, name, operands = match.groups()
    return f"= call {kind} @{CONSTRAINED}.{name}.{WIDTHS[kind]}({operands}, {DYNAMIC}, {STRICT}) #0"


def _compare(match: re.Match[str]) -> str:
    """Equality is quiet; the other two raise NV for any NaN [unpriv 20.8]."""
    relation, kind, x, y = match.groups()
    word = "fcmp" if relation == "oeq" else "fcmps"
    operands = f'{kind} {x}, {kind} {y}, metadata !"{relation}", {STRICT}'
    return f"= call i1 @{CONSTRAINED}.{word}.{WIDTHS[kind]}({operands}) #0"


def _convert(match: re.Match[str]) -> str:
    name, source, x, target = match.groups()
    rounding = f"{DYNAMIC}, " if name in ROUNDED else ""
    types = f"{WIDTHS[target]}.{WIDTHS[source]}"
    return f"= call {target} @{CONSTRAINED}.{name}.{types}({source} {x}, {rounding}{STRICT}) #0"


REWRITTEN = {
    _ARITHMETIC: _arithmetic,
    _FUNCTION: _function,
    _COMPARISON: _compare,
    _CONVERSION: _convert,
}


def strict(text: str) -> str:
    """The same operations, in an order that LLVM keeps and with the exceptions that they raise."""
    for said, rewrite in REWRITTEN.items():
        text = said.sub(rewrite, text)
    return text


def declares(text: str) -> frozenset[str]:
    """The functions that strict text calls."""
    found = set()
    for kind, name, operands in _CALL.findall(text):
        types = ", ".join(operand.split()[0] for operand in operands.split(", "))
        found.add(f"declare {kind} @{name}({types})")
    return frozenset(found)
