/* Into a program of user mode, and with its calls back: all registers to a frame and from it, as kernels do. */

.macro each_register do
    .irp n, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \do x\n, 8 * \n(t0)
    .endr
.endm

.macro each_kept do
    \do ra, 0(sp)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    \do s\n, 8 * \n + 8(sp)
    .endr
.endm

/* void run_program(struct frame *, program): returns when serve() says that the program is done. */
.globl run_program
run_program:
    addi sp, sp, -112
    each_kept sd
    sd   sp, 256(a0)
    csrw sscratch, a0
    la   t0, called
    csrw stvec, t0
    csrw sepc, a1
    li   t0, 1 << 8 /* back to user mode */
    csrc sstatus, t0
    sret

.balign 4
called:
    csrrw t0, sscratch, t0
    each_register sd
    csrr t1, sscratch
    sd   t1, 40(t0)
    csrr t1, sepc
    sd   t1, 0(t0)
    csrw sscratch, t0
    ld   sp, 256(t0)
    mv   a0, t0
    call serve
    beqz a0, done
    csrr t0, sscratch
    ld   t1, 0(t0)
    csrw sepc, t1
    each_register ld
    ld   t0, 40(t0)
    sret
done:
    each_kept ld
    addi sp, sp, 112
    ret
