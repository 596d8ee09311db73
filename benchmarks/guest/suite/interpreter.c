/* A bytecode interpreter of a stack machine with locals, dispatched by computed jumps. The program that it runs counts
   the steps that every number up to a bound takes to 1 by halving and 3n + 1. */
#include "suite.h"

enum operation { HALT, CONSTANT, LOAD, STORE, ADD, MULTIPLY, SHIFT_RIGHT, AND, LESS, BRANCH, BRANCH_IF_ZERO };
enum local { BOUND, N, VALUE, STEPS };

/* a branch's operand is the distance from behind it, as a signed byte */
static const u8 program[] = {
    CONSTANT, 0, STORE, STEPS,                                                    /*  0 */
    CONSTANT, 1, STORE, N,                                                        /*  4 */
    LOAD, N, LOAD, BOUND, LESS, BRANCH_IF_ZERO, 55,                               /*  8: while n < bound */
    LOAD, N, STORE, VALUE,                                                        /* 15 */
    CONSTANT, 1, LOAD, VALUE, LESS, BRANCH_IF_ZERO, 35,                           /* 19: while 1 < value */
    LOAD, STEPS, CONSTANT, 1, ADD, STORE, STEPS,                                  /* 26 */
    LOAD, VALUE, CONSTANT, 1, AND, BRANCH_IF_ZERO, 12,                            /* 33 */
    LOAD, VALUE, CONSTANT, 3, MULTIPLY, CONSTANT, 1, ADD, STORE, VALUE,           /* 40: odd */
    BRANCH, (u8)-33,                                                              /* 50 */
    LOAD, VALUE, CONSTANT, 1, SHIFT_RIGHT, STORE, VALUE,                          /* 52: even */
    BRANCH, (u8)-42,                                                              /* 59 */
    LOAD, N, CONSTANT, 1, ADD, STORE, N,                                          /* 61 */
    BRANCH, (u8)-62,                                                              /* 68 */
    CONSTANT, 0, LOAD, STEPS, ADD, HALT,                                          /* 70 */
};

static u32 __attribute__((noinline)) interpret(const u8 *pc, u32 *locals)
{
    static const void *const targets[] = {
        [HALT] = &&halt, [CONSTANT] = &&constant, [LOAD] = &&load, [STORE] = &&store, [ADD] = &&add,
        [MULTIPLY] = &&multiply, [SHIFT_RIGHT] = &&shift_right, [AND] = &&and, [LESS] = &&less, [BRANCH] = &&branch,
        [BRANCH_IF_ZERO] = &&branch_if_zero,
    };
    u32 stack[16], *top = stack;
#define NEXT goto *targets[*pc++]
    NEXT;
constant:
    *top++ = *pc++;
    NEXT;
load:
    *top++ = locals[*pc++];
    NEXT;
store:
    locals[*pc++] = *--top;
    NEXT;
add:
    top--;
    top[-1] += *top;
    NEXT;
multiply:
    top--;
    top[-1] *= *top;
    NEXT;
shift_right:
    top--;
    top[-1] >>= *top & 31;
    NEXT;
and:
    top--;
    top[-1] &= *top;
    NEXT;
less:
    top--;
    top[-1] = top[-1] < *top;
    NEXT;
branch:
    pc += (signed char)*pc + 1;
    NEXT;
branch_if_zero:
    if (*--top)
        pc++;
    else
        pc += (signed char)*pc + 1;
    NEXT;
halt:
    return top[-1];
#undef NEXT
}

/* size: the bound */
u32 k_interpreter(u32 size, u32 repetitions)
{
    u32 locals[4] = {0}, checksum = 0;
    while (repetitions--) {
        locals[BOUND] = size + repetitions % 2;
        checksum = mix(checksum, interpret(program, locals));
    }
    return checksum;
}
