/*
 * The console is a device like any other: its pages are device pages, attached one by one, with headers from the
 * protected reserve and a mapping of their own. Only a panic bypasses that, through ACR1, because it can trust
 * nothing.
 */
#include "kernel.h"

#define PSC0 0x8600 /* from MBAR; status byte +0x04, transmit byte +0x0c (hardware sheet 6.5) */
#define PSC_STATUS 0x04
#define PSC_TRANSMIT 0x0c
#define PSC_TXRDY 0x04

u32 console_attached, console_written;

static void transmit(u32 psc, char c)
{
    u32 tries = 0x10000; /* bounded, as Linux polls (sheet 6.5) */

    while (!(*(volatile u8 *)(psc + PSC_STATUS) & PSC_TXRDY) && --tries)
        ;
    *(volatile u8 *)(psc + PSC_TRANSMIT) = c;
}

void console_early(const char *text)
{
    while (*text)
        transmit(boot.mbar + PSC0, *text++);
}

void console_early_hex(u32 value)
{
    int shift;

    for (shift = 28; shift >= 0; shift -= 4)
        transmit(boot.mbar + PSC0, "0123456789abcdef"[value >> shift & 15]);
}

static u32 attach_console(void)
{
    while (console_attached < boot.console_pages) {
        u32 offset = console_attached * page_size;
        u32 refusal = attach_page(boot.console_pa + offset, &console_headers);

        if (refusal == REFUSAL_OK)
            refusal = map_insert(boot.console_va + offset, boot.console_pa + offset, page_size,
                                 page_attribute | DR_KERNEL_DEVICE, 1);
        if (refusal != REFUSAL_OK)
            return refusal;
        console_attached++;
    }
    return REFUSAL_OK;
}

static void write(const char *text)
{
    u32 psc = boot.console_va + (boot.mbar + PSC0 - boot.console_pa);

    for (; *text; text++, console_written++)
        transmit(psc, *text);
}

static void write_number(u32 number)
{
    char digits[11], *first = digits + sizeof digits - 1;

    *first = 0;
    do
        *--first = '0' + number % 10;
    while (number /= 10);
    write(first);
}

/* The post's minimum requirement: whatever was refused, tell the user what to set. */
u32 announce(u32 number)
{
    u32 refusal;

    operation_begin(OP_CONSOLE);
    refusal = attach_console();
    if (refusal == REFUSAL_OK) {
        write("cfemu-kernel: out of device page headers: set reserve=");
        write_number(number);
        write(" and reboot\n");
    }
    operation_end(OP_CONSOLE);
    return refusal;
}
