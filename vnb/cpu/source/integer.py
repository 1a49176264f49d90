"""Integer arithmetic that takes more than one word of the dialect."""

SIGN = 1 << 63
BYTE_LOW = 0x0101010101010101


def divide(a, b):
    """Signed division with RISC-V's answers for zero and overflow [unpriv 12.2]."""
    if b == 0:
        return ~0
    if b == ~0:
        return 0 - a
    return squo(a, b)


def divide_unsigned(a, b):
    if b == 0:
        return ~0
    return quo(a, b)


def remainder(a, b):
    if b == 0:
        return a
    if b == ~0:
        return 0
    return srem(a, b)


def remainder_unsigned(a, b):
    if b == 0:
        return a
    return rem(a, b)


def or_combine(a):
    """Every byte that is not zero becomes 255 [Zbb orc.b]."""
    a |= a >> 4 & 0x0F0F0F0F0F0F0F0F
    a |= a >> 2 & 0x3333333333333333
    a |= a >> 1 & 0x5555555555555555
    return (a & BYTE_LOW) * 255


def is_normal_single(a):
    """A NaN-boxed single that is neither zero, subnormal, infinite nor a NaN."""
    return eq(a >> 32, 0xFFFFFFFF) & ltu((a >> 23 & 255) - 1, 254)


def is_ordinary(result):
    """A double whose exponent is far from both ends: no overflow, underflow or NaN came about."""
    return ltu((result >> 52 & 2047) - 2, 2044)
