/* labos: a machine, a prompt, and nothing between them.
 *
 * main() starts the devices and then does one thing at a time: a key from the console, a command
 * from the agent's port, a frame from the network, or sleep. */
#include "disk.h"
#include "input.h"
#include "net.h"
#include "ninep.h"
#include "pci.h"
#include "screen.h"

static bool has_work(void *unused)
{
    (void)unused;
    return uart_has_input() || agent_has_work() || background_has_work();
}

static void __attribute__((noreturn)) serve(void)
{
    for (;;) {
        char c;
        if (uart_read(&c)) {
            char *line = line_key(c);
            if (line) {
                shell_run(line);
                line_begin();
            }
        } else if (agent_has_work()) {
            agent_serve();
        } else if (background_has_work()) {
            background_work();
        } else {
            print_flush();
            sleep_unless(has_work, NULL);
        }
    }
}

/* From start.S, after a command ended in a trap: its stack is gone, and nothing on it is missed. */
void __attribute__((noreturn)) recovered(void)
{
    shell_busy = false;
    csr_set(mstatus, MSTATUS_MIE); /* the trap may have come while they were off */
    if (!agent_finish(CRASHED + (int)last_exception))
        line_begin();
    serve();
}

void __attribute__((noreturn)) main(uint64_t device_tree)
{
    fdt_read(device_tree);
    plic_start();
    uart_start();
    pci_scan();
    virtio_find();
    disk_start_all();
    input_start_all();
    rng_start_all();
    net_start_all();
    ip_start_all();
    screen_start_all();
    share_start_all();
    agent_start();
    csr_set(mstatus, MSTATUS_MIE); /* every device that may interrupt is ready for it */

    print("labos: RISC-V, ");
    print_size(board.ram_size);
    print(" of memory, %u VirtIO device%s", virtio_count, virtio_count == 1 ? "" : "s");
    print(". Type help.\n");
    line_begin();
    serve();
}
