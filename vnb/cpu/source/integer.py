"""What rows of the table say that takes more than one word of the dialect."""

BOX = 0xFFFFFFFF00000000  # a single fills the upper half of its register with ones [unpriv 21.2]
SIGN = 1 << 63
SIGN_SINGLE = 1 << 31
INFINITY_SINGLE = 0x7F800000
INFINITY_DOUBLE = 0x7FF << 52
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


# ---- what a float row says about the bits of singles (s) and doubles (d)


def signs(a):
    return a & SIGN_SINGLE


def signd(a):
    return a & SIGN


def is_ordinarys(result):
    """A single whose exponent is far from both ends: no overflow, underflow or NaN came about."""
    return ltu((result >> 23 & 255) - 2, 252)


def is_ordinaryd(result):
    return ltu((result >> 52 & 2047) - 2, 2044)


def reals(a, b):
    """Neither is a NaN."""
    return ltu(a << 33, INFINITY_SINGLE << 33 | 1) & ltu(b << 33, INFINITY_SINGLE << 33 | 1)


def reald(a, b):
    return ltu(a << 1, INFINITY_DOUBLE << 1 | 1) & ltu(b << 1, INFINITY_DOUBLE << 1 | 1)


def orders(a):
    """A word that orders, signed, as the numbers do, with -0 just below +0."""
    return orderd(a << 32)


def orderd(a):
    return a ^ sar(a, 63) >> 1


def mins(a, b):
    return select(lts(orders(a), orders(b)), a, b)


def mind(a, b):
    return select(lts(orderd(a), orderd(b)), a, b)


def maxs(a, b):
    return select(lts(orders(a), orders(b)), b, a)


def maxd(a, b):
    return select(lts(orderd(a), orderd(b)), b, a)


def belows(a, bits):
    """A magnitude below 2**bits."""
    return ltu(a << 33, (127 + bits) << 56)


def belowd(a, bits):
    return ltu(a << 1, (1023 + bits) << 53)


def naturals(a, bits):
    """Not negative, and below 2**bits."""
    return ltu(a << 32, (127 + bits) << 55)


def naturald(a, bits):
    return ltu(a, (1023 + bits) << 52)
