/* The toy network as tables and kernels for processors: the first step stages its rows in scratch, the second adds up. */
#include "common.h"
#include "network.h"
#include "pool.h"
#include "toy.h"

int (*__TVMBackendParallelLaunch)(task *, void *, int);
void *(*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int);
int (*__TVMBackendFreeWorkspace)(int, int, void *);

static float *data(const argument *a) { return ((tensor *)a->pointer)->data; }

static int first_task(int id, environment *e, void *data_of_task) {
    const argument *a = data_of_task;
    const float *image = data(&a[0]), *bias = data(&a[1]);
    float *staged = __TVMBackendAllocWorkspace(1, 0, PIXELS * sizeof(float), 2, 32);
    if (!staged) return -1;
    for (int c = id; c < CHANNELS; c += e->tasks) {
        for (int i = 0; i < PIXELS; i++) staged[i] = 2 * image[c * PIXELS + i];
        for (int i = 0; i < PIXELS; i++) data(&a[2])[c * PIXELS + i] = staged[i] + bias[c];
    }
    return __TVMBackendFreeWorkspace(1, 0, staged);
}

static int second_task(int id, environment *e, void *data_of_task) {
    const argument *a = data_of_task;
    const float *x = data(&a[0]);
    for (int i = id; i < PIXELS; i += e->tasks) data(&a[1])[i] = x[i] + x[PIXELS + i] + x[2 * PIXELS + i];
    return 0;
}

static int first(void *self, const argument *arguments, int32_t count, argument *result) {
    (void)self, (void)count, (void)result;
    return __TVMBackendParallelLaunch(first_task, (void *)(uintptr_t)arguments, 0);
}

static int second(void *self, const argument *arguments, int32_t count, argument *result) {
    (void)self, (void)count, (void)result;
    return __TVMBackendParallelLaunch(second_task, (void *)(uintptr_t)arguments, 0);
}

const step network_steps[] = {
    {"first", first, 3, {{IN_IMAGE, 0, 1, {96}, {1}}, {IN_PARAMETERS, 0, 1, {3}, {1}}, {IN_ARENA, 64, 1, {96}, {1}}}},
    {"second", second, 2, {{IN_ARENA, 64, 1, {96}, {1}}, {IN_DEPTH, 0, 1, {32}, {1}}}},
};
const int network_height = HEIGHT, network_width = WIDTH, network_step_count = 2;
const size_t network_arena_bytes = 64 + CHANNELS * PIXELS * sizeof(float), network_workspace_bytes = PIXELS * sizeof(float);
const size_t network_image_bytes = CHANNELS * PIXELS * sizeof(float), network_depth_bytes = PIXELS * sizeof(float);
const size_t network_parameter_bytes = 16;
const uint64_t network_parameter_hash = HASH;
const char network_dtype[] = "f32", network_description[] = "toy";
const char *const network_requires[] = {NULL};
