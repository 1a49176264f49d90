/* The numbers that people type: 4096, 0x1000, 4K. */
#include "labos.h"

static unsigned digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (unsigned)((c | 32) - 'a' + 10);
    return 255;
}

static bool parse(const char *word, uint64_t *value)
{
    uint64_t base = 10;
    if (word[0] == '0' && (word[1] | 32) == 'x') {
        base = 16;
        word += 2;
    }
    if (digit(*word) >= base)
        return false;
    for (*value = 0; digit(*word) < base; word++)
        if (__builtin_mul_overflow(*value, base, value) ||
            __builtin_add_overflow(*value, digit(*word), value))
            return false;
    uint64_t unit = 1;
    switch (*word | 32) {
    case 'k': unit = 1 << 10, word++; break;
    case 'm': unit = 1 << 20, word++; break;
    case 'g': unit = 1 << 30, word++; break;
    }
    return *word == 0 && !__builtin_mul_overflow(*value, unit, value);
}

/* False, having said what is wrong with the word, if it is no number from least to most. */
bool number(const char *word, const char *name, uint64_t least, uint64_t most, uint64_t *value)
{
    if (parse(word, value) && *value >= least && *value <= most)
        return true;
    print("%s must be a number from %lu to %lu", name, least, most);
    if (most > 0xffff)
        print(" (0x%lx)", most);
    print(", not '%s'\n", word);
    return false;
}
