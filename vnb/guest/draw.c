/* What labos can draw: a test card, dots, and a pointer. */
#include "screen.h"

enum { WHITE = 0xffffff, BLACK = 0x000000, LIGHT = 0xc0c0c0, DARK = 0x404040, RED = 0xff0000 };

/* The card shows whether all of the picture is there (a frame, one pixel wide), whether red is red
 * (bars), brightness (a ramp), single pixels (squares of 16), and whether circles are round.  Each
 * pixel is a function of its place alone, so that a test can say what it must be. */
static uint32_t card_pixel(const struct screen *screen, uint32_t x, uint32_t y)
{
    static const uint32_t bars[] = {
        0xffffff, 0xffff00, 0x00ffff, 0x00ff00, 0xff00ff, 0xff0000, 0x0000ff, 0x000000,
    };
    uint32_t width = screen->width, height = screen->height;
    if (x == 0 || y == 0 || x == width - 1 || y == height - 1)
        return WHITE;
    int64_t across = 2 * (int64_t)x - width, down = 2 * (int64_t)y - height;
    int64_t radius = (width < height ? width : height) * 3 / 4, inner = radius - 8;
    int64_t square = across * across + down * down;
    if (square <= radius * radius && square > inner * inner)
        return WHITE;
    if (y < height * 2 / 3)
        return bars[x * COUNT(bars) / width];
    if (y < height * 5 / 6)
        return (uint32_t)(x * 256ul / width) * 0x010101;
    return (x / 16 + y / 16) % 2 ? LIGHT : DARK;
}

static uint32_t *pixel(struct screen *screen, uint32_t x, uint32_t y)
{
    return &screen->pixels[(uint64_t)y * screen->width + x];
}

void draw_card(struct screen *screen)
{
    for (uint32_t y = 0; y < screen->height; y++)
        for (uint32_t x = 0; x < screen->width; x++)
            *pixel(screen, x, y) = card_pixel(screen, x, y);
}

/* Four pixels each way, within the area of a pointer that points there. */
void draw_dot(struct screen *screen, uint32_t x, uint32_t y)
{
    enum { SIZE = 4 };
    for (uint32_t down = 0; down < SIZE && y + down < screen->height; down++)
        for (uint32_t across = 0; across < SIZE && x + across < screen->width; across++)
            *pixel(screen, x + across, y + down) = RED;
}

/* . is white, # is black, and through a space one sees what is behind. */
static const char arrow[POINTER_HEIGHT][POINTER_WIDTH + 1] = {
    "#           ",
    "##          ",
    "#.#         ",
    "#..#        ",
    "#...#       ",
    "#....#      ",
    "#.....#     ",
    "#......#    ",
    "#.......#   ",
    "#........#  ",
    "#.........# ",
    "#......#####",
    "#...#..#    ",
    "#..##..#    ",
    "#.# #..#    ",
    "##   #..#   ",
    "#    #..#   ",
    "      ##    ",
};

static uint32_t behind[POINTER_HEIGHT][POINTER_WIDTH];

/* Its tip is at (x, y); at the right and lower edges there is less of it to see. */
struct rectangle pointer_place(const struct screen *screen, uint32_t x, uint32_t y)
{
    uint32_t right = screen->width - x, down = screen->height - y;
    return (struct rectangle){x, y, right < POINTER_WIDTH ? right : POINTER_WIDTH,
                              down < POINTER_HEIGHT ? down : POINTER_HEIGHT};
}

void pointer_show(struct screen *screen, struct rectangle place)
{
    for (uint32_t y = 0; y < place.height; y++)
        for (uint32_t x = 0; x < place.width; x++) {
            uint32_t *here = pixel(screen, place.x + x, place.y + y);
            behind[y][x] = *here;
            if (arrow[y][x] != ' ')
                *here = arrow[y][x] == '#' ? BLACK : WHITE;
        }
}

void pointer_hide(struct screen *screen, struct rectangle place)
{
    for (uint32_t y = 0; y < place.height; y++)
        for (uint32_t x = 0; x < place.width; x++)
            *pixel(screen, place.x + x, place.y + y) = behind[y][x];
}
