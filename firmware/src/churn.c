/*
 * Allocation as a space bank does it: churn, where as many pages go as come, and growth of what is in use, which ages
 * the cache. Capabilities to the pages lie in capability registers of Processes.
 */
#include "kernel.h"

#define FIRST_REGISTER 16 /* of each Process: 16 registers that its programs do not use */

static u32 next_oid = NEW_OID;

static struct capability *register_of(u32 number)
{
    struct process *holder = element(VEC_PROCESS, number / (32 - FIRST_REGISTER));

    return &holder->cap[FIRST_REGISTER + number % (32 - FIRST_REGISTER)];
}

static u32 allocate(u32 number, u32 *allocated)
{
    u32 refusal = page_allocate(register_of(number), next_oid++);

    *allocated += refusal == REFUSAL_OK;
    return refusal;
}

u32 churn(u32 live, u32 exchanges, u32 seed, u32 *figures)
{
    u32 *allocated = &figures[0], *rescinded = &figures[1], n, held, refusal = REFUSAL_OK;

    aging_begin();
    for (n = 0; n < live && refusal == REFUSAL_OK; n++)
        refusal = allocate(n, allocated);
    held = *allocated;
    for (; exchanges && refusal == REFUSAL_OK; exchanges--) {
        n = random(&seed) % live;
        *rescinded += page_rescind(register_of(n)) == REFUSAL_OK;
        refusal = allocate(n, allocated);
    }
    for (n = 0; n < held; n++)
        if (register_of(n)->type == (TY_PAGE | CAP_PREPARED)) /* not that of an exchange that failed half-way */
            *rescinded += page_rescind(register_of(n)) == REFUSAL_OK;
    return refusal;
}

u32 age(u32 allocations, u32 *allocated)
{
    u32 n, refusal = REFUSAL_OK;

    aging_begin();
    for (n = 0; n < allocations && refusal == REFUSAL_OK; n++)
        refusal = allocate(n % (32 - FIRST_REGISTER), allocated);
    return refusal;
}
