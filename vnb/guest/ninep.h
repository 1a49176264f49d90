/* 9P: files that live on the host.  ninep.c speaks the protocol, ninep_message.c has its alphabet,
 * and virtio_9p.c carries what is said.
 *
 * Every message is a question of ours (T, for "transmit") with an answer (R); the answer to what
 * goes wrong is Rlerror with one of Linux's error numbers.  A file is known by a `fid`, a number
 * that we choose: a walk along a path binds it, and a clunk frees it. */
#pragma once

#include "virtio.h"

enum { SHARE_LIMIT = 4, SHARE_TAG = 32, MESSAGE_LIMIT = 16384 };

struct share {
    struct virtio *device;
    struct queue queue;
    char tag[SHARE_TAG];        /* its name */
    bool attached;              /* the two of us are talking; ROOT_FID is bound */
    uint32_t limit;             /* of a message, as agreed */
};
extern struct share shares[SHARE_LIMIT];
extern unsigned share_count;

/* virtio_9p.c */
void share_start_all(void);
/* How long the reply is, 0: there is none.  Neither may be longer than MESSAGE_LIMIT. */
uint32_t share_ask(struct share *share, const void *request, uint32_t length, void *reply);

/* ninep_message.c: where in a message we are.  Past its end nothing is written, zeros are read, and
 * `bad` is set: so it is enough to look at that once, when all has been put or got. */
extern struct ninep_cursor {
    uint8_t *at, *end;
    bool bad;
} ninep_out, ninep_in;
void ninep_begin(unsigned type);
void ninep_put(uint64_t value, unsigned size);
void ninep_put_bytes(const void *data, size_t length);
void ninep_put_text(const char *text, size_t length);
int ninep_ask(struct share *share); /* the question; `ninep_in` is then at the answer's fields */
uint64_t ninep_get(struct ninep_cursor *cursor, unsigned size);
uint8_t *ninep_step(struct ninep_cursor *cursor, size_t length); /* over that; NULL: too far */

/* ninep.c.  All return 0, or the error: one of the server's, which are Linux's, or of ours. */
enum { NOT_FOUND = 2, IS_DIRECTORY = 21, SILENT = 1000, NONSENSE = 1001 };
enum { KIND_MASK = 0170000, DIRECTORY = 0040000, SYMLINK = 0120000 }; /* in a mode */

struct ninep_stat { uint64_t size; uint32_t mode; };
struct ninep_entry { char name[256]; uint64_t next; };

int ninep_walk(struct share *share, const char *path);  /* to the file that the rest is about */
int ninep_open(struct share *share, bool write);        /* write: whatever is in it goes */
int ninep_create(struct share *share, const char *name); /* from a directory to a new file in it */
int ninep_stat(struct share *share, const char *name, struct ninep_stat *stat); /* NULL: itself */
int ninep_read(struct share *share, uint64_t offset, void *data, uint32_t room, uint32_t *length);
int ninep_write(struct share *share, uint64_t offset, const void *data, uint32_t length);
int ninep_list(struct share *share, uint64_t offset, void *data, uint32_t room, uint32_t *length);
uint32_t ninep_entry(const uint8_t *data, uint32_t length, struct ninep_entry *entry);
void ninep_close(struct share *share);
