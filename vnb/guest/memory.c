/* The memory behind labos itself: free, but for what a driver asked to keep.
 *
 * What is kept is kept until power-off: nothing in labos ever gives memory back. */
#include "labos.h"

enum { PAGE = 4096 };

static uint64_t kept; /* bytes */

uint64_t memory_start(void)
{
    return (uint64_t)&image_end + kept;
}

/* Firmware puts the device tree somewhere near the end of RAM. */
uint64_t memory_end(void)
{
    uint64_t end = RAM + board.ram_size;
    bool tree_above = board.size > 0 && board.address >= memory_start() && board.address < end;
    return tree_above ? board.address & ~(PAGE - 1ul) : end;
}

/* Whole pages, which hold anything; NULL: there is not so much. */
void *memory_keep(uint64_t size)
{
    uint64_t start = memory_start(), end = memory_end();
    size = (size + PAGE - 1) & ~(PAGE - 1ul);
    if (end < start || size > end - start)
        return NULL;
    kept += size;
    return (void *)start;
}
