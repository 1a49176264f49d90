/* Sv39 as under Linux: all of the board at its own addresses, RAM in pages of 4 KiB, and main in supervisor mode. */
#include "paging.h"

enum { PAGES = RAM_SIZE >> 12, LEAVES = PAGES / 512 };

static uint64_t leaves[LEAVES][512] PAGE_ALIGNED, middle[512] PAGE_ALIGNED;
uint64_t root[512] PAGE_ALIGNED;

void paging_on(void)
{
    for (uint64_t page = 0; page < PAGES; page++)
        leaves[page / 512][page % 512] = entry(RAM + (page << 12), KERNEL);
    for (int leaf = 0; leaf < LEAVES; leaf++)
        middle[leaf] = entry((uint64_t)leaves[leaf], TABLE);
    root[0] = entry(0, DEVICES);           /* clock, UART, power switch */
    root[1] = entry(1ull << 30, DEVICES);  /* TinyEMU's host */
    root[2] = entry((uint64_t)middle, TABLE);
    root[3] = entry(RAM, USER);            /* RAM once more, for programs */
    address_space(root);
}
