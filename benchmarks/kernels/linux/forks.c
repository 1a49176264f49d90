/* Makes a process again and again, which writes to a few pages of its own and ends. */
#include "kernel.h"
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 64, ROUNDS = 500 };
static unsigned char memory[PAGES << 12];

uint64_t kernel(void)
{
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        memory[(round % PAGES) << 12] = round;
        pid_t child = fork();
        if (child == 0) {
            int seen = 0;
            for (int page = 0; page < PAGES; page++)
                seen += ++memory[page << 12];
            _exit(seen & 127);
        }
        int status;
        waitpid(child, &status, 0);
        sum = sum * 31 + WEXITSTATUS(status);
    }
    return sum;
}
