/* What the generated network.c hands to the runtime. */
#ifndef FASTDEPTH_NETWORK_H
#define FASTDEPTH_NETWORK_H

#include "constants.h"

/* Calling convention of the kernels: DLPack tensors in tagged 16-byte arguments (dlpack.h and tvm/ffi/c_api.h). */
typedef struct {
    void *data;
    struct { int32_t type, id; } device; /* 1, 0: CPU */
    int32_t ndim;
    struct { uint8_t code, bits; uint16_t lanes; } dtype; /* as DLPack counts: 2, 32, 1 is float32 */
    const int64_t *shape, *strides;
    uint64_t byte_offset;
} tensor;

typedef struct {
    int32_t tag; /* 7: pointer to a tensor */
    uint32_t zero;
    void *pointer;
} argument;

typedef int kernel(void *self, const argument *arguments, int32_t count, argument *result);

enum { MOST_OPERANDS = 7, MOST_AXES = 6 };

typedef enum { IN_ARENA, IN_PARAMETERS, IN_IMAGE, IN_DEPTH } place;

typedef struct {
    place where;
    size_t offset; /* bytes */
    uint8_t code, bits;
    int32_t axes;
    int64_t shape[MOST_AXES], strides[MOST_AXES];
} operand;

typedef struct {
    const char *name;
    kernel *run;
    int32_t count;
    operand operands[MOST_OPERANDS]; /* x, k, b, (m), (skip, (r)), y */
} step;

extern const step network_steps[];
extern const size_t network_workspace_bytes; /* the most a task stages */
extern const char *const network_requires[]; /* CPU features the kernels use, then NULL */

/* Give the kernels what they call. */
void kernels_connect(void);

/* An operand as kernels see it, its place beginning at `base`; and that as an argument. */
tensor tensor_at(const operand *, char *base);
argument argument_of(tensor *);

/* The first of these that this machine does not have, or NULL. */
const char *features_missing(const char *const *required);

#endif
