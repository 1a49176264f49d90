"""Float arithmetic whose exceptions the host itself notes: LLVM text made strict, for x86.

The processor gathers exceptions in MXCSR as RISC-V does in fflags: the same five, tininess detected
after rounding, none forgotten. So a region may use plain host arithmetic in any order that keeps
every operation, and hand the flags over when it leaves. Only NaNs are not the same: RISC-V has one.
"""

import re

DYNAMIC, STRICT = 'metadata !"round.dynamic"', 'metadata !"fpexcept.strict"'
CONSTRAINED = "llvm.experimental.constrained"

# what a template says                          → what a strict region says
_ARITHMETIC = re.compile(r"= (fadd|fsub|fmul|fdiv) double ([^,]+), (\S+)")
_FUNCTION = re.compile(r'= call double @"llvm\.(sqrt|fma)\.f64"\(([^)]*)\)')
_COMPARISON = re.compile(r"= fcmp (oeq|olt|ole) double ([^,]+), (\S+)")

DECLARES = frozenset(
    [
        *(
            f"declare double @{CONSTRAINED}.{name}.f64({'double, ' * operands}metadata, metadata)"
            for name, operands in {
                "fadd": 2, "fsub": 2, "fmul": 2, "fdiv": 2, "sqrt": 1, "fma": 3,
            }.items()
        ),
        f"declare i1 @{CONSTRAINED}.fcmp.f64(double, double, metadata, metadata)",
        f"declare i1 @{CONSTRAINED}.fcmps.f64(double, double, metadata, metadata)",
        "declare void @llvm.x86.sse.ldmxcsr(ptr)",
        "declare void @llvm.x86.sse.stmxcsr(ptr)",
        "attributes #0 = { strictfp }",
    ]
)  # fmt: skip


def _compare(match: re.Match[str]) -> str:
    """Equality is quiet; the other two raise NV for any NaN [unpriv 21.8]."""
    word = "fcmp" if match[1] == "oeq" else "fcmps"
    operands = f'double {match[2]}, double {match[3]}, metadata !"{match[1]}", {STRICT}'
    return f"= call i1 @{CONSTRAINED}.{word}.f64({operands}) #0"


def strict(text: str) -> str:
    """The same operations, in an order that LLVM keeps and with the exceptions that they raise."""
    text = _ARITHMETIC.sub(
        rf"= call double @{CONSTRAINED}.\1.f64(double \2, double \3, {DYNAMIC}, {STRICT}) #0", text
    )
    text = _FUNCTION.sub(rf"= call double @{CONSTRAINED}.\1.f64(\2, {DYNAMIC}, {STRICT}) #0", text)
    return _COMPARISON.sub(_compare, text)
