/*
 * Fan-in: many clients, one server. All have one priority, so that while the server waits for the processor, calls queue
 * at its Process; it then goes through the Processes and Endpoints of the callers in one address space.
 */
#include "kernel.h"

extern const char user_fan_client[], user_fan_server[];

#define SERVER_REGISTER 3 /* capability register of a client with the server's endpoint */
#define CAP_REGISTER 4    /* capabilities that go with a call: to objects of the client, spread as they are */

static unsigned short order[MAX_USER_PROCESSES];

static void shuffle(u32 n, u32 *seed)
{
    u32 i;

    for (i = 0; i < n; i++) {
        u32 j = random(seed) % (i + 1);

        order[i] = order[j];
        order[j] = i + 1;
    }
}

static void client_start(u32 number, u32 calls, u32 capabilities, struct process *server)
{
    struct process *client = user_start(number, user_fan_client);

    client->cap[SERVER_REGISTER] = server->cap[1]; /* its own endpoint */
    client->cap[CAP_REGISTER] = client->address_space;
    capability_to_oid(&client->cap[CAP_REGISTER + 1], TY_PROCESS, 0, client->header.oid_low);
    capability_to_oid(&client->cap[CAP_REGISTER + 2], TY_PAGE, 0, number * (data_pages / boot.user_processes));
    client->registers.d[2] = number;
    client->registers.d[5] = calls;
    client->registers.d[6] = SERVER_REGISTER | (capabilities - 1) << 8;
    client->registers.d[7] = 0;
    process_ready(client);
}

/* Returns how many calls were answered to the client that made them. */
u32 fan_in(u32 clients, u32 calls, u32 capabilities, u32 seed, u32 *received)
{
    struct process *server = user_start(0, user_fan_server);
    u32 i, answered = 0;

    queues_reset();
    server->registers.d[5] = 0;
    process_wait(server);
    shuffle(clients, &seed);
    for (i = 0; i < clients; i++)
        client_start(order[i], calls, capabilities, server);
    dispatch();
    enter_user();
    for (i = 1; i <= clients; i++)
        answered += user_process(i)->registers.d[7];
    *received = server->registers.d[5];
    return answered;
}
