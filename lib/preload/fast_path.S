/* SPDX-License-Identifier: Apache-2.0 */
/*
 * malloc, free, operator new and delete, where the processor is an x86-64: the check of slow_path.h
 * or the question of foreign.h, and right behind it jemalloc's own instructions (inline-jemalloc). In
 * C++ there would be a jump to them; two such jumps are 13 % of a pair of malloc and free, the checks
 * themselves next to nothing. Other processors have the C++ of malloc.cc and operators.cc.
 *
 * All of it is in one page. Where its branches lie in their cache lines is worth up to 12 % of a pair:
 * free and delete begin in the middle of one, where the question costs least.
 */
#include <cet.h>

#include "je_inline.h"
#include "preload/fast_path.h"

        .hidden mpol_segment
        .hidden _ZN4mpol4heap9this_taskE
        .hidden _ZN4mpol4heap14several_scopesE
        .hidden mpol_malloc_slow
        .hidden mpol_new_slow
        .hidden mpol_new_default
        .hidden mpol_free_checked
        .hidden mpol_free_sized_checked
        .hidden mpol_free_default
        .hidden mpol_free_sized_default
        .hidden mpol_free_own
        .hidden mpol_free_sized_own

.macro BEGIN name:vararg
        .globl  \name
        .type   \name, @function
\name:
.endm

.macro END name
        .cfi_endproc
        .size   \name, . - \name
.endm

/* way_of of slow_path.h: on to what follows the macro, or to SLOW. */
.macro CHECK slow
        mov     mpol_segment + MPOL_AT_EPOCH(%rip), %eax
        mov     _ZN4mpol4heap9this_taskE@gottpoff(%rip), %rdx
        cmp     %fs:MPOL_AT_TASK_EPOCH(%rdx), %eax
        jne     .Lnot_current_\slow
.Lcurrent_\slow:
.endm

/* The other side of that check, out of the way. */
.macro NOT_CURRENT slow
.Lnot_current_\slow:
        cmp     %fs:MPOL_AT_TASK_ROUTED_EPOCH(%rdx), %rax
        jne     \slow
        cmp     %rdi, %fs:MPOL_AT_TASK_LARGE_ABOVE(%rdx)
        jae     .Lcurrent_\slow
        jmp     \slow
.endm

.macro ASK_FOR_OWNER checked
        cmpb    $0, _ZN4mpol4heap14several_scopesE(%rip)
        jne     \checked
.endm

        .text
        .p2align 12

/* void* malloc(size_t size) */
        .p2align 6
BEGIN malloc
        .cfi_startproc
        _CET_ENDBR
        CHECK   mpol_malloc_slow
        JE_MALLOC
        NOT_CURRENT mpol_malloc_slow
END malloc

/* void free(void* pointer), and void operator delete(void* pointer), also of arrays. In it begins
   what frees the thread's own memory. */
        .p2align 6
        .skip   32, 0xcc
BEGIN free
BEGIN _ZdlPv
BEGIN _ZdaPv
        .cfi_startproc
        _CET_ENDBR
        ASK_FOR_OWNER mpol_free_checked
BEGIN mpol_free_own
        JE_FREE default=mpol_free_default
END free
        .size   mpol_free_own, . - mpol_free_own
        .size   _ZdlPv, . - _ZdlPv
        .size   _ZdaPv, . - _ZdaPv

/* void* operator new(size_t size), also of arrays */
        .p2align 6
BEGIN _Znwm
BEGIN _Znam
        .cfi_startproc
        _CET_ENDBR
        CHECK   mpol_new_slow
        JE_MALLOC default=mpol_new_default, whole=mpol_new_default
        NOT_CURRENT mpol_new_slow
END _Znwm
        .size   _Znam, . - _Znam

/* void operator delete(void* pointer, size_t size), also of arrays */
        .p2align 6
        .skip   32, 0xcc
BEGIN _ZdlPvm
BEGIN _ZdaPvm
        .cfi_startproc
        _CET_ENDBR
        ASK_FOR_OWNER mpol_free_sized_checked
BEGIN mpol_free_sized_own
        JE_FREE_SIZED default=mpol_free_sized_default
END _ZdlPvm
        .size   mpol_free_sized_own, . - mpol_free_sized_own
        .size   _ZdaPvm, . - _ZdaPvm

        .section .note.GNU-stack, "", @progbits
