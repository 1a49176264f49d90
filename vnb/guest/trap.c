/* What becomes of a trap: an interrupt is served and forgotten, an exception is reported, and the
 * shell goes on. */
#include "labos.h"

#define INTERRUPT (1ul << 63) /* of mcause */

enum { MACHINE_TIMER = 7, MACHINE_EXTERNAL = 11 };

/* [priv 3.1.15] */
static const char *const causes[] = {
    [0] = "instruction address misaligned", [1] = "instruction access fault",
    [2] = "illegal instruction",            [3] = "breakpoint",
    [4] = "load address misaligned",        [5] = "load access fault",
    [6] = "store address misaligned",       [7] = "store access fault",
    [8] = "environment call from U-mode",   [9] = "environment call from S-mode",
    [11] = "environment call from M-mode",  [12] = "instruction page fault",
    [13] = "load page fault",               [15] = "store page fault",
};

struct trap_frame trap_frame;
uint64_t timer_interrupts, exceptions;
uint64_t last_exception; /* its cause; the frame may be that of an interrupt since */

extern char guard_begin, guard_end, guard_failed, recover; /* guard.S, start.S */

const char *cause_name(uint64_t cause)
{
    if (cause == (INTERRUPT | MACHINE_TIMER))
        return "machine timer interrupt";
    if (cause == (INTERRUPT | MACHINE_EXTERNAL))
        return "machine external interrupt";
    return cause < COUNT(causes) && causes[cause] ? causes[cause] : "reserved cause";
}

void print_registers(const struct trap_frame *frame)
{
    static const char *const names[32] = {
        "pc", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
        "a1", "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
        "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    };
    for (unsigned i = 0; i < 32; i++)
        print("%4s %016lx%s", names[i], frame->x[i], i % 3 == 2 || i == 31 ? "\n" : " ");
}

static void exception(struct trap_frame *frame)
{
    uint64_t pc = frame->x[0];
    if (pc >= (uint64_t)&guard_begin && pc < (uint64_t)&guard_end) {
        frame->x[0] = (uint64_t)&guard_failed; /* somebody asked whether this would work */
        return;
    }
    exceptions++;
    last_exception = frame->cause;
    print("\ntrap: %s (mcause %lu) ", cause_name(frame->cause), frame->cause);
    print("at %016lx, mtval %016lx\n", pc, frame->value);
    print_registers(frame);
    frame->x[0] = (uint64_t)&recover;
}

void trap(struct trap_frame *frame)
{
    if (frame->cause == (INTERRUPT | MACHINE_EXTERNAL)) {
        plic_interrupt();
    } else if (frame->cause == (INTERRUPT | MACHINE_TIMER)) {
        timer_interrupts++;
        clock_alarm_off(); /* it has woken the hart: that is all it was for */
    } else {
        exception(frame);
    }
}

/* The registers of the first trap are still in the frame, but there is no way back to them. */
void trapped_twice(void)
{
    static const char last_words[] = "\nlabos: a trap inside the trap handler; power off\n";
    uart_write(last_words, sizeof last_words - 1);
    power_off(FAILED);
}
