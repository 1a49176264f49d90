/* What the host says on the command line, which is a text in the device tree: options are words of
 * it, such as vnb.ip=eth0=10.0.0.2/24. */
#include "labos.h"

/* What follows `name`, at most `room` - 1 letters of it; false: the option is not there. */
bool option_find(const char *name, char *value, size_t room)
{
    const char *text = (const char *)board.address + board.command_line.at;
    const char *end = text + board.command_line.count, *word = text;
    size_t length = strlen(name);
    for (const char *at = text; at < end && *at; at++) {
        if (*at == ' ')
            word = at + 1;
        if (at != word || (size_t)(end - at) < length || memcmp(at, name, length) != 0)
            continue;
        size_t i = 0;
        for (at += length; at < end && *at && *at != ' ' && i < room - 1; at++)
            value[i++] = *at;
        value[i] = 0;
        return true;
    }
    return false;
}
