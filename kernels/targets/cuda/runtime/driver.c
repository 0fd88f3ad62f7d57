#include "driver.h"

#include <dlfcn.h>
#include <string.h>

#include "common.h"

#define LIBRARY "libcuda.so.1"

static driver calls;
static void *library;

const driver *driver_open(void) {
    if (library) return &calls;
    void *opened = dlopen(LIBRARY, RTLD_NOW);
    if (!opened) return fail("%s: NVIDIA's driver cannot be opened here (%s)", LIBRARY, dlerror());
    const struct {
        const char *name;
        void *into;
    } wanted[] = {
#define ENTRY(name, arguments) {#name, &calls.name},
        DRIVER_CALLS(ENTRY)
#undef ENTRY
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        void *found = dlsym(opened, wanted[i].name);
        if (!found) return fail("%s has no %s; a newer driver is needed", LIBRARY, wanted[i].name);
        memcpy(wanted[i].into, &found, sizeof found);
    }
    library = opened;
    if (!driver_failed(calls.cuInit(0), "starting the driver")) return &calls;
    library = NULL;
    return NULL;
}

int driver_failed(int error, const char *what) {
    if (!error) return 0;
    const char *text = NULL;
    if (calls.cuGetErrorString(error, &text) || !text) text = "unknown error";
    fail("%s: %s (CUDA error %d)", what, text, error);
    return -1;
}
