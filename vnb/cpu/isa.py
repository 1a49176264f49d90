# ruff: noqa: E501 - a row stays on its line
"""THE TABLE: one row per instruction, from which decoder, engine, translator and disassembler come.

A row is   name | bits | immediate | meaning.

bits       msb first: 0 and 1 are fixed, - is ignored; a b c d are the integer operands rs1, rs2,
           rs3 and rd, A B C D the same as float registers; i is immediate, m the rounding mode.
immediate  I S B U J: the base formats; H: the i bits as they stand, unsigned; N: none;
           C: a CSR number; M, T: rounding mode; 4: rounding mode and the third source register.
           The host's arithmetic rounds to nearest in rows with M and 4, towards zero with T.
meaning    over the words of `vnb.cpu.words`, where a b c i are operand values and d is rd:
    d = e            an integer result
    if e             branch by i when e holds
    jump e           link, then go to e
    load w, store w  at a + i; w is a width, s for sign extension (fload, fstore: float registers)
    lr w, sc w       load reserved, store conditional at a
    amo w e          read m at a, store e, return m
    float            exact float arithmetic (source/float.py)
    float e          host arithmetic e where that is provably exact, else exact arithmetic
    float e when g   host arithmetic e where g holds: it raises no flag then
    round e when g   host arithmetic e where g holds: it may be inexact, and raises no other flag
    fma e            as `float e`, on hosts that multiply and add with one rounding
Of a row whose name ends in .s, float operands must be NaN-boxed for that [unpriv 21.2].
    csr, system      done by source/system.py
"""

from dataclasses import dataclass, field

TABLE = """
[I]
lui       iiiiiiiiiiiiiiiiiiii ddddd 0110111      | U | d = i << 12
auipc     iiiiiiiiiiiiiiiiiiii ddddd 0010111      | U | d = pc + (i << 12)
jal       iiiiiiiiiiiiiiiiiiii ddddd 1101111      | J | jump pc + i
jalr      iiiiiiiiiiii aaaaa 000 ddddd 1100111    | I | jump a + i & ~1
beq       iiiiiii bbbbb aaaaa 000 iiiii 1100011   | B | if a == b
bne       iiiiiii bbbbb aaaaa 001 iiiii 1100011   | B | if a != b
blt       iiiiiii bbbbb aaaaa 100 iiiii 1100011   | B | if lts(a, b)
bge       iiiiiii bbbbb aaaaa 101 iiiii 1100011   | B | if not lts(a, b)
bltu      iiiiiii bbbbb aaaaa 110 iiiii 1100011   | B | if a < b
bgeu      iiiiiii bbbbb aaaaa 111 iiiii 1100011   | B | if a >= b
lb        iiiiiiiiiiii aaaaa 000 ddddd 0000011    | I | load s8
lh        iiiiiiiiiiii aaaaa 001 ddddd 0000011    | I | load s16
lw        iiiiiiiiiiii aaaaa 010 ddddd 0000011    | I | load s32
ld        iiiiiiiiiiii aaaaa 011 ddddd 0000011    | I | load 64
lbu       iiiiiiiiiiii aaaaa 100 ddddd 0000011    | I | load 8
lhu       iiiiiiiiiiii aaaaa 101 ddddd 0000011    | I | load 16
lwu       iiiiiiiiiiii aaaaa 110 ddddd 0000011    | I | load 32
sb        iiiiiii bbbbb aaaaa 000 iiiii 0100011   | S | store 8
sh        iiiiiii bbbbb aaaaa 001 iiiii 0100011   | S | store 16
sw        iiiiiii bbbbb aaaaa 010 iiiii 0100011   | S | store 32
sd        iiiiiii bbbbb aaaaa 011 iiiii 0100011   | S | store 64
addi      iiiiiiiiiiii aaaaa 000 ddddd 0010011    | I | d = a + i
slti      iiiiiiiiiiii aaaaa 010 ddddd 0010011    | I | d = lts(a, i)
sltiu     iiiiiiiiiiii aaaaa 011 ddddd 0010011    | I | d = ltu(a, i)
xori      iiiiiiiiiiii aaaaa 100 ddddd 0010011    | I | d = a ^ i
ori       iiiiiiiiiiii aaaaa 110 ddddd 0010011    | I | d = a | i
andi      iiiiiiiiiiii aaaaa 111 ddddd 0010011    | I | d = a & i
slli      000000 iiiiii aaaaa 001 ddddd 0010011   | H | d = a << i
srli      000000 iiiiii aaaaa 101 ddddd 0010011   | H | d = a >> i
srai      010000 iiiiii aaaaa 101 ddddd 0010011   | H | d = sar(a, i)
addiw     iiiiiiiiiiii aaaaa 000 ddddd 0011011    | I | d = sext32(a + i)
slliw     0000000 iiiii aaaaa 001 ddddd 0011011   | H | d = sext32(a << i)
srliw     0000000 iiiii aaaaa 101 ddddd 0011011   | H | d = sext32(zext32(a) >> i)
sraiw     0100000 iiiii aaaaa 101 ddddd 0011011   | H | d = sar(sext32(a), i)
add       0000000 bbbbb aaaaa 000 ddddd 0110011   | N | d = a + b
sub       0100000 bbbbb aaaaa 000 ddddd 0110011   | N | d = a - b
sll       0000000 bbbbb aaaaa 001 ddddd 0110011   | N | d = a << (b & 63)
slt       0000000 bbbbb aaaaa 010 ddddd 0110011   | N | d = lts(a, b)
sltu      0000000 bbbbb aaaaa 011 ddddd 0110011   | N | d = ltu(a, b)
xor       0000000 bbbbb aaaaa 100 ddddd 0110011   | N | d = a ^ b
srl       0000000 bbbbb aaaaa 101 ddddd 0110011   | N | d = a >> (b & 63)
sra       0100000 bbbbb aaaaa 101 ddddd 0110011   | N | d = sar(a, b & 63)
or        0000000 bbbbb aaaaa 110 ddddd 0110011   | N | d = a | b
and       0000000 bbbbb aaaaa 111 ddddd 0110011   | N | d = a & b
addw      0000000 bbbbb aaaaa 000 ddddd 0111011   | N | d = sext32(a + b)
subw      0100000 bbbbb aaaaa 000 ddddd 0111011   | N | d = sext32(a - b)
sllw      0000000 bbbbb aaaaa 001 ddddd 0111011   | N | d = sext32(a << (b & 31))
srlw      0000000 bbbbb aaaaa 101 ddddd 0111011   | N | d = sext32(zext32(a) >> (b & 31))
sraw      0100000 bbbbb aaaaa 101 ddddd 0111011   | N | d = sar(sext32(a), b & 31)
fence     ---- ---- ---- ----- 000 ----- 0001111  | N | d = 0
[M]
mul       0000001 bbbbb aaaaa 000 ddddd 0110011   | N | d = a * b
mulh      0000001 bbbbb aaaaa 001 ddddd 0110011   | N | d = mulh(a, b)
mulhsu    0000001 bbbbb aaaaa 010 ddddd 0110011   | N | d = mulhsu(a, b)
mulhu     0000001 bbbbb aaaaa 011 ddddd 0110011   | N | d = mulhu(a, b)
div       0000001 bbbbb aaaaa 100 ddddd 0110011   | N | d = divide(a, b)
divu      0000001 bbbbb aaaaa 101 ddddd 0110011   | N | d = divide_unsigned(a, b)
rem       0000001 bbbbb aaaaa 110 ddddd 0110011   | N | d = remainder(a, b)
remu      0000001 bbbbb aaaaa 111 ddddd 0110011   | N | d = remainder_unsigned(a, b)
mulw      0000001 bbbbb aaaaa 000 ddddd 0111011   | N | d = sext32(a * b)
divw      0000001 bbbbb aaaaa 100 ddddd 0111011   | N | d = sext32(divide(sext32(a), sext32(b)))
divuw     0000001 bbbbb aaaaa 101 ddddd 0111011   | N | d = sext32(divide_unsigned(zext32(a), zext32(b)))
remw      0000001 bbbbb aaaaa 110 ddddd 0111011   | N | d = sext32(remainder(sext32(a), sext32(b)))
remuw     0000001 bbbbb aaaaa 111 ddddd 0111011   | N | d = sext32(remainder_unsigned(zext32(a), zext32(b)))
[Zba]
add.uw    0000100 bbbbb aaaaa 000 ddddd 0111011   | N | d = zext32(a) + b
sh1add    0010000 bbbbb aaaaa 010 ddddd 0110011   | N | d = (a << 1) + b
sh2add    0010000 bbbbb aaaaa 100 ddddd 0110011   | N | d = (a << 2) + b
sh3add    0010000 bbbbb aaaaa 110 ddddd 0110011   | N | d = (a << 3) + b
sh1add.uw 0010000 bbbbb aaaaa 010 ddddd 0111011   | N | d = (zext32(a) << 1) + b
sh2add.uw 0010000 bbbbb aaaaa 100 ddddd 0111011   | N | d = (zext32(a) << 2) + b
sh3add.uw 0010000 bbbbb aaaaa 110 ddddd 0111011   | N | d = (zext32(a) << 3) + b
slli.uw   000010 iiiiii aaaaa 001 ddddd 0011011   | H | d = zext32(a) << i
[Zbb]
andn      0100000 bbbbb aaaaa 111 ddddd 0110011   | N | d = a & ~b
orn       0100000 bbbbb aaaaa 110 ddddd 0110011   | N | d = a | ~b
xnor      0100000 bbbbb aaaaa 100 ddddd 0110011   | N | d = a ^ ~b
clz       011000000000 aaaaa 001 ddddd 0010011    | N | d = clz(a)
ctz       011000000001 aaaaa 001 ddddd 0010011    | N | d = ctz(a)
cpop      011000000010 aaaaa 001 ddddd 0010011    | N | d = popcount(a)
clzw      011000000000 aaaaa 001 ddddd 0011011    | N | d = clz(zext32(a)) - 32
ctzw      011000000001 aaaaa 001 ddddd 0011011    | N | d = ctz(a | 1 << 32)
cpopw     011000000010 aaaaa 001 ddddd 0011011    | N | d = popcount(zext32(a))
max       0000101 bbbbb aaaaa 110 ddddd 0110011   | N | d = select(lts(a, b), b, a)
maxu      0000101 bbbbb aaaaa 111 ddddd 0110011   | N | d = select(ltu(a, b), b, a)
min       0000101 bbbbb aaaaa 100 ddddd 0110011   | N | d = select(lts(a, b), a, b)
minu      0000101 bbbbb aaaaa 101 ddddd 0110011   | N | d = select(ltu(a, b), a, b)
sext.b    011000000100 aaaaa 001 ddddd 0010011    | N | d = sext8(a)
sext.h    011000000101 aaaaa 001 ddddd 0010011    | N | d = sext16(a)
zext.h    000010000000 aaaaa 100 ddddd 0111011    | N | d = a & 0xffff
rol       0110000 bbbbb aaaaa 001 ddddd 0110011   | N | d = ror(a, 0 - b)
ror       0110000 bbbbb aaaaa 101 ddddd 0110011   | N | d = ror(a, b)
rori      011000 iiiiii aaaaa 101 ddddd 0010011   | H | d = ror(a, i)
rolw      0110000 bbbbb aaaaa 001 ddddd 0111011   | N | d = sext32(ror32(a, 0 - b))
rorw      0110000 bbbbb aaaaa 101 ddddd 0111011   | N | d = sext32(ror32(a, b))
roriw     0110000 iiiii aaaaa 101 ddddd 0011011   | H | d = sext32(ror32(a, i))
orc.b     001010000111 aaaaa 101 ddddd 0010011    | N | d = or_combine(a)
rev8      011010111000 aaaaa 101 ddddd 0010011    | N | d = bswap(a)
[Zbs]
bclr      0100100 bbbbb aaaaa 001 ddddd 0110011   | N | d = a & ~(1 << (b & 63))
bclri     010010 iiiiii aaaaa 001 ddddd 0010011   | H | d = a & ~(1 << i)
bext      0100100 bbbbb aaaaa 101 ddddd 0110011   | N | d = a >> (b & 63) & 1
bexti     010010 iiiiii aaaaa 101 ddddd 0010011   | H | d = a >> i & 1
binv      0110100 bbbbb aaaaa 001 ddddd 0110011   | N | d = a ^ 1 << (b & 63)
binvi     011010 iiiiii aaaaa 001 ddddd 0010011   | H | d = a ^ 1 << i
bset      0010100 bbbbb aaaaa 001 ddddd 0110011   | N | d = a | 1 << (b & 63)
bseti     001010 iiiiii aaaaa 001 ddddd 0010011   | H | d = a | 1 << i
[Zicond]
czero.eqz 0000111 bbbbb aaaaa 101 ddddd 0110011   | N | d = select(b, a, 0)
czero.nez 0000111 bbbbb aaaaa 111 ddddd 0110011   | N | d = select(b, 0, a)
[A]
lr.w      00010-- 00000 aaaaa 010 ddddd 0101111   | N | lr s32
sc.w      00011-- bbbbb aaaaa 010 ddddd 0101111   | N | sc s32
amoswap.w 00001-- bbbbb aaaaa 010 ddddd 0101111   | N | amo s32 b
amoadd.w  00000-- bbbbb aaaaa 010 ddddd 0101111   | N | amo s32 m + b
amoxor.w  00100-- bbbbb aaaaa 010 ddddd 0101111   | N | amo s32 m ^ b
amoand.w  01100-- bbbbb aaaaa 010 ddddd 0101111   | N | amo s32 m & b
amoor.w   01000-- bbbbb aaaaa 010 ddddd 0101111   | N | amo s32 m | b
amomin.w  10000-- bbbbb aaaaa 010 ddddd 0101111   | N | amo s32 select(lts(m, b), m, b)
amomax.w  10100-- bbbbb aaaaa 010 ddddd 0101111   | N | amo s32 select(lts(m, b), b, m)
amominu.w 11000-- bbbbb aaaaa 010 ddddd 0101111   | N | amo s32 select(ltu(m, b), m, b)
amomaxu.w 11100-- bbbbb aaaaa 010 ddddd 0101111   | N | amo s32 select(ltu(m, b), b, m)
lr.d      00010-- 00000 aaaaa 011 ddddd 0101111   | N | lr 64
sc.d      00011-- bbbbb aaaaa 011 ddddd 0101111   | N | sc 64
amoswap.d 00001-- bbbbb aaaaa 011 ddddd 0101111   | N | amo 64 b
amoadd.d  00000-- bbbbb aaaaa 011 ddddd 0101111   | N | amo 64 m + b
amoxor.d  00100-- bbbbb aaaaa 011 ddddd 0101111   | N | amo 64 m ^ b
amoand.d  01100-- bbbbb aaaaa 011 ddddd 0101111   | N | amo 64 m & b
amoor.d   01000-- bbbbb aaaaa 011 ddddd 0101111   | N | amo 64 m | b
amomin.d  10000-- bbbbb aaaaa 011 ddddd 0101111   | N | amo 64 select(lts(m, b), m, b)
amomax.d  10100-- bbbbb aaaaa 011 ddddd 0101111   | N | amo 64 select(lts(m, b), b, m)
amominu.d 11000-- bbbbb aaaaa 011 ddddd 0101111   | N | amo 64 select(ltu(m, b), m, b)
amomaxu.d 11100-- bbbbb aaaaa 011 ddddd 0101111   | N | amo 64 select(ltu(m, b), b, m)
[Zicsr]
csrrw     iiiiiiiiiiii aaaaa 001 ddddd 1110011    | C | csr
csrrs     iiiiiiiiiiii aaaaa 010 ddddd 1110011    | C | csr
csrrc     iiiiiiiiiiii aaaaa 011 ddddd 1110011    | C | csr
csrrwi    iiiiiiiiiiii aaaaa 101 ddddd 1110011    | C | csr
csrrsi    iiiiiiiiiiii aaaaa 110 ddddd 1110011    | C | csr
csrrci    iiiiiiiiiiii aaaaa 111 ddddd 1110011    | C | csr
[System]
ecall     000000000000 00000 000 00000 1110011    | N | system
ebreak    000000000001 00000 000 00000 1110011    | N | system
sret      000100000010 00000 000 00000 1110011    | N | system
mret      001100000010 00000 000 00000 1110011    | N | system
wfi       000100000101 00000 000 00000 1110011    | N | system
sfence.vma 0001001 bbbbb aaaaa 000 00000 1110011  | N | system
[Zifencei]
fence.i   ------------ ----- 001 ----- 0001111    | N | system
[F]
flw       iiiiiiiiiiii aaaaa 010 DDDDD 0000111    | I | fload f32
fsw       iiiiiii BBBBB aaaaa 010 iiiii 0100111   | S | fstore 32
[D]
fld       iiiiiiiiiiii aaaaa 011 DDDDD 0000111    | I | fload 64
fsd       iiiiiii BBBBB aaaaa 011 iiiii 0100111   | S | fstore 64
"""

FLOAT = """
[F and D]
fmadd.?   CCCCC FF BBBBB AAAAA mmm DDDDD 1000011  | 4 | fma fma?(a, b, c)
fmsub.?   CCCCC FF BBBBB AAAAA mmm DDDDD 1000111  | 4 | fma fma?(a, b, neg?(c))
fnmsub.?  CCCCC FF BBBBB AAAAA mmm DDDDD 1001011  | 4 | fma fma?(neg?(a), b, c)
fnmadd.?  CCCCC FF BBBBB AAAAA mmm DDDDD 1001111  | 4 | fma fma?(neg?(a), b, neg?(c))
fadd.?    00000FF BBBBB AAAAA mmm DDDDD 1010011   | M | float add?(a, b)
fsub.?    00001FF BBBBB AAAAA mmm DDDDD 1010011   | M | float sub?(a, b)
fmul.?    00010FF BBBBB AAAAA mmm DDDDD 1010011   | M | float mul?(a, b)
fdiv.?    00011FF BBBBB AAAAA mmm DDDDD 1010011   | M | float div?(a, b)
fsqrt.?   01011FF 00000 AAAAA mmm DDDDD 1010011   | M | float sqrt?(a)
fsgnj.?   00100FF BBBBB AAAAA 000 DDDDD 1010011   | N | float a ^ sign?(a ^ b) when 1
fsgnjn.?  00100FF BBBBB AAAAA 001 DDDDD 1010011   | N | float a ^ sign?(a ^ ~b) when 1
fsgnjx.?  00100FF BBBBB AAAAA 010 DDDDD 1010011   | N | float a ^ sign?(b) when 1
fmin.?    00101FF BBBBB AAAAA 000 DDDDD 1010011   | N | float min?(a, b) when real?(a, b)
fmax.?    00101FF BBBBB AAAAA 001 DDDDD 1010011   | N | float max?(a, b) when real?(a, b)
feq.?     10100FF BBBBB AAAAA 010 ddddd 1010011   | N | float feq?(a, b) when ord?(a, b)
flt.?     10100FF BBBBB AAAAA 001 ddddd 1010011   | N | float flt?(a, b) when ord?(a, b)
fle.?     10100FF BBBBB AAAAA 000 ddddd 1010011   | N | float fle?(a, b) when ord?(a, b)
fclass.?  11100FF 00000 AAAAA 001 ddddd 1010011   | N | float
fcvt.w.?  11000FF 00000 AAAAA mmm ddddd 1010011   | T | round ?2i(a) when below?(a, 31)
fcvt.wu.? 11000FF 00001 AAAAA mmm ddddd 1010011   | T | round sext32(?2i(a)) when natural?(a, 32)
fcvt.l.?  11000FF 00010 AAAAA mmm ddddd 1010011   | T | round ?2i(a) when below?(a, 63)
fcvt.lu.? 11000FF 00011 AAAAA mmm ddddd 1010011   | T | round ?2i(a) when natural?(a, 63)
fcvt.s.w  1101000 00000 aaaaa mmm DDDDD 1010011   | M | round i2s(sext32(a)) when 1
fcvt.d.w  1101001 00000 aaaaa mmm DDDDD 1010011   | M | float i2d(sext32(a)) when 1
fcvt.s.wu 1101000 00001 aaaaa mmm DDDDD 1010011   | M | round i2s(zext32(a)) when 1
fcvt.d.wu 1101001 00001 aaaaa mmm DDDDD 1010011   | M | float i2d(zext32(a)) when 1
fcvt.?.l  11010FF 00010 aaaaa mmm DDDDD 1010011   | M | round i2?(a) when 1
fcvt.?.lu 11010FF 00011 aaaaa mmm DDDDD 1010011   | M | round i2?(a) when a >> 63 ^ 1
fmv.x.w   1110000 00000 AAAAA 000 ddddd 1010011   | N | float sext32(a) when 1
fmv.x.d   1110001 00000 AAAAA 000 ddddd 1010011   | N | float a when 1
fmv.w.x   1111000 00000 aaaaa 000 DDDDD 1010011   | N | float a | BOX when 1
fmv.d.x   1111001 00000 aaaaa 000 DDDDD 1010011   | N | float a when 1
fcvt.s.d  0100000 00001 AAAAA mmm DDDDD 1010011   | M | float cvtds(a)
fcvt.d.s  0100001 00000 AAAAA mmm DDDDD 1010011   | M | float cvtsd(a) when ords(a, a)
"""
"""Float arithmetic, for singles and doubles in turn: a line with ? is two rows, where ? is s or d and FF its code.
source/float.py numbers its operations in this order."""

COMPRESSED = """
000 iiiiiiii ddd 00    | addi   | d' 2  .  | 5 4 9 8 7 6 2 3           | i
001 iii aaa ii DDD 00  | fld    | D' a' .  | 5 4 3 7 6
010 iii aaa ii ddd 00  | lw     | d' a' .  | 5 4 3 2 6
011 iii aaa ii ddd 00  | ld     | d' a' .  | 5 4 3 7 6
101 iii aaa ii BBB 00  | fsd    | .  a' B' | 5 4 3 7 6
110 iii aaa ii bbb 00  | sw     | .  a' b' | 5 4 3 2 6
111 iii aaa ii bbb 00  | sd     | .  a' b' | 5 4 3 7 6
000 i ddddd iiiii 01   | addi   | d  d  .  | s5 4 3 2 1 0
001 i ddddd iiiii 01   | addiw  | d  d  .  | s5 4 3 2 1 0              | d
010 i ddddd iiiii 01   | addi   | d  0  .  | s5 4 3 2 1 0
011 i 00010 iiiii 01   | addi   | 2  2  .  | s9 4 6 8 7 5              | i
011 i ddddd iiiii 01   | lui    | d  .  .  | s5 4 3 2 1 0              | i
100 i 00 ddd iiiii 01  | srli   | d' d' .  | 5 4 3 2 1 0
100 i 01 ddd iiiii 01  | srai   | d' d' .  | 5 4 3 2 1 0
100 i 10 ddd iiiii 01  | andi   | d' d' .  | s5 4 3 2 1 0
100 0 11 ddd 00 bbb 01 | sub    | d' d' b' |
100 0 11 ddd 01 bbb 01 | xor    | d' d' b' |
100 0 11 ddd 10 bbb 01 | or     | d' d' b' |
100 0 11 ddd 11 bbb 01 | and    | d' d' b' |
100 1 11 ddd 00 bbb 01 | subw   | d' d' b' |
100 1 11 ddd 01 bbb 01 | addw   | d' d' b' |
101 iiiiiiiiiii 01     | jal    | 0  .  .  | s11 4 9 8 10 6 7 3 2 1 5
110 iii aaa iiiii 01   | beq    | .  a' 0  | s8 4 3 7 6 2 1 5
111 iii aaa iiiii 01   | bne    | .  a' 0  | s8 4 3 7 6 2 1 5
000 i ddddd iiiii 10   | slli   | d  d  .  | 5 4 3 2 1 0
001 i DDDDD iiiii 10   | fld    | D  2  .  | 5 4 3 8 7 6
010 i ddddd iiiii 10   | lw     | d  2  .  | 5 4 3 2 7 6               | d
011 i ddddd iiiii 10   | ld     | d  2  .  | 5 4 3 8 7 6               | d
100 0 aaaaa 00000 10   | jalr   | 0  a  .  |                           | a
100 0 ddddd bbbbb 10   | add    | d  0  b  |                           | b
100 1 00000 00000 10   | ebreak | .  .  .  |
100 1 aaaaa 00000 10   | jalr   | 1  a  .  |                           | a
100 1 ddddd bbbbb 10   | add    | d  d  b  |                           | b
101 iiiiii BBBBB 10    | fsd    | .  2  B  | 5 4 3 8 7 6
110 iiiiii bbbbb 10    | sw     | .  2  b  | 5 4 3 2 7 6
111 iiiiii bbbbb 10    | sd     | .  2  b  | 5 4 3 8 7 6
"""
"""bits | the instruction meant | rd rs1 rs2 | where each i bit goes, msb first | what may not be 0.

A register is a field's letter (with ' it is three bits that name x8–x15), a number, or . for none;
s5 is bit 5 and all above it. Earlier rows win."""


def _fixed(bits: str) -> tuple[int, int]:
    """(mask, match) of a bit pattern."""
    mask = int("".join("1" if c in "01" else "0" for c in bits), 2)
    return mask, int("".join(c if c in "01" else "0" for c in bits), 2)


@dataclass(frozen=True)
class Row:
    """One 32-bit instruction: `word & mask == match` recognises it."""

    name: str
    bits: str
    immediate: str
    meaning: str
    extension: str
    mask: int = field(init=False)
    match: int = field(init=False)

    def __post_init__(self) -> None:
        mask, match = _fixed(self.bits)
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "match", match)

    @property
    def kind(self) -> str:
        """The first word of the meaning: d, if, jump, load, amo, float, …"""
        return self.meaning.split()[0]

    @property
    def rest(self) -> str:
        """The meaning after its kind (after `d =` for an integer result)."""
        return self.meaning.split(None, 2 if self.kind == "d" else 1)[-1]

    @property
    def expression(self) -> str:
        """What it computes: a result, a condition, or the target of a jump."""
        return (
            self.rest.split(None, 1)[1] if self.kind == "amo" else self.rest.partition(" when ")[0]
        )

    @property
    def guard(self) -> str:
        """When the host's arithmetic is right for it, if it says that."""
        return self.rest.partition(" when ")[2]

    @property
    def rounds(self) -> bool:
        """Whether its bits name a rounding mode."""
        return "m" in self.bits

    @property
    def is_exact(self) -> bool:
        """Whether the host's arithmetic neither rounds nor raises a flag where it is right."""
        return self.kind == "float" and self.guard != ""

    @property
    def singles(self) -> tuple[str, ...]:
        """The operands that must be NaN-boxed singles."""
        return tuple(c for c in "abc" if c.upper() in self.bits and self.name.endswith(".s"))

    @property
    def result(self) -> str:
        """The format of a float result: s (NaN-boxed) or d; "" for other results."""
        if "D" not in self.bits:
            return ""
        kind = self.name.partition(".")[2] or self.name
        return "s" if kind[0] in "sw" or kind == "flw" else "d"

    @property
    def constant(self) -> str:
        """The name of its operation number in the engine: AMOADD_W."""
        return self.name.upper().replace(".", "_")


@dataclass(frozen=True)
class CompressedRow:
    """One 16-bit instruction and the 32-bit one that it abbreviates."""

    bits: str
    target: str
    registers: tuple[str, str, str]
    scatter: tuple[str, ...]
    nonzero: tuple[str, ...]
    mask: int
    match: int

    def field(self, letter: str) -> tuple[int, int]:
        """(lowest bit, width) of a register field."""
        return 15 - self.bits.rindex(letter), self.bits.count(letter)

    def sources(self) -> list[int]:
        """The positions of the immediate's bits, msb first, as `scatter` lists them."""
        return [15 - place for place, letter in enumerate(self.bits) if letter == "i"]


def _columns(line: str) -> list[str]:
    return [column.strip() for column in line.split("|")]


def _rows(table: str) -> list[Row]:
    rows, extension = [], ""
    for line in table.strip().splitlines():
        if line.startswith("["):
            extension = line.strip("[]")
            continue
        head, immediate, meaning = line.split("|", 2)
        name, bits = head.split(None, 1)
        rows.append(Row(name, bits.replace(" ", ""), immediate.strip(), meaning.strip(), extension))
    return rows


def _float_rows() -> list[Row]:
    """The lines of FLOAT, those for both formats twice."""
    lines = []
    for line in FLOAT.strip().splitlines():
        formats = (("s", "00"), ("d", "01")) if "FF" in line else (("", ""),)
        lines += [line.replace("?", letter).replace("FF", code) for letter, code in formats]
    return _rows("\n".join(lines))


def _compressed_rows() -> list[CompressedRow]:
    rows = []
    for line in COMPRESSED.strip().splitlines():
        bits, target, registers, scatter, nonzero = (*_columns(line), "")[:5]
        bits = bits.replace(" ", "")
        rd, rs1, rs2 = registers.split()
        rows.append(
            CompressedRow(
                bits, target, (rd, rs1, rs2), tuple(scatter.split()), tuple(nonzero), *_fixed(bits)
            )
        )
    return rows


FLOAT_ROWS: list[Row] = _float_rows()
ROWS: list[Row] = _rows(TABLE) + FLOAT_ROWS
BY_NAME: dict[str, Row] = {row.name: row for row in ROWS}
COMPRESSED_ROWS: list[CompressedRow] = _compressed_rows()

ISA_STRING = "rv64imafdc_zicntr_zicond_zicsr_zifencei_zba_zbb_zbs_sstc"
"""What the device tree says that a hart is."""
