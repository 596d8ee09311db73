| Start of a torture program: a stack of its own, so that every address is the same wherever it runs.
    .text
    .globl  _start, _setjmp, setjmp, longjmp, system_call
_start:
    lea     stack_top, %sp
    suba.l  %fp, %fp
    move.l  #arguments, -(%sp)
    pea     1
    jsr     start_c

| long system_call(number, D1, D2, D3)
system_call:
    lea     -8(%sp), %sp
    movem.l %d2-%d3, (%sp)
    move.l  12(%sp), %d0
    move.l  16(%sp), %d1
    move.l  20(%sp), %d2
    move.l  24(%sp), %d3
    trap    #0
    movem.l (%sp), %d2-%d3
    lea     8(%sp), %sp
    rts

setjmp:
_setjmp:
    movea.l 4(%sp), %a0
    move.l  (%sp), %d0
    movem.l %d0/%d2-%d7/%a2-%sp, (%a0)
    fmovem.d %fp2-%fp7, 52(%a0)
    moveq   #0, %d0
    rts

longjmp:
    movea.l 4(%sp), %a0
    move.l  8(%sp), %d1
    jne     1f
    moveq   #1, %d1
1:  fmovem.d 52(%a0), %fp2-%fp7
    movem.l (%a0), %d0/%d2-%d7/%a2-%sp
    move.l  %d0, (%sp)
    move.l  %d1, %d0
    rts

    .data
arguments:
    .long   name, 0
name:
    .string "torture"
    .section .note.GNU-stack
