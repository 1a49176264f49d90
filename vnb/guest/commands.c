/* The table of commands, and those of them that are too small for a file of their own. */
#include "net.h"

static void help(const struct command *parent, const struct command *command)
{
    if (!command->run) {
        print("%s\n", command->summary); /* a heading */
        return;
    }
    print("  ");
    print_usage(parent, command, 34);
    print("%s\n", command->summary);
}

static int cmd_help(unsigned count, char **words)
{
    const struct command *parent = count > 1 ? find_command(commands, words[1]) : NULL;
    if (count > 1 && !parent) {
        print("there is no command '%s'\n", words[1]);
        return UNKNOWN;
    }
    if (parent && !parent->children)
        help(NULL, parent);
    else
        for (const struct command *c = parent ? parent->children : commands; c->name; c++)
            help(parent, c);
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
    int status = dispatch(NULL, count - 1, words + 1);
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

#define HEADING(text) {"", NULL, 0, 0, "", text}

const struct command commands[] = {
    HEADING("The processor and its memory"),
    {"cpu",     cmd_cpu_info,    0, 0,   "[bench]", "what it is, how fast", cpu_commands},
    {"mem",     cmd_mem_size,    0, 0,   "[dump|...]", "see, change, test memory", mem_commands},
    {"regs",    cmd_regs,        0, 0,   "", "registers: control, and at the last trap"},
    {"irq",     cmd_irq,         0, 0,   "", "how many interrupts came from where"},
    {"crash",   cmd_crash,       0, 1,   "[KIND]", "break a rule: illegal, load, jump, ..."},
    HEADING("Which devices there are"),
    {"devices", cmd_devices,     0, 0,   "", "all of VirtIO, by the name that commands use"},
    {"virtio",  cmd_virtio,      0, 0,   "", "what was agreed with each of them"},
    {"pci",     cmd_pci,         0, 0,   "", "what is on the PCI bus"},
    HEADING("What they can do"),
    {"disk",    cmd_disk_info,   0, 0,   "[read|...]", "see, change, test disks", disk_commands},
    {"9p",      cmd_9p_info,     0, 0,   "[ls|cat|...]", "the host's files", ninep_commands},
    {"net",     cmd_net_info,    0, 0,   "[address|...]", "network interfaces", net_commands},
    {"dhcp",    cmd_dhcp,        0, 0,   "", "ask the network for an address"},
    {"arp",     cmd_arp,         0, 0,   "", "the neighbours that are known"},
    {"ping",    cmd_ping,        1, 2,   "ADDRESS [COUNT]", "does anybody answer there?"},
    {"udp",     cmd_udp,         0, 0,   "[echo|send ...]", "talk in datagrams", udp_commands},
    {"screen",  cmd_screen_info, 0, 0,   "[card|follow|...]", "draw", screen_commands},
    {"input",   cmd_input,       0, 0,   "[show|...]", "what is typed and touched", input_commands},
    {"rng",     cmd_rng,         0, 2,   "[N [DEVICE]]", "N random bytes, in hexadecimal"},
    HEADING("And otherwise"),
    {"help",    cmd_help,        0, 1,   "[COMMAND]", "this list, or what COMMAND can do"},
    {"echo",    cmd_echo,        0, ANY, "[WORD ...]", "print the words"},
    {"time",    cmd_time,        0, ANY, "[COMMAND ...]", "the clock, or how long COMMAND takes"},
    {"uptime",  cmd_uptime,      0, 0,   "", "time and instructions since power-on"},
    {"reboot",  cmd_reboot,      0, 0,   "", "start again"},
    {"halt",    cmd_halt,        0, 1,   "[CODE]", "switch off; the emulator ends with CODE"},
    {0},
};
