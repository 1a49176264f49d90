/* Machine mode, as the board hands over: floating point on, a stack, then main; with PAGING in supervisor mode. */
.globl _start
_start:
    li   t0, 1 << 13
    csrs mstatus, t0
    la   sp, stack_top
#ifdef PAGING
    call paging_on
#ifndef HTIF /* TinyEMU protects no memory */
    li   t0, -1
    csrw pmpaddr0, t0
    li   t0, 0x1f
    csrw pmpcfg0, t0
#endif
    li   t0, 1 << 8 /* calls of user mode are the supervisor's */
    csrw medeleg, t0
    li   t0, 7
    csrw mcounteren, t0
    li   t0, 3 << 11
    csrc mstatus, t0
    li   t0, 1 << 11
    csrs mstatus, t0
    la   t0, 1f
    csrw mepc, t0
    mret
1:
#endif
    call main
1:  wfi
    j    1b

.bss
.balign 16
    .space 16384
stack_top:
