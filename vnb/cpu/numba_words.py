"""The words and operators of the dialect as numba intrinsics, for the lowered engine to import.

An intrinsic has one signature: numba's own operators would try every ufunc loop of numpy's first.
"""

import inspect
from typing import Any

from numba import types
from numba.extending import intrinsic

from vnb.cpu.emit import EMIT, OPERATORS, Emit
from vnb.cpu.words import VOID, WORDS

COMPARISONS = frozenset({"Eq", "NotEq", "Lt", "LtE", "Gt", "GtE"})


def _intrinsic(emit: Emit, operands: int, result: types.Type) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = emit(builder, *arguments)
        return context.get_dummy_value() if result is types.void else value

    signature = result(*[types.uint64] * operands)
    if operands == 1:
        return intrinsic(lambda context, a: (signature, generate))
    if operands == 2:
        return intrinsic(lambda context, a, b: (signature, generate))
    return intrinsic(lambda context, a, b, c: (signature, generate))


for _name, _word in WORDS.items():
    _operands = len(inspect.signature(_word).parameters)
    globals()[_name] = _intrinsic(
        EMIT[_name], _operands, types.void if _name in VOID else types.uint64
    )

for _name, _emit in OPERATORS.items():
    globals()[_name] = _intrinsic(
        _emit,
        1 if _name == "Invert" else 2,
        types.boolean if _name in COMPARISONS else types.uint64,
    )
