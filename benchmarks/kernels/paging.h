/* What page tables are made of, for the board's start and for kernels that change them. [Sv39, privileged 12.4] */
#pragma once
#include <stdint.h>

#define RAM 0x80000000ull
#define RAM_SIZE (128ull << 20)
#define USER_OFFSET (1ull << 30) /* from RAM to where programs of user mode see it */
#define PAGE_ALIGNED __attribute__((aligned(4096)))

enum { V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128 };
enum { TABLE = V, KERNEL = V | R | W | X | A | D, DEVICES = V | R | W | A | D, USER = KERNEL | U };

extern uint64_t root[512];

static inline uint64_t entry(uint64_t address, uint64_t flags) { return address >> 12 << 10 | flags; }

static inline void address_space(const uint64_t *table)
{
    __asm__ volatile("csrw satp, %0\n sfence.vma" ::"r"(8ull << 60 | (uint64_t)table >> 12) : "memory");
}
