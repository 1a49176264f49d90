/* Base64: six bits to a letter. */
#include "labos.h"

static int value(char c)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *place = c ? strchr(letters, c) : NULL;
    return place ? (int)(place - letters) : -1;
}

/* Decodes up to the first character that is none of the letters, and ends `out` with a zero. */
void base64_decode(const char *in, char *out)
{
    uint32_t bits = 0;
    for (unsigned count = 0; value(*in) >= 0; in++) {
        bits = bits << 6 | (uint32_t)value(*in);
        count += 6;
        if (count >= 8) {
            count -= 8;
            *out++ = (char)(bits >> count);
        }
    }
    *out = 0;
}
