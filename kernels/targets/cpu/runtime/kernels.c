/* The kernels' link to the runtime: pointers they call through, where they report. */
#include "common.h"
#include "network.h"
#include "pool.h"

/* A kernel that is one task launches nothing, and one that stages nothing allocates nothing: their objects lack the pointers. */
#define WEAK __attribute__((weak))
WEAK int (*__TVMBackendParallelLaunch)(task *, void *, int);
WEAK void *(*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int);
WEAK int (*__TVMBackendFreeWorkspace)(int, int, void *);

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
