/* Changes page tables all the time: pages move between frames, and two address spaces take turns. */
#include "kernel.h"

enum { PAGE = 4096, PAGES = 64, FRAMES = 256, SPACES = 2, ROUNDS = 60000, LOOKS = 12, TURN = 8 };

#ifdef __linux__ /* the spaces are two windows onto a file in memory */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *window[SPACES];
static int file, current;

static void make_spaces(void)
{
    file = syscall(SYS_memfd_create, "frames", 0);
    if (ftruncate(file, FRAMES * PAGE))
        _exit(1);
    for (int space = 0; space < SPACES; space++)
        window[space] = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
}

static void enter(int space) { current = space; }
static volatile uint64_t *at(int page) { return (volatile uint64_t *)(window[current] + page * PAGE); }

static void move(int page, int frame)
{
    mmap((void *)at(page), PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, (long)frame * PAGE);
}

#else
#include "paging.h"

static char frames[FRAMES][PAGE] PAGE_ALIGNED;
static uint64_t roots[SPACES][512] PAGE_ALIGNED, middles[SPACES][512] PAGE_ALIGNED;
static uint64_t leaves[SPACES][512] PAGE_ALIGNED;
static int current;

static volatile uint64_t *at(int page) { return (volatile uint64_t *)((4ull << 30) + page * PAGE); }

static void enter(int space)
{
    current = space;
    address_space(roots[space]);
}

static void move(int page, int frame)
{
    leaves[current][page] = entry((uint64_t)frames[frame], KERNEL);
    __asm__ volatile("sfence.vma %0, zero" ::"r"(at(page)) : "memory");
}

static void make_spaces(void)
{
    for (int space = 0; space < SPACES; space++) {
        for (int i = 0; i < 512; i++)
            roots[space][i] = root[i];
        roots[space][4] = entry((uint64_t)middles[space], TABLE);
        middles[space][0] = entry((uint64_t)leaves[space], TABLE);
    }
}
#endif

void prepare(void)
{
    make_spaces();
    for (int space = 0; space < SPACES; space++) {
        enter(space);
        for (int page = 0; page < PAGES; page++)
            move(page, page);
    }
}

uint64_t kernel(void)
{
    uint64_t state = 5, sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t random = next_random(&state);
        if (round % TURN == 0)
            enter(round / TURN % SPACES);
        move(random % PAGES, random >> 8 & (FRAMES - 1));
        for (int look = 0; look < LOOKS; look++) {
            volatile uint64_t *word = at(random >> (16 + 4 * look) & (PAGES - 1)) + look;
            sum = sum * 31 + *word;
            *word += random;
        }
    }
    return sum;
}
