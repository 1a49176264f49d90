/* The table of commands, and those of them that are too small for a file of their own. */
#include "labos.h"

static int cmd_help(unsigned count, char **words)
{
    const struct command *table = commands;
    if (count > 1) {
        const struct command *command = find_command(commands, words[1]);
        if (!command) {
            print("there is no command '%s'\n", words[1]);
            return UNKNOWN;
        }
        if (!command->children) {
            print("%s: %s\n", command->usage, command->summary);
            return 0;
        }
        table = command->children;
    }
    for (; table->name; table++)
        print("%-35s %s\n", table->usage, table->summary);
    return 0;
}

static int cmd_echo(unsigned count, char **words)
{
    for (unsigned i = 1; i < count; i++)
        print("%s%s", i > 1 ? " " : "", words[i]);
    print("\n");
    return 0;
}

static void print_seconds(uint64_t ticks)
{
    uint64_t microseconds = clock_microseconds(ticks);
    print("%lu.%06lu s", microseconds / 1000000, microseconds % 1000000);
}

static int cmd_uptime(unsigned count, char **words)
{
    (void)count, (void)words;
    print_seconds(clock_ticks());
    print(", %lu instructions\n", csr_read(minstret));
    return 0;
}

/* `time`: the clock; `time COMMAND`: how long the command takes. */
static int cmd_time(unsigned count, char **words)
{
    if (count == 1) {
        print("%lu ticks of %lu Hz\n", clock_ticks(), board.timebase);
        return 0;
    }
    uint64_t ticks = clock_ticks(), instructions = csr_read(minstret);
    int status = dispatch(commands, count - 1, words + 1);
    instructions = csr_read(minstret) - instructions;
    ticks = clock_ticks() - ticks;
    print_seconds(ticks);
    print(", %lu instructions\n", instructions);
    return status;
}

static int cmd_halt(unsigned count, char **words)
{
    uint64_t code = 0;
    if (count > 1 && !number(words[1], "CODE", 0, 0xffff, &code))
        return USAGE;
    agent_finish(0); /* now: there will be no later */
    power_off((unsigned)code);
}

static int cmd_reboot(unsigned count, char **words)
{
    (void)count, (void)words;
    agent_finish(0);
    power_cycle();
}

enum { ANY = 1000 };

const struct command commands[] = {
    {"help", "help [COMMAND]", "this list, or what COMMAND can do", 0, 1, cmd_help, NULL},
    {"regs", "regs", "control registers, and the registers at the last trap", 0, 0, cmd_regs, NULL},
    {"mem", "mem [size|dump|peek|poke|test]", "look at memory, change it, test it", 0, 0, cmd_mem_size, mem_commands},
    {"cpu", "cpu [info|bench]", "what this processor is, and how fast", 0, 0, cmd_cpu_info, cpu_commands},
    {"disk", "disk [info|read|write|verify|...]", "look at disks, change them, test them", 0, 0, cmd_disk_info, disk_commands},
    {"virtio", "virtio", "the VirtIO devices in their slots", 0, 0, cmd_virtio, NULL},
    {"irq", "irq", "how many interrupts came from where", 0, 0, cmd_irq, NULL},
    {"echo", "echo [WORD ...]", "print the words", 0, ANY, cmd_echo, NULL},
    {"time", "time [COMMAND ...]", "the clock, or how long COMMAND takes", 0, ANY, cmd_time, NULL},
    {"uptime", "uptime", "time and instructions since power-on", 0, 0, cmd_uptime, NULL},
    {"crash", "crash [KIND]", "make a trap: illegal, load, store, jump, ...", 0, 1, cmd_crash, NULL},
    {"reboot", "reboot", "start again", 0, 0, cmd_reboot, NULL},
    {"halt", "halt [CODE]", "switch off; the emulator ends with CODE", 0, 1, cmd_halt, NULL},
    {0},
};
