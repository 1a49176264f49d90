/* labos, a small bare-metal guest: every file of it with what the others may call.
 *
 * To read it as a book: start.S, main.c, uart.c, print.c; trap.S, trap.c, plic.c, clock.c; shell.c
 * and line.c with the commands in cmd_*.c.  Then what all VirtIO devices have in common: virtio.h,
 * virtio.c, queue.c, and how we reach them, virtio_mmio.c or pci.c, pci_bar.c and virtio_pci.c.
 * Then a driver at a time, each next to its chapter of the specification:
 *
 *     virtio_rng.c       the simplest            cmd_rng.c
 *     virtio_blk.c       disks                   cmd_disk.c, cmd_disk_bench.c
 *     virtio_input.c     keyboards, tablets      input_names.c, cmd_input.c
 *     virtio_gpu.c       screens                 draw.c, screen_follow.c, cmd_screen.c
 *     virtio_net.c       the network             ether.c up to dhcp.c (net.h), cmd_net.c, cmd_udp.c
 *     virtio_9p.c        the host's files        ninep_message.c, ninep.c, cmd_9p.c
 *     virtio_console.c   a port for programs     agent.c
 *
 * `python -m vnb.guest.build` builds it.  It runs on QEMU as well as in vnb, with VirtIO devices
 * of either transport, those on MMIO in their standard form:
 *
 *     qemu-system-riscv64 -M virt -bios labos.elf -nographic \
 *         -global virtio-mmio.force-legacy=false -device virtio-rng-device \
 *         -netdev user,id=lan -device virtio-net-pci,netdev=lan
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOT_ZEROED __attribute__((section(".noinit"))) /* for large buffers: see labos.ld */

/* A control and status register by its name, as in csr_read(mstatus). */
#define csr_read(name) ({ uint64_t v_; __asm__ volatile("csrr %0, " #name : "=r"(v_)); v_; })
#define csr_set(name, bits) __asm__ volatile("csrs " #name ", %0" ::"r"(0ul | (bits)) : "memory")
#define csr_clear(name, bits) __asm__ volatile("csrc " #name ", %0" ::"r"(0ul | (bits)) : "memory")

#define MSTATUS_MIE (1 << 3)                    /* interrupts are on */

/* labos.ld: addresses, not variables; only `&name` means anything. */
extern char image_end;

/* string.c: what the C library has under the same names, plus */
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strchr(const char *text, int c);
void *memcpy(void *to, const void *from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *a, const void *b, size_t length);
uint32_t crc32(uint32_t sum, const void *data, size_t length); /* zlib's; begin with sum = 0 */

/* print.c */
typedef void (*output)(const char *text, size_t length);
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_flush(void);                         /* what print() still holds goes out now */
output print_to(output new_output);             /* from now on; returns where it went before */
void print_size(uint64_t bytes);                /* 65536 as "64 KiB" */
void print_tenths(uint64_t amount, uint64_t per); /* the quotient with one decimal */

/* number.c */
bool number(const char *word, const char *name, uint64_t least, uint64_t most, uint64_t *value);

/* uart.c */
void uart_start(void);
void uart_write(const char *text, size_t length);
bool uart_read(char *c);                        /* false: nothing was typed */
bool uart_has_input(void);
void uart_interrupt(void);

/* fdt.c */
struct cells { uint32_t at, count; };           /* words of the device tree */
struct board_facts {
    uint64_t address, size;                     /* of the device tree itself; size 0: none */
    uint64_t ram_size;
    uint64_t timebase;                          /* ticks of the clock in one second */
    uint64_t pci_config;                        /* where the configuration spaces are; 0: no PCI */
    struct cells pci_windows, pci_interrupts, pci_interrupt_mask;
    struct cells command_line;                  /* `count` is in bytes here */
};
extern struct board_facts board;
void fdt_read(uint64_t address);
uint32_t fdt_cell(struct cells cells, uint32_t index); /* beyond the end are zeros */
uint64_t fdt_cell64(struct cells cells, uint32_t index);

/* options.c */
bool option_find(const char *name, char *value, size_t room);

/* clock.c */
uint64_t clock_ticks(void);
uint64_t clock_microseconds(uint64_t ticks);
void clock_alarm(uint64_t ticks);               /* one interrupt, at that time */
void clock_alarm_off(void);

/* wait.c */
void sleep_unless(bool (*ready)(void *), void *what);                /* until some interrupt */
bool wait_until(bool (*ready)(void *), void *what, uint64_t milliseconds); /* false: time is up */

/* memory.c: what is free */
uint64_t memory_start(void);
uint64_t memory_end(void);
void *memory_keep(uint64_t size);

/* background.c */
#define FOREVER (1ul << 32)                     /* milliseconds: seven weeks */
bool background_has_work(void);
void background_work(void);
bool key_pressed(void);                         /* or the command is to be stopped */
bool command_wait(bool (*ready)(void *), void *what, uint64_t milliseconds);

/* plic.c */
extern uint64_t interrupt_counts[INTERRUPT_SOURCES];
void plic_start(void);
void plic_enable(unsigned source);
void plic_interrupt(void);

/* power.c */
void power_off(unsigned code) __attribute__((noreturn));
void power_cycle(void) __attribute__((noreturn));

/* trap.S, trap.c */
struct trap_frame {
    uint64_t x[32];                             /* x[0] is the pc */
    uint64_t cause, value;                      /* mcause and mtval */
};
extern struct trap_frame trap_frame;            /* what the last trap saved */
extern uint64_t timer_interrupts, exceptions, last_exception;
const char *cause_name(uint64_t cause);
void print_registers(const struct trap_frame *frame);

/* guard.S */
bool guarded_load(uint64_t address, unsigned size, uint64_t *value);
bool guarded_store(uint64_t address, unsigned size, uint64_t value);

/* line.c */
enum { LINE_LIMIT = 255 };
void line_begin(void);                          /* shows the prompt */
char *line_key(char c);                         /* the finished line, or NULL while there is none */

/* complete.c */
enum { COMPLETION_LIMIT = 16 };                 /* a command's name is shorter */
bool complete(const char *line, char added[COMPLETION_LIMIT]);
void print_completions(const char *line);

/* shell.c: a command's status is 0 for success; these are the other ones */
enum { FAILED = 1, USAGE = 2, CRASHED = 64 /* + mcause */, UNKNOWN = 127, STOPPED = 130 };

struct command {
    const char *name;
    int (*run)(unsigned count, char **words);   /* words[0] is the name; NULL: this is a heading */
    unsigned least, most;                       /* how many arguments it takes */
    const char *arguments, *summary;            /* for the reader */
    const struct command *children;             /* one of these is the second word, if any is */
};
#define ANY ~0u                                 /* as `most`: no limit */
extern const struct command commands[];         /* like any table of them, ends with an empty row */
const struct command *find_command(const struct command *table, const char *name);
int dispatch(const struct command *parent, unsigned count, char **words); /* NULL: a whole line */
void print_usage(const struct command *parent, const struct command *command, unsigned width);
int shell_run(char *text);                      /* runs a line's commands; changes the text */
bool stopped(void);                             /* long commands ask often: was Ctrl-C pressed? */
bool stopping(void);                            /* the same, without listening to the agent */
void stop(void);                                /* it was */
extern bool shell_busy;                         /* a command is running */

/* cmd_*.c */
int cmd_9p_info(unsigned count, char **words);
int cmd_arp(unsigned count, char **words);
int cmd_cpu_info(unsigned count, char **words);
int cmd_crash(unsigned count, char **words);
int cmd_disk_info(unsigned count, char **words);
int cmd_input(unsigned count, char **words);
int cmd_irq(unsigned count, char **words);
int cmd_mem_size(unsigned count, char **words);
int cmd_regs(unsigned count, char **words);
int cmd_devices(unsigned count, char **words);
int cmd_net_info(unsigned count, char **words);
int cmd_pci(unsigned count, char **words);
int cmd_rng(unsigned count, char **words);
int cmd_screen_info(unsigned count, char **words);
int cmd_udp(unsigned count, char **words);
int cmd_virtio(unsigned count, char **words);
extern const struct command cpu_commands[], disk_commands[], input_commands[], mem_commands[],
    net_commands[], ninep_commands[], screen_commands[], udp_commands[];

/* pattern.c */
struct pattern {
    bool stamped;                               /* each word is its own number, plus value */
    const char *text;                           /* or each sector begins with this */
    uint64_t value;                             /* or each byte is this */
};
uint64_t stamp(uint64_t i);                     /* the number of a word, stirred */
bool pattern_parse(const char *word, struct pattern *pattern);
void pattern_fill(const struct pattern *pattern, uint8_t *buffer, uint64_t sector, size_t length);

/* dump.c */
enum { SCRATCH_SIZE = 256 << 10 };
extern uint8_t scratch[SCRATCH_SIZE];           /* a large buffer, for one command at a time */
void dump(uint64_t label, const void *data, size_t length);

/* base64.c */
void base64_decode(const char *in, char *out);

/* agent.c */
void agent_start(void);
bool agent_has_work(void);                      /* for agent_serve(), while no command runs */
void agent_serve(void);
bool agent_has_news(void);                      /* for agent_listen() */
void agent_listen(void);                        /* while a command runs: is it to be stopped? */
bool agent_finish(int status);                  /* false: the command was not the agent's */
