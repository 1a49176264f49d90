/* Strings and blocks of memory: no C library is linked, and the compiler itself calls memcpy,
 * memmove, memset and memcmp where the source has none. */
#include "labos.h"

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (size_t i = 0; i < limit; i++)
        if (a[i] != b[i] || a[i] == 0)
            return (unsigned char)a[i] - (unsigned char)b[i];
    return 0;
}

char *strchr(const char *text, int c)
{
    for (; *text != (char)c; text++)
        if (*text == 0)
            return NULL;
    return (char *)text;
}

/* Eight bytes at a time, once both addresses are multiples of eight. */
void *memcpy(void *to, const void *from, size_t length)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if (((uintptr_t)out & 7) == ((uintptr_t)in & 7)) {
        for (; length > 0 && ((uintptr_t)out & 7); length--)
            *out++ = *in++;
        for (; length >= 8; length -= 8, out += 8, in += 8)
            *(uint64_t *)out = *(const uint64_t *)in;
    }
    for (; length > 0; length--)
        *out++ = *in++;
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if (out <= in || out >= in + length)
        return memcpy(to, from, length);
    while (length-- > 0) /* backwards, or the copy would eat what it has yet to read */
        out[length] = in[length];
    return to;
}

void *memset(void *to, int byte, size_t length)
{
    uint8_t *out = to;
    uint64_t word = (uint8_t)byte * 0x0101010101010101ul;
    for (; length > 0 && ((uintptr_t)out & 7); length--)
        *out++ = (uint8_t)byte;
    for (; length >= 8; length -= 8, out += 8)
        *(uint64_t *)out = word;
    for (; length > 0; length--)
        *out++ = (uint8_t)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
    const uint8_t *p = a, *q = b;
    for (size_t i = 0; i < length; i++)
        if (p[i] != q[i])
            return p[i] - q[i];
    return 0;
}

/* Four bits at a time: 16 entries are a table that one can still check by eye. */
uint32_t crc32(uint32_t sum, const void *data, size_t length)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
        0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *bytes = data;
    sum = ~sum;
    for (size_t i = 0; i < length; i++) {
        sum ^= bytes[i];
        sum = table[sum & 15] ^ sum >> 4;
        sum = table[sum & 15] ^ sum >> 4;
    }
    return ~sum;
}
