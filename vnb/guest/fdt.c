/* What we want to know from the device tree: how much memory there is, how fast the clock runs,
 * where the PCI bus is, and what the host says on the command line.
 *
 * The tree is a flat sequence of big-endian words: a node begins, has properties and then children,
 * and ends.  [devicetree 5] */
#include "labos.h"

enum { MAGIC = 0xd00dfeed, BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4 };
enum { TOTAL_SIZE = 4, STRUCTURE = 8, STRINGS = 12 }; /* where in the header */
enum { LARGEST = 1 << 20 };

/* Until a tree says otherwise. */
struct board_facts board = {.ram_size = 16 << 20, .timebase = 10000000};

static uint32_t swapped(uint64_t word)
{
    uint64_t middle = (word & 0xff00) << 8 | (word >> 8 & 0xff00);
    return (uint32_t)(word << 24 | middle | (word >> 24 & 0xff));
}

/* No read leaves the tree, whatever it says about itself: beyond its end are zeros. */
static uint32_t word(uint32_t offset)
{
    uint64_t value = 0;
    if (board.size >= 4 && offset <= board.size - 4)
        guarded_load(board.address + offset, 4, &value);
    return swapped(value);
}

/* Whether the text at offset is this name, or this name and "@address". */
static bool named(uint32_t offset, const char *name)
{
    size_t length = strlen(name);
    if (offset > board.size || board.size - offset < length + 1)
        return false;
    const char *text = (const char *)board.address + offset;
    return memcmp(text, name, length) == 0 && (text[length] == 0 || text[length] == '@');
}

static uint32_t after_text(uint32_t offset)
{
    while (offset < board.size && *(const char *)(board.address + offset))
        offset++;
    return (offset + 4) & ~3u; /* past its zero, to the next word */
}

uint32_t fdt_cell(struct cells cells, uint32_t index)
{
    return index < cells.count ? word(cells.at + 4 * index) : 0;
}

uint64_t fdt_cell64(struct cells cells, uint32_t index)
{
    return (uint64_t)fdt_cell(cells, index) << 32 | fdt_cell(cells, index + 1);
}

/* A bus whose configuration spaces were in RAM, or not at a multiple of their size, would be one of
 * a damaged tree. */
static void pci_property(uint32_t name, struct cells value)
{
    if (named(name, "reg")) {
        uint64_t at = fdt_cell64(value, 0);
        board.pci_config = at < RAM && at % (1 << 20) == 0 ? at : 0;
    }
    if (named(name, "ranges"))
        board.pci_windows = value;
    if (named(name, "interrupt-map"))
        board.pci_interrupts = value;
    if (named(name, "interrupt-map-mask"))
        board.pci_interrupt_mask = value;
}

/* Memory's `reg` is an address and a size of two words each, on this board. */
static void property(uint32_t node, uint32_t name, uint32_t value, uint32_t length)
{
    if (named(node, "pci"))
        pci_property(name, (struct cells){value, length / 4});
    if (named(node, "chosen") && named(name, "bootargs") && value <= board.size - length)
        board.command_line = (struct cells){value, length};
    if (named(node, "memory") && named(name, "reg") && length >= 16)
        board.ram_size = (uint64_t)word(value + 8) << 32 | word(value + 12);
    if (named(node, "cpus") && named(name, "timebase-frequency") && length == 4 && word(value) > 0)
        board.timebase = word(value);
}

static void walk(uint32_t at, uint32_t strings)
{
    uint32_t node = 0;
    while (at < board.size) {
        uint32_t token = word(at), length = word(at + 4), name = strings + word(at + 8);
        if (token == BEGIN_NODE) {
            node = at + 4;
            at = after_text(node);
        } else if (token == PROPERTY && length <= board.size) {
            property(node, name, at + 12, length);
            at += (12 + length + 3) & ~3u;
        } else if (token == END_NODE || token == NOP) {
            at += 4; /* a node's properties come before its children: `node` is not needed again */
        } else {
            return;
        }
    }
}

void fdt_read(uint64_t address)
{
    uint64_t magic = 0, last;
    if (address % 8 || !guarded_load(address, 4, &magic) || swapped(magic) != MAGIC)
        return;
    board.address = address;
    board.size = LARGEST;
    board.size = word(TOTAL_SIZE);
    if (board.size <= LARGEST && guarded_load(address + board.size - 1, 1, &last))
        walk(word(STRUCTURE), word(STRINGS));
    else
        board.size = 0;
}
