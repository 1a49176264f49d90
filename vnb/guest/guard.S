# One load or store at an address where perhaps nothing is.
#
#   bool guarded_load(uint64_t address, unsigned size, uint64_t *value)
#   bool guarded_store(uint64_t address, unsigned size, uint64_t value)
#
# size is 1, 2, 4 or 8.  If the access traps, the handler sees that its pc lies between guard_begin
# and guard_end, and continues at guard_failed (trap.c): the call then returns false.

    .text
    .globl guarded_load, guarded_store, guard_begin, guard_end, guard_failed

guarded_load:
    li   t0, 2
    beq  a1, t0, load2
    li   t0, 4
    beq  a1, t0, load4
    bgtu a1, t0, load8
    j    load1
guarded_store:
    li   t0, 2
    beq  a1, t0, store2
    li   t0, 4
    beq  a1, t0, store4
    bgtu a1, t0, store8
    j    store1

guard_begin:
load1:
    lbu  t1, (a0)
    j    loaded
load2:
    lhu  t1, (a0)
    j    loaded
load4:
    lwu  t1, (a0)
    j    loaded
load8:
    ld   t1, (a0)
    j    loaded
store1:
    sb   a2, (a0)
    j    done
store2:
    sh   a2, (a0)
    j    done
store4:
    sw   a2, (a0)
    j    done
store8:
    sd   a2, (a0)
    j    done
guard_end:

loaded:
    sd   t1, (a2)
done:
    li   a0, 1
    ret
guard_failed:
    li   a0, 0
    ret
