/* What the generated network.c hands to the runtime for graphics processors. */
#ifndef FASTDEPTH_CUDA_NETWORK_H
#define FASTDEPTH_CUDA_NETWORK_H

#include "constants.h"

enum { MOST_OPERANDS = 5 };

typedef enum { IN_ARENA, IN_PARAMETERS, IN_IMAGE, IN_DEPTH } place;

typedef struct {
    place where;
    size_t offset; /* bytes */
} operand;

typedef struct {
    const char *name, *kernel;
    unsigned blocks[3], threads[3]; /* along x, y, z */
    int count;
    operand operands[MOST_OPERANDS]; /* in the order that the kernel takes them */
    int result;                      /* which of them is written */
    size_t result_bytes;
} step;

extern const step network_steps[];
extern const char network_ptx[];
extern const int network_capability[2]; /* of the oldest GPU the kernels run on: major, minor */

#endif
