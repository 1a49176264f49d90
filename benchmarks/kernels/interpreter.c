/* A bytecode interpreter in the usual style: loads an opcode and jumps through a table. */
#include "kernel.h"

enum op { PUSH, ADD, SUB, MIX, DUP, SWAP, JUMP_IF, HALT };

static const int32_t program[] = {       /* the stack afterwards: */
    PUSH, 1, PUSH, 3000000,              /* sum counter   */
    SWAP, PUSH, 7, MIX, PUSH, 3, ADD,    /* counter sum   */
    SWAP, PUSH, 1, SUB,                  /* sum counter-1 */
    DUP, JUMP_IF, 4,
    HALT,
};

uint64_t kernel(void)
{
    static const void *const code[] = {&&push, &&add, &&sub, &&mix, &&dup, &&swap, &&jump_if, &&halt};
    uint64_t stack[16], *top = stack, kept;
    const int32_t *pc = program;
#define NEXT goto *code[*pc++]
    NEXT;
push:
    *++top = (uint64_t)*pc++;
    NEXT;
add:
    top--, top[0] += top[1];
    NEXT;
sub:
    top--, top[0] -= top[1];
    NEXT;
mix:
    top--, top[0] = (top[0] ^ top[0] << 5) * (2 * top[1] + 1);
    NEXT;
dup:
    top++, top[0] = top[-1];
    NEXT;
swap:
    kept = top[0], top[0] = top[-1], top[-1] = kept;
    NEXT;
jump_if:
    pc = *top-- ? program + *pc : pc + 1;
    NEXT;
halt:
    return top[-1];
}
