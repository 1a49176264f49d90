/* What goes on while a command waits, and while none runs: the host's agent may want the command
 * stopped, and the network does not wait until somebody looks. */
#include "net.h"

bool background_has_work(void)
{
    return agent_has_news() || net_has_frames();
}

void background_work(void)
{
    agent_listen();
    ether_serve();
}

/* For commands that last until a key is pressed.  Whatever follows Ctrl-C is for the prompt. */
bool key_pressed(void)
{
    char key;
    return stopping() || uart_read(&key);
}

/* One thing to wait for, and all the others that must wake us. */
struct awaited {
    bool (*ready)(void *);
    void *what;
};

static bool ready_or_news(void *argument)
{
    struct awaited *awaited = argument;
    return awaited->ready(awaited->what) || stopping() || background_has_work();
}

/* For commands: waits until it is ready; false if time is up or the command is to be stopped. */
bool command_wait(bool (*ready)(void *), void *what, uint64_t milliseconds)
{
    struct awaited awaited = {ready, what};
    uint64_t now = clock_ticks(), end = now + milliseconds * (board.timebase / 1000);
    for (; !stopped() && !ready(what) && now < end; now = clock_ticks()) {
        wait_until(ready_or_news, &awaited, (end - now) / (board.timebase / 1000) + 1);
        background_work();
    }
    return ready(what);
}
