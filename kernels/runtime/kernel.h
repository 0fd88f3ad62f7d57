/* Kernels of processors, as TVM compiles them: how they are called, what they call, and the tables that say with what. */
#ifndef FASTDEPTH_KERNEL_H
#define FASTDEPTH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

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
    union {
        void *pointer;
        int64_t whole; /* 8 bytes, also where a pointer has 4 */
    };
} argument;

_Static_assert(sizeof(argument) == 16, "as TVM's code expects");

typedef int kernel(void *self, const argument *arguments, int32_t count, argument *result);

enum { MOST_OPERANDS = 7, MOST_AXES = 6 };

typedef enum { IN_ARENA, IN_PARAMETERS, IN_IMAGE, IN_DEPTH } place;

typedef struct {
    place where;
    size_t offset; /* bytes */
    uint8_t code, bits; /* DLPack's */
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

/* What a task of a kernel is told: one of `tasks`. */
typedef struct {
    void *sync;
    int32_t tasks;
} environment;

typedef int task(int id, environment *environment, void *data);

/* Pointers that kernels call through. */
extern int (*__TVMBackendParallelLaunch)(task *, void *, int);
extern void *(*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int);
extern int (*__TVMBackendFreeWorkspace)(int, int, void *);

/* An operand as kernels see it, its place beginning at `base`; and that as an argument. */
static inline tensor tensor_at(const operand *o, char *base) {
    enum { CPU = 1 };
    return (tensor){.data = base + o->offset,
                    .device = {CPU, 0},
                    .ndim = o->axes,
                    .dtype = {o->code, o->bits, 1},
                    .shape = o->shape,
                    .strides = o->strides};
}

static inline argument argument_of(tensor *t) {
    enum { TENSOR = 7 };
    return (argument){.tag = TENSOR, .pointer = t};
}

#endif
