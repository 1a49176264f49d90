/* print() is a small printf, and print_to() says where it goes: to the console, or to whoever asked
 * for a command over the agent's port.
 *
 * It understands %c %s %d %u %x and %%, `l` for 64 bits, a width with 0 or - before it, and * for a
 * width among the arguments. */
#include <stdarg.h>

#include "labos.h"

/* One request to a device for a line of text is much cheaper than one for each character. */
static char held[512];
static size_t held_length;
static output destination = uart_write;

void print_flush(void)
{
    size_t length = held_length;
    held_length = 0; /* first: should writing fail and report that, it must not begin again here */
    if (length > 0)
        destination(held, length);
}

output print_to(output new_output)
{
    output previous = destination;
    print_flush();
    destination = new_output;
    return previous;
}

static void put(char c)
{
    held[held_length++] = c;
    if (c == '\n' || held_length == sizeof held)
        print_flush();
}

struct field {
    unsigned width;
    char fill; /* ' ' or '0' */
    bool left;
};

static void put_text(const char *text, size_t length, struct field field)
{
    size_t padding = field.width > length ? field.width - length : 0;
    for (size_t i = 0; !field.left && i < padding; i++)
        put(field.fill);
    for (size_t i = 0; i < length; i++)
        put(text[i]);
    for (size_t i = 0; field.left && i < padding; i++)
        put(' ');
}

static void put_number(uint64_t value, unsigned base, bool negative, struct field field)
{
    char digits[24];
    size_t first = sizeof digits;
    do {
        digits[--first] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    if (negative)
        digits[--first] = '-';
    put_text(digits + first, sizeof digits - first, field);
}

static void put_conversion(char conversion, bool is_long, struct field field, va_list *arguments)
{
    switch (conversion) {
    case 'c': {
        char c = (char)va_arg(*arguments, int);
        put_text(&c, 1, field);
        break;
    }
    case 's': {
        const char *text = va_arg(*arguments, const char *);
        put_text(text, strlen(text), field);
        break;
    }
    case 'd': {
        int64_t value = is_long ? va_arg(*arguments, int64_t) : va_arg(*arguments, int);
        put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0, field);
        break;
    }
    case 'u':
    case 'x': {
        uint64_t value = is_long ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned);
        put_number(value, conversion == 'x' ? 16 : 10, false, field);
        break;
    }
    default:
        put(conversion);
    }
}

void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    for (const char *p = format; *p; p++) {
        if (*p != '%') {
            put(*p);
            continue;
        }
        struct field field = {.fill = ' '};
        p++;
        if (*p == '-')
            field.left = true, p++;
        if (*p == '0')
            field.fill = '0', p++;
        if (*p == '*')
            field.width = va_arg(arguments, unsigned), p++;
        while (*p >= '0' && *p <= '9')
            field.width = field.width * 10 + (unsigned)(*p++ - '0');
        bool is_long = *p == 'l';
        p += is_long;
        put_conversion(*p, is_long, field, &arguments);
    }
    va_end(arguments);
}

/* In the largest unit that says it without a fraction. */
void print_size(uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    while (unit + 1 < COUNT(units) && bytes > 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    print("%lu %s", bytes, units[unit]);
}

void print_tenths(uint64_t amount, uint64_t per)
{
    uint64_t tenths = per > 0 ? amount * 10 / per : 0;
    print("%lu.%lu", tenths / 10, tenths % 10);
}
