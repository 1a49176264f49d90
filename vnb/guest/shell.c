/* From a line of text to a command that runs: words, tables of commands, complaints. */
#include "labos.h"

enum { WORD_LIMIT = 128 };

bool shell_busy;
static volatile bool stop_requested; /* set by an interrupt: look again each time */

void stop(void)
{
    stop_requested = true;
}

bool stopping(void)
{
    return stop_requested;
}

bool stopped(void)
{
    background_work();
    return stop_requested;
}

/* Takes the next word off *text, in place: words end at a space, commands at ; or the line's end,
 * and quotes hold together what they enclose.  *ended says that it was the command's last. */
static char *next_word(char **text, bool *ended)
{
    char *in = *text;
    while (*in == ' ' || *in == '\t')
        in++;
    char *word = in, *out = in, quote = 0;
    bool empty = true;
    for (; *in && (quote || !strchr(" \t;\n", *in)); in++) {
        empty = false;
        if (quote ? *in == quote : *in == '\'' || *in == '"')
            quote = quote ? 0 : *in;
        else
            *out++ = *in;
    }
    *ended = *in != ' ' && *in != '\t';
    *text = *in ? in + 1 : in;
    *out = 0;
    return empty ? NULL : word;
}

const struct command *find_command(const struct command *table, const char *name)
{
    for (; table->name; table++)
        if (table->run && strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

void print_usage(const struct command *parent, const struct command *command, unsigned width)
{
    size_t used = strlen(command->name) + 1;
    if (parent) {
        print("%s ", parent->name);
        used += strlen(parent->name) + 1;
    }
    print("%s %-*s", command->name, width > used ? width - (unsigned)used : 0, command->arguments);
}

int dispatch(const struct command *parent, unsigned count, char **words)
{
    const struct command *command = find_command(parent ? parent->children : commands, words[0]);
    if (!command) {
        print("there is no command '%s'; try: help\n", words[0]);
        return UNKNOWN;
    }
    if (command->children && count > 1)
        return dispatch(command, count - 1, words + 1);
    if (count - 1 < command->least || count - 1 > command->most) {
        print("usage: ");
        print_usage(parent, command, 0);
        print("\n");
        return USAGE;
    }
    return command->run(count, words);
}

static int run_next(char **text)
{
    static char *words[WORD_LIMIT];
    unsigned count = 0;
    for (bool ended = false; !ended;) {
        char *word = next_word(text, &ended);
        if (word && count < WORD_LIMIT)
            words[count] = word;
        count += word != NULL;
    }
    if (count > WORD_LIMIT) {
        print("a command has at most %u words, not %u\n", (unsigned)WORD_LIMIT, count);
        return USAGE;
    }
    return count > 0 ? dispatch(NULL, count, words) : 0;
}

int shell_run(char *text)
{
    int status = 0;
    stop_requested = false;
    shell_busy = true;
    while (*text && !stop_requested)
        status = run_next(&text);
    shell_busy = false;
    print_flush();
    return stop_requested ? STOPPED : status;
}
