/* Where the devices of the `virt` board are.
 *
 * A device tree could tell all of this (a1 points to one at power-on), and an operating system
 * would ask it.  labos only asks what really differs between machines, the size of memory, the
 * rate of the clock and the PCI bus (fdt.c), and has the rest here, where one can read it. */
#pragma once

#include <stdint.h>

#define SYSCON 0x00100000ul /* power.c: power-off and reboot */
#define CLINT  0x02000000ul /* clock.c: the hart's timer */
#define PLIC   0x0c000000ul /* plic.c: brings the devices' interrupts to the hart */
#define UART   0x10000000ul /* uart.c: a 16550, the console */
#define VIRTIO 0x10001000ul /* virtio_mmio.c: slots of one page, each empty or a VirtIO device */
#define RAM    0x80000000ul

#define UART_SOURCE 10        /* interrupt numbers, as the PLIC counts them */
#define VIRTIO_SOURCE(slot) (1 + (slot))
#define INTERRUPT_SOURCES 96  /* numbers 1 to 95; the PLIC has no source 0 */

#define VIRTIO_SLOTS 8
#define VIRTIO_SLOT_SIZE 0x1000ul

/* A device register is no memory: each access happens once, in order, in exactly this width.
 * `volatile` is how C says so. */
#define REGISTER8(address)  (*(volatile uint8_t *)(address))
#define REGISTER16(address) (*(volatile uint16_t *)(address))
#define REGISTER32(address) (*(volatile uint32_t *)(address))
#define REGISTER64(address) (*(volatile uint64_t *)(address))
