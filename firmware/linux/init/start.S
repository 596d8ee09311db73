| The kernel starts a program with argc, argv and envp on its stack.
        .text
        .globl  _start
_start:
        move.l  (%sp),%d0
        lea     4(%sp),%a0
        move.l  %a0,-(%sp)
        move.l  %d0,-(%sp)
        jbsr    main
        move.l  %d0,%d1
        moveq   #1,%d0                  | exit
        trap    #0

        .section .note.GNU-stack,"",@progbits
