/* A message of 9P, field by field: size[4] type[1] tag[2], and then what its type asks for.
 *
 * All numbers have their lowest byte first; a text is its length[2] and its bytes.  We ask one
 * thing at a time, so there is one message, and one answer. */
#include "ninep.h"

enum { RLERROR = 7, TVERSION = 100 }; /* types; an answer's is one more than its question's */
enum { HEADER = 7, OUR_TAG = 1, NO_TAG = 0xffff };

static uint8_t request[MESSAGE_LIMIT] NOT_ZEROED, reply[MESSAGE_LIMIT] NOT_ZEROED;

struct ninep_cursor ninep_out, ninep_in;

uint8_t *ninep_step(struct ninep_cursor *cursor, size_t length)
{
    uint8_t *here = cursor->at;
    if ((size_t)(cursor->end - here) < length) {
        cursor->bad = true;
        return NULL;
    }
    cursor->at += length;
    return here;
}

void ninep_put(uint64_t value, unsigned size)
{
    uint8_t *here = ninep_step(&ninep_out, size);
    for (unsigned i = 0; here && i < size; i++)
        here[i] = (uint8_t)(value >> 8 * i);
}

void ninep_put_bytes(const void *data, size_t length)
{
    uint8_t *here = ninep_step(&ninep_out, length);
    if (here)
        memcpy(here, data, length);
}

void ninep_put_text(const char *text, size_t length)
{
    ninep_put(length, 2);
    ninep_put_bytes(text, length);
}

uint64_t ninep_get(struct ninep_cursor *cursor, unsigned size)
{
    uint64_t value = 0;
    uint8_t *here = ninep_step(cursor, size);
    for (unsigned i = 0; here && i < size; i++)
        value |= (uint64_t)here[i] << 8 * i;
    return value;
}

void ninep_begin(unsigned type)
{
    ninep_out = (struct ninep_cursor){request, request + MESSAGE_LIMIT, false};
    ninep_put(0, 4); /* the size, when we know it */
    ninep_put(type, 1);
    ninep_put(type == TVERSION ? NO_TAG : OUR_TAG, 2);
}

/* Sends what has been put, and leaves `ninep_in` at the first field of the answer. */
static int exchange(struct share *share)
{
    uint32_t length = (uint32_t)(ninep_out.at - request);
    for (unsigned i = 0; i < 4; i++)
        request[i] = (uint8_t)(length >> 8 * i);
    if (ninep_out.bad || length > share->limit)
        return NONSENSE;
    uint32_t written = share_ask(share, request, length, reply);
    if (written == 0)
        return SILENT;
    ninep_in = (struct ninep_cursor){reply, reply + written, false};
    uint64_t size = ninep_get(&ninep_in, 4), type = ninep_get(&ninep_in, 1);
    ninep_step(&ninep_in, 2); /* the tag, which is that of the question */
    if (ninep_in.bad || size < HEADER || size > written || memcmp(reply + 5, request + 5, 2) != 0)
        return NONSENSE;
    ninep_in.end = reply + size;
    if (type == RLERROR) {
        int error = (int)ninep_get(&ninep_in, 4);
        return ninep_in.bad || error <= 0 ? NONSENSE : error;
    }
    return type == request[4] + 1u ? 0 : NONSENSE;
}

/* After an answer that makes no sense nobody knows what is open there: all begins anew. */
int ninep_ask(struct share *share)
{
    int error = exchange(share);
    if (error == SILENT || error == NONSENSE)
        share->attached = false;
    return error;
}
