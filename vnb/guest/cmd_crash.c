/* crash: break a rule of the processor on purpose, and see what it says. */
#include "labos.h"

#define NOWHERE 0x08000000ul /* no device and no memory is at this address on the board */

static void crash_illegal(void) { __asm__ volatile(".balign 4\n.word 0\n"); }
static void crash_load(void)    { REGISTER32(NOWHERE); }
static void crash_store(void)   { REGISTER32(NOWHERE) = 0; }
static void crash_jump(void)    { ((void (*)(void))NOWHERE)(); }
static void crash_ebreak(void)  { __asm__ volatile("ebreak"); }
static void crash_ecall(void)   { __asm__ volatile("ecall"); }
static void crash_csr(void)     { __asm__ volatile("csrw mhartid, zero"); } /* it is read-only */
static void crash_stack(void)   { __asm__ volatile("mv sp, %0\nsd zero, (sp)" ::"r"(NOWHERE)); }

static const struct { const char *kind; void (*crash)(void); } kinds[] = {
    {"illegal", crash_illegal}, {"load", crash_load},     {"store", crash_store},
    {"jump", crash_jump},       {"ebreak", crash_ebreak}, {"ecall", crash_ecall},
    {"csr", crash_csr},         {"stack", crash_stack},
};

int cmd_crash(unsigned count, char **words)
{
    const char *kind = count > 1 ? words[1] : kinds[0].kind;
    for (unsigned i = 0; i < COUNT(kinds); i++)
        if (strcmp(kind, kinds[i].kind) == 0)
            kinds[i].crash(); /* does not come back: the handler sends the hart to `recover` */
    print("KIND must be one of");
    for (unsigned i = 0; i < COUNT(kinds); i++)
        print(" %s", kinds[i].kind);
    print(", not '%s'\n", kind);
    return USAGE;
}
