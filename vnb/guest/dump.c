/* Bytes for human eyes: sixteen a line, in hexadecimal and as characters. */
#include "labos.h"

uint8_t scratch[SCRATCH_SIZE] NOT_ZEROED __attribute__((aligned(4096)));

static void dump_line(uint64_t label, const uint8_t *bytes, size_t length)
{
    print("%010lx ", label);
    for (size_t i = 0; i < 16; i++)
        if (i < length)
            print("%s%02x", i % 8 ? " " : "  ", bytes[i]);
        else
            print("%s  ", i % 8 ? " " : "  ");
    print("  |");
    for (size_t i = 0; i < length; i++)
        print("%c", bytes[i] >= ' ' && bytes[i] < 127 ? bytes[i] : '.');
    print("|\n");
}

/* A line equal to the one before is left out, and a * stands for all of such lines. */
void dump(uint64_t label, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    bool starred = false;
    for (size_t at = 0; at < length && !stopped(); at += 16) {
        size_t here = length - at < 16 ? length - at : 16;
        bool between = at > 0 && at + 16 < length;
        bool again = between && memcmp(bytes + at, bytes + at - 16, 16) == 0;
        if (!again)
            dump_line(label + at, bytes + at, here);
        else if (!starred)
            print("*\n");
        starred = again;
    }
}
