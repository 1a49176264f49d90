/* The console: a 16550 UART.
 *
 * Output waits until the device has room.  Input arrives by interrupt and stays in a ring until
 * the shell asks for it; when the ring is full, the rest stays in the device, and so with the
 * sender: nothing typed is lost. */
#include "labos.h"

#define DATA             REGISTER8(UART + 0)
#define INTERRUPT_ENABLE REGISTER8(UART + 1)
#define FIFO_CONTROL     REGISTER8(UART + 2)
#define LINE_CONTROL     REGISTER8(UART + 3)
#define LINE_STATUS      REGISTER8(UART + 5)

enum {
    ENABLE_RECEIVED = 1, /* INTERRUPT_ENABLE */
    FIFO_ON = 1,         /* FIFO_CONTROL */
    EIGHT_BITS = 3,      /* LINE_CONTROL */
    DATA_READY = 1 << 0, /* LINE_STATUS */
    CAN_SEND = 1 << 5,
};

enum { CTRL_C = 3, RING_SIZE = 1024 };

/* `received` and `consumed` only ever grow; their difference is what the ring holds. */
static volatile uint32_t received, consumed;
static char ring[RING_SIZE] NOT_ZEROED;
static volatile bool paused; /* the ring was full: the device keeps what else there is */

void uart_start(void)
{
    LINE_CONTROL = EIGHT_BITS;
    FIFO_CONTROL = FIFO_ON;
    INTERRUPT_ENABLE = ENABLE_RECEIVED;
    plic_enable(UART_SOURCE);
}

static void send(char c)
{
    while (!(LINE_STATUS & CAN_SEND))
        ;
    DATA = (uint8_t)c;
}

void uart_write(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            send('\r'); /* a terminal's newline only goes down */
        send(text[i]);
    }
}

void uart_interrupt(void)
{
    while (received - consumed < RING_SIZE) {
        if (!(LINE_STATUS & DATA_READY))
            return;
        char c = (char)DATA;
        if (c == CTRL_C && shell_busy) {
            consumed = received; /* what was typed ahead goes, too, as on any terminal */
            stop();
        } else {
            ring[received % RING_SIZE] = c;
            received = received + 1;
        }
    }
    paused = true;
    INTERRUPT_ENABLE = 0; /* or it would interrupt again at once, and for ever */
}

bool uart_has_input(void)
{
    return received != consumed;
}

bool uart_read(char *c)
{
    if (!uart_has_input())
        return false;
    *c = ring[consumed % RING_SIZE];
    consumed = consumed + 1;
    if (paused) {
        paused = false;
        INTERRUPT_ENABLE = ENABLE_RECEIVED;
    }
    return true;
}
