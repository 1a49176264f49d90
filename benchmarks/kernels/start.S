/* Machine mode, as the board hands over: floating point on, a stack, then main. */
.globl _start
_start:
    li   t0, 1 << 13
    csrs mstatus, t0
    la   sp, stack_top
    call main
1:  wfi
    j    1b

.bss
.balign 16
    .space 16384
stack_top:
