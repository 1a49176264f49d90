/* rng: random bytes, for the eye. */
#include "virtio.h"

int cmd_rng(unsigned count, char **words)
{
    enum { A_LINE = 32 };
    uint64_t wanted = A_LINE, device = 0;
    if (rng_count == 0) {
        print("there is no VirtIO entropy device\n");
        return FAILED;
    }
    if ((count > 1 && !number(words[1], "N", 1, SCRATCH_SIZE, &wanted)) ||
        (count > 2 && !number(words[2], "DEVICE", 0, rng_count - 1, &device)))
        return USAGE;
    for (uint64_t have = 0; have < wanted;) {
        uint32_t got = rng_read((unsigned)device, scratch + have, (uint32_t)(wanted - have));
        if (got == 0) {
            print("rng: the device does not answer\n");
            return FAILED;
        }
        have += got;
    }
    for (uint64_t i = 0; i < wanted && !stopped(); i++)
        print("%02x%s", scratch[i], i % A_LINE == A_LINE - 1 || i == wanted - 1 ? "\n" : "");
    return stopped() ? STOPPED : 0;
}
