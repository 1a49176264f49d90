/* The Tab key: what could the last word of this line become?
 *
 * The words before it lead through the tables of commands, as they would if the line were run. */
#include "labos.h"

/* Finds the table that the last word is looked up in, and where that word starts. */
static const struct command *last_word(const char *line, const char **word)
{
    const struct command *table = commands;
    for (*word = line; *line; line++) {
        if (*line != ' ')
            continue;
        const struct command *c = table;
        size_t length = (size_t)(line - *word);
        while (c && c->name && (strncmp(c->name, *word, length) != 0 || c->name[length]))
            c++;
        if (length > 0)
            table = c && c->name ? c->children : NULL;
        *word = line + 1;
    }
    return table;
}

static bool begins_with(const struct command *command, const char *word)
{
    return command->run && strncmp(command->name, word, strlen(word)) == 0;
}

/* What all candidates have in common beyond the word, and a space if there is only one; false if
 * that is nothing. */
bool complete(const char *line, char added[COMPLETION_LIMIT])
{
    const char *word;
    unsigned candidates = 0;
    for (const struct command *c = last_word(line, &word); c && c->name; c++) {
        if (!begins_with(c, word))
            continue;
        const char *rest = c->name + strlen(word);
        size_t same = 0;
        while (candidates > 0 && rest[same] && rest[same] == added[same])
            same++;
        if (candidates == 0)
            memcpy(added, rest, same = strlen(rest));
        added[same] = 0;
        candidates++;
    }
    if (candidates == 1)
        memcpy(added + strlen(added), " ", 2);
    return candidates > 0 && added[0];
}

void print_completions(const char *line)
{
    const char *word;
    for (const struct command *c = last_word(line, &word); c && c->name; c++)
        if (begins_with(c, word))
            print("%s  ", c->name);
    print("\n");
}
