/* The kernels' link to the runtime: pointers they call through, where they report, how they see a tensor. */
#include "common.h"
#include "network.h"
#include "pool.h"

enum { TENSOR = 7, CPU = 1 };

extern int (*__TVMBackendParallelLaunch)(task *, void *, int);
extern void *(*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int);
extern int (*__TVMBackendFreeWorkspace)(int, int, void *);

void kernels_connect(void) {
    __TVMBackendParallelLaunch = pool_launch;
    __TVMBackendAllocWorkspace = pool_allocate;
    __TVMBackendFreeWorkspace = pool_free;
}

void TVMFFIErrorSetRaisedFromCStrParts(const char *kind, const char **parts, int32_t count) {
    fail("%s: ", kind);
    for (int32_t i = 0; i < count; i++)
        if (parts[i]) fail_more(parts[i]);
}

tensor tensor_at(const operand *o, char *base) {
    return (tensor){.data = base + o->offset,
                    .device = {CPU, 0},
                    .ndim = o->axes,
                    .dtype = {o->code, o->bits, 1},
                    .shape = o->shape,
                    .strides = o->strides};
}

argument argument_of(tensor *t) { return (argument){TENSOR, 0, t}; }
