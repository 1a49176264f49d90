# The way into the trap handler and back.
#
# Between traps mscratch holds the address of trap_frame, and during one it holds zero: so the
# first instruction gets a place to save the registers without losing any, and a trap inside the
# handler (which would overwrite the frame) is noticed.

# Stores or loads x1 and x3 to x31, each in its place in the frame that sp points to.
    .macro for_registers instruction
    .irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    \instruction x\n, 8 * \n(sp)
    .endr
    .irp n, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \instruction x\n, 8 * \n(sp)
    .endr
    .endm

    .text
    .balign 4                   # mtvec's two lowest bits are a mode, not an address
    .globl trap_entry
trap_entry:
    csrrw sp, mscratch, sp
    beqz sp, trap_in_trap

    for_registers sd            # x2, the stack pointer, is in mscratch for now
    csrrw t0, mscratch, zero
    sd   t0, 8 * 2(sp)
    csrr t0, mepc
    sd   t0, 8 * 0(sp)          # x0 needs no saving: its place holds the pc
    csrr t0, mcause
    sd   t0, 8 * 32(sp)
    csrr t0, mtval
    sd   t0, 8 * 33(sp)

    # The handler has a stack of its own, because a broken stack pointer is one of the things
    # that it has to report.  It saves no floating point registers and therefore uses none.
    mv   a0, sp
    la   sp, trap_stack_top
    call trap                   # trap(frame) may change the frame, and so where we return to

    la   sp, trap_frame
    ld   t0, 8 * 0(sp)
    csrw mepc, t0
    csrw mscratch, sp
    for_registers ld
    ld   sp, 8 * 2(sp)
    mret

trap_in_trap:
    la   sp, trap_stack_top
    call trapped_twice          # never returns
