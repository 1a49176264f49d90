/* The line that is being typed: a key comes in, and the finished line comes out.
 *
 * Long lines scroll sideways in 80 columns.  Characters may take several bytes (UTF-8): the cursor
 * moves over them whole. */
#include "labos.h"

#define CTRL(letter) ((letter) & 31)
#define PROMPT "labos> "

enum { DELETE = 127, HISTORY = 16, WIDTH = 80 - sizeof PROMPT };

static char text[LINE_LIMIT + 1];
static unsigned length, cursor; /* in bytes */
static unsigned first;          /* the leftmost byte on the screen */

/* Line n is in history[n % HISTORY].  The newest place is the draft's: the line being typed, while
 * an older one is looked at. */
static char history[HISTORY][LINE_LIMIT + 1] NOT_ZEROED;
static unsigned newest, shown;

/* Moving through the text, a whole character at a time: a byte 10xxxxxx continues one. */
static unsigned after(unsigned place)
{
    do
        place++;
    while (place < length && (text[place] & 0xc0) == 0x80);
    return place;
}

static unsigned before(unsigned place)
{
    do
        place--;
    while (place > 0 && (text[place] & 0xc0) == 0x80);
    return place;
}

static unsigned columns(unsigned from, unsigned to)
{
    unsigned count = 0;
    for (; from < to; from = after(from))
        count++;
    return count;
}

static void redraw(void)
{
    first = 0;
    for (unsigned left = columns(0, cursor); left > WIDTH; left--)
        first = after(first);
    unsigned last = first;
    for (unsigned room = WIDTH; room > 0 && last < length; room--)
        last = after(last);
    print("\r" PROMPT);
    for (unsigned i = first; i < last; i++)
        print("%c", text[i]);
    /* Clear what is right of the text, then bring the cursor back to its column. */
    print("\033[K\r\033[%uC", columns(first, cursor) + (unsigned)sizeof PROMPT - 1);
}

static void insert(const char *added)
{
    unsigned count = (unsigned)strlen(added);
    if (length + count > LINE_LIMIT) {
        print("\a");
        return;
    }
    memmove(text + cursor + count, text + cursor, length - cursor);
    memcpy(text + cursor, added, count);
    length += count;
    cursor += count;
    if (cursor == length && columns(first, length) <= WIDTH)
        print("%s", added); /* at the end, echoing is enough */
    else
        redraw();
}

static void erase(unsigned from, unsigned to)
{
    memmove(text + from, text + to, length - to);
    length -= to - from;
    cursor = from;
    redraw();
}

static void show(unsigned line)
{
    unsigned oldest = newest < HISTORY ? 0 : newest - HISTORY + 1;
    if (line < oldest || line > newest)
        return;
    if (shown == newest) {
        text[length] = 0;
        memcpy(history[newest % HISTORY], text, length + 1);
    }
    shown = line;
    length = cursor = (unsigned)strlen(history[line % HISTORY]);
    memcpy(text, history[line % HISTORY], length);
    redraw();
}

static void tab(void)
{
    char added[COMPLETION_LIMIT];
    if (cursor < length)
        return;
    text[length] = 0;
    if (complete(text, added)) {
        insert(added);
    } else {
        print("\n");
        print_completions(text);
        redraw();
    }
}

void line_begin(void)
{
    length = cursor = first = 0;
    shown = newest;
    print(PROMPT);
}

static char *finish(void)
{
    text[length] = 0;
    print("\n");
    if (length > 0 && (newest == 0 || strcmp(history[(newest - 1) % HISTORY], text) != 0))
        memcpy(history[newest++ % HISTORY], text, length + 1);
    return text;
}

/* Escape sequences are other names of control keys: `ESC [ A`, the arrow up, is Ctrl-P. */
static char decode(char c)
{
    enum { ESCAPE = 27 };
    static const struct { char final, parameter, key; } sequences[] = {
        {'A', 0, CTRL('P')},   {'B', 0, CTRL('N')},   {'C', 0, CTRL('F')},   {'D', 0, CTRL('B')},
        {'H', 0, CTRL('A')},   {'F', 0, CTRL('E')},   {'~', '1', CTRL('A')}, {'~', '4', CTRL('E')},
        {'~', '3', CTRL('D')},
    };
    static char state, parameter;
    if (c == ESCAPE || state == ESCAPE) {
        state = c == '[' || c == 'O' ? '[' : c == ESCAPE ? ESCAPE : 0;
        parameter = 0;
        return 0;
    }
    if (state != '[')
        return c;
    if (c >= '0' && c <= ';') {
        parameter = c;
        return 0;
    }
    state = 0;
    for (unsigned i = 0; i < COUNT(sequences); i++)
        if (sequences[i].final == c && sequences[i].parameter == parameter)
            return sequences[i].key;
    return 0;
}

char *line_key(char c)
{
    c = decode(c);
    switch (c) {
    case 0: break; /* in the middle of a sequence */
    case '\r':
    case '\n': return finish();
    case '\t': tab(); break;
    case CTRL('A'): cursor = 0, redraw(); break;
    case CTRL('E'): cursor = length, redraw(); break;
    case CTRL('B'): cursor = cursor > 0 ? before(cursor) : 0, redraw(); break;
    case CTRL('F'): cursor = cursor < length ? after(cursor) : length, redraw(); break;
    case CTRL('P'): show(shown - 1); break;
    case CTRL('N'): show(shown + 1); break;
    case CTRL('U'): erase(0, cursor); break;
    case CTRL('K'): erase(cursor, length); break;
    case CTRL('C'): print("^C\n"), line_begin(); break;
    case CTRL('D'): erase(cursor, cursor < length ? after(cursor) : length); break;
    case CTRL('H'):
    case DELETE: erase(cursor > 0 ? before(cursor) : 0, cursor); break;
    default:
        if ((unsigned char)c >= ' ')
            insert((char[]){c, 0});
    }
    print_flush();
    return NULL;
}
