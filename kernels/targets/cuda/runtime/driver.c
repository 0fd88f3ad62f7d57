#include "driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "fastdepth.h"

#define LIBRARY "libcuda.so.1"

static driver calls;
static char problem[512];

static const char *load(void) {
    void *library = dlopen(LIBRARY, RTLD_NOW);
    if (!library) return fail("%s: NVIDIA's driver cannot be opened here (%s)", LIBRARY, dlerror()), fastdepth_error();
    const struct {
        const char *name;
        void *into;
    } wanted[] = {
#define ENTRY(name, arguments) {#name, &calls.name},
        DRIVER_CALLS(ENTRY)
#undef ENTRY
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        void *found = dlsym(library, wanted[i].name);
        if (!found) return fail("%s has no %s; a newer driver is needed", LIBRARY, wanted[i].name), fastdepth_error();
        memcpy(wanted[i].into, &found, sizeof found);
    }
    return driver_failed(calls.cuInit(0), "starting the driver") ? fastdepth_error() : "";
}

static void open_once(void) { snprintf(problem, sizeof problem, "%s", load()); }

const driver *driver_open(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_once); /* several threads may open networks at once */
    return problem[0] ? fail("%s", problem) : &calls;
}

int driver_failed(int error, const char *what) {
    if (!error) return 0;
    const char *text = NULL;
    if (calls.cuGetErrorString(error, &text) || !text) text = "unknown error";
    fail("%s: %s (CUDA error %d)", what, text, error);
    return -1;
}
