"""Floating point that the host can answer exactly passes through here: rounded to nearest only.

In that mode the host's result is the one IEEE 754 prescribes; what it keeps to itself is whether it
had to round. Each operation finds that out by arithmetic that is itself exact:

- a finite result that is exact raises no flag at all, however small it is;
- a finite result that is inexact raises NX alone, if it is far enough above the subnormal numbers
  that nobody can ask whether it is tiny;
- everything else (NaNs, infinities, overflow, underflow) is left to float.py.
"""

# Doubles whose error terms can neither underflow nor overflow: |x| from 2**-895 to 2**897.
SAFE_FIRST = 128
SAFE_END = 1920
# A single's exponent field above which an inexact result cannot be tiny, and that of infinity.
SINGLE_ABOVE_TINY = 2
SINGLE_INFINITE = 255


def host_result(S, fn, fmt, a, b, c):
    """(1, result) of FMADD, FADD, FMUL, FDIV or FSQRT, flag raised; (0, 0) if it is not known."""
    if fn == FSQRT:
        b = a
    if fmt == SINGLE:
        if fn != FMADD:
            c = b
        if a & b & c < BOX:
            return 0, 0
        return host_single(S, fn, a, b, c)
    if fn == FADD:
        return host_sum(S, a, b)
    return host_double(S, fn, a, b, c)


def raise_inexact(S, error):
    """Raise NX unless the error term is a zero."""
    if error << 1 != 0:
        S.fflags |= NX


def exponent_field(x):
    return x >> 52 & 0x7FF


def safe_exponent(x):
    return ltu(exponent_field(x) - SAFE_FIRST, SAFE_END - SAFE_FIRST)


def sum_error(a, b, total):
    """a + b - total, exactly, where total is the rounded sum (Knuth's two-sum)."""
    b_seen = subd(total, a)
    a_seen = subd(total, b_seen)
    return addd(subd(a, a_seen), subd(b, b_seen))


def host_sum(S, a, b):
    """a + b. A subnormal sum is exact, so there is no lower bound; two-sum must not overflow."""
    total = addd(a, b)
    if exponent_field(total) >= SAFE_END:
        return 0, 0
    raise_inexact(S, sum_error(a, b, total))
    return 1, total


def host_double(S, fn, a, b, c):
    """A product, quotient, root or fused sum: a fused multiply-add gives what its rounding lost.

    In the safe range that error is a double, so it is exact; it is zero for a zero operand too.
    An inexact product to be added to is left to float.py.
    """
    if S.hostfma == 0:
        return 0, 0
    result = 0
    error = 0
    if fn == FDIV:
        result = divd(a, b)
        error = fmad(negd(result), b, a)
    elif fn == FSQRT:
        result = sqrtd(a)
        error = fmad(negd(result), result, a)
    else:
        result = muld(a, b)
        error = fmad(a, b, negd(result))
    exact = feqd(error, 0)
    zero_operand = eq(a << 1, 0) | eq(b << 1, 0)
    if not (safe_exponent(a) & safe_exponent(result) | exact & zero_operand):
        return 0, 0
    if fn == FMADD:
        if not exact:
            return 0, 0
        return host_sum(S, result, c)
    raise_inexact(S, error)
    return 1, result


def host_single(S, fn, a, b, c):
    """Singles: products of two of them are exact as doubles, and so they check every operation."""
    result = 0
    exact = 0
    wide_a = cvtsd(a)
    wide_b = cvtsd(b)
    if fn == FADD:
        result = adds(a, b)
        exact = is_sum(result, wide_a, wide_b)
    elif fn == FMUL:
        result = muls(a, b)
        exact = feqd(cvtsd(result), muld(wide_a, wide_b))
    elif fn == FDIV:
        result = divs(a, b)
        exact = feqd(muld(cvtsd(result), wide_b), wide_a)
    elif fn == FSQRT:
        result = sqrts(a)
        exact = feqd(muld(cvtsd(result), cvtsd(result)), wide_a)
    else:
        if S.hostfma == 0:
            return 0, 0
        result = fmas(a, b, c)
        exact = is_sum(result, muld(wide_a, wide_b), cvtsd(c))
    field = result >> 23 & 0xFF
    if field == SINGLE_INFINITE:
        return 0, 0
    if not exact:
        if field < SINGLE_ABOVE_TINY:
            return 0, 0
        S.fflags |= NX
    return 1, result


def is_sum(single, a, b):
    """1 if the single is a + b exactly."""
    total = addd(a, b)
    return feqd(cvtsd(single), total) & feqd(sum_error(a, b, total), 0)
