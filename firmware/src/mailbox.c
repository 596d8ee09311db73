/* The mailbox: how the nucleus asks the model for a decision and tells it what happened. Reached through ACR1. */
#include "kernel.h"

volatile u32 *mailbox;

/* Returns the status; results are read with result(). The STATUS read is the moment at which the model acts. */
u32 hypercall(u32 number, u32 count, const u32 *arguments)
{
    u32 i;

    for (i = 0; i < count; i++)
        mailbox[i] = arguments[i];
    mailbox[MB_CALL / 4] = number;
    return mailbox[MB_STATUS / 4];
}
