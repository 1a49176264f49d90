/* What kernels.c offers to cmd_cpu.c. */
#pragma once

#include "labos.h"

uint64_t kernel_branches(void);
uint64_t kernel_arithmetic(void);
uint64_t kernel_division(void);
uint64_t kernel_sort(void);
uint64_t kernel_matrix(void);
uint64_t kernel_mandelbrot(void);
uint64_t kernel_roots(void);
uint64_t kernel_copy(void);
uint64_t kernel_fill(void);
uint64_t kernel_chase(void);
void prepare_chase(void); /* before the first kernel_chase() */
