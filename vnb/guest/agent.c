/* The agent: programs, rather than people, run commands here.
 *
 * On the console's port "vnb.agent" the host writes lines, with a TOKEN that it has made up:
 *
 *     run TOKEN BASE64     run the decoded text: its output is followed by "\nTOKEN STATUS\n"
 *     int TOKEN            stop that command (so does kill: labos has no harder way)
 *     ping TOKEN           answer "\nTOKEN 0\n"
 *
 * so that the end of the output and the status never have to be guessed from what a prompt looks
 * like.  The agent's first words are "vnb-agent 1\n". */
#include "virtio.h"

enum { LINE_SIZE = 16384, TOKEN = 32, TOO_LONG = 126 };

static char line[LINE_SIZE] NOT_ZEROED; /* what has come of the current line */
static size_t length;                   /* may grow beyond the buffer: then the rest is dropped */
static bool run_pending;                /* the line is complete, and a `run` */

static char command[LINE_SIZE] NOT_ZEROED;
static char running[TOKEN + 1];         /* the token of the command that runs now, or "" */

void agent_start(void)
{
    port_start("vnb.agent");
}

static void answer(const char *token, int status)
{
    output previous = print_to(port_write);
    print("\n%s %d\n", token, status);
    print_to(previous);
}

/* Splits "word TOKEN rest" in place; the rest may be missing. */
static bool split(char **token, char **rest)
{
    char *space = strchr(line, ' ');
    if (!space || strlen(space + 1) < TOKEN)
        return false;
    *space = 0;
    *token = space + 1;
    char *end = *token + TOKEN;
    *rest = *end ? end + 1 : end;
    *end = 0;
    return true;
}

/* A whole line is there.  A `run` has to wait until the command before it is done. */
static void line_complete(void)
{
    char *token, *rest;
    line[length < LINE_SIZE ? length : LINE_SIZE - 1] = 0;
    if (strncmp(line, "run ", 4) == 0) {
        run_pending = true;
        return;
    }
    length = 0;
    if (!split(&token, &rest))
        return;
    if (strcmp(line, "ping") == 0)
        answer(token, 0);
    else if (strcmp(token, running) == 0 && (strcmp(line, "int") == 0 || strcmp(line, "kill") == 0))
        stop();
}

bool agent_has_news(void)
{
    return !run_pending && port_has_news();
}

void agent_listen(void)
{
    char c;
    if (port_poll())
        port_write("vnb-agent 1\n", 12);
    while (!run_pending && port_read(&c)) {
        if (c == '\n')
            line_complete();
        else if (length++ < LINE_SIZE)
            line[length - 1] = c;
    }
}

bool agent_has_work(void)
{
    return run_pending || port_has_news();
}

/* Says how a command ended to the host that asked for it; false if none did. */
bool agent_finish(int status)
{
    if (!running[0])
        return false;
    print("\n%s %d\n", running, status);
    print_to(uart_write);
    running[0] = 0;
    return true;
}

static void run(void)
{
    char *token, *code;
    bool too_long = length >= LINE_SIZE;
    bool valid = split(&token, &code);
    if (valid && !too_long) {
        memcpy(running, token, TOKEN + 1);
        base64_decode(code, command);
    }
    length = 0;
    run_pending = false; /* the line is free for an `int` */
    if (valid && too_long)
        answer(token, TOO_LONG);
    if (!valid || too_long)
        return;
    print_to(port_write);
    agent_finish(shell_run(command));
}

void agent_serve(void)
{
    agent_listen();
    if (run_pending)
        run();
}
