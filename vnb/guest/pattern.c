/* Test patterns: data that one can tell from any other, and compute again to check it. */
#include "labos.h"

/* What word i is filled with: its own number, stirred so that neighbours differ in many bits, and a
 * word that landed in another place is noticed.  The factor is 2^64 divided by the golden ratio. */
uint64_t stamp(uint64_t i)
{
    return (i + 1) * 0x9e3779b97f4a7c15ul;
}

bool pattern_parse(const char *word, struct pattern *pattern)
{
    *pattern = (struct pattern){.text = strncmp(word, "text:", 5) == 0 ? word + 5 : NULL};
    if (pattern->text)
        return true;
    pattern->stamped = strncmp(word, "stamp", 5) == 0 && (word[5] == 0 || word[5] == ':');
    if (pattern->stamped)
        return !word[5] || number(word + 6, "the stamp's N", 0, UINT64_MAX, &pattern->value);
    if (number(word, "PATTERN", 0, 255, &pattern->value))
        return true;
    print("or stamp, stamp:N, text:LETTERS\n");
    return false;
}

/* The buffer becomes sectors `sector`, `sector` + 1, ... of a disk full of the pattern. */
void pattern_fill(const struct pattern *pattern, uint8_t *buffer, uint64_t sector, size_t length)
{
    memset(buffer, pattern->stamped || pattern->text ? 0 : (int)pattern->value, length);
    if (pattern->stamped)
        for (size_t i = 0; i < length / 8; i++)
            ((uint64_t *)buffer)[i] = stamp(sector * 64 + i) + pattern->value;
    if (pattern->text) {
        size_t letters = strlen(pattern->text);
        for (size_t at = 0; at < length; at += 512)
            memcpy(buffer + at, pattern->text, letters < 512 ? letters : 512);
    }
}
