/* Doubly recursive Fibonacci numbers: calls, returns and the stack. */
#include "kernel.h"

static uint64_t __attribute__((noinline)) fib(uint64_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint64_t kernel(void) { return fib(32); }
