/* Asks the kernel of Linux for something small, again and again. */
#include "kernel.h"
#include <sys/syscall.h>
#include <unistd.h>

enum { ROUNDS = 300000 };

uint64_t kernel(void)
{
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++)
        sum += syscall(SYS_getppid) > 0;
    return sum;
}
