# The first instructions after power-on: just enough to be able to call C.
#
# The hart is in machine mode, with interrupts off, a0 = its number, a1 = the device tree's address.

    .section .text.start, "ax"
    .globl _start
_start:
    bnez a0, park               # labos uses one hart; any other one sleeps for good

    csrw mie, zero              # nothing may interrupt before there is a handler
    la   t0, trap_entry
    csrw mtvec, t0
    la   t0, trap_frame         # trap.S saves the registers where mscratch points
    csrw mscratch, t0

    li   t0, 1 << 13            # mstatus.FS = initial: floating point instructions are legal
    csrs mstatus, t0
    csrw fcsr, zero             # round to nearest, no flags raised

    la   t0, bss_start          # C expects its variables without a value to be zero
    la   t1, bss_end
1:  bgeu t0, t1, 2f
    sd   zero, (t0)
    addi t0, t0, 8
    j    1b

2:  la   sp, stack_top          # stacks grow downwards
    mv   a0, a1
    call main                   # never returns

park:
    wfi
    j    park

# Where a trap's handler sends the hart after a crash: the stack of whatever crashed is abandoned
# whole, and the shell goes on with an empty one.
    .globl recover
recover:
    la   sp, stack_top
    call recovered              # never returns
