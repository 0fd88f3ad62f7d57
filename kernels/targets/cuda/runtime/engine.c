#include "engine.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "driver.h"
#include "fastdepth_cuda.h"
#include "network.h"

enum { MAJOR = 75, MINOR = 76, ERROR_LOG = 5, ERROR_LOG_BYTES = 6, LOG = 400 }; /* numbers of cuda.h */

struct engine {
    const driver *cuda;
    int device;
    handle context, module, stream, *functions, *events;
    device_pointer parameters, arena, image, depth;
};

static bool fits(const engine *n) {
    int major = 0, minor = 0;
    if (driver_failed(n->cuda->cuDeviceGetAttribute(&major, MAJOR, n->device), "asking for the GPU's capability") ||
        driver_failed(n->cuda->cuDeviceGetAttribute(&minor, MINOR, n->device), "asking for the GPU's capability"))
        return false;
    const int *least = network_capability;
    if (major > least[0] || (major == least[0] && minor >= least[1])) return true;
    fail("compiled for GPUs from sm_%d%d on, this one is sm_%d%d", least[0], least[1], major, minor);
    return false;
}

static bool load(engine *n) {
    char log[LOG] = "";
    int options[] = {ERROR_LOG, ERROR_LOG_BYTES};
    void *values[] = {log, (void *)(uintptr_t)sizeof log};
    if (driver_failed(n->cuda->cuModuleLoadDataEx(&n->module, network_ptx, 2, options, values), "loading the kernels")) {
        fail_more(log[0] ? ": " : "");
        fail_more(log);
        return false;
    }
    for (int i = 0; i < network_step_count; i++)
        if (driver_failed(n->cuda->cuModuleGetFunction(&n->functions[i], n->module, network_steps[i].kernel),
                          network_steps[i].kernel))
            return false;
    return true;
}

static bool reserve(const engine *n, device_pointer *pointer, size_t bytes) {
    return !driver_failed(n->cuda->cuMemAlloc_v2(pointer, bytes ? bytes : 1), "reserving the GPU's memory");
}

static bool upload(engine *n, const char *path) {
    char *content = malloc(network_parameter_bytes);
    if (!content) return fail("out of memory");
    bool ready = !read_parameters(path, content, network_parameter_bytes, network_parameter_hash) &&
                 !driver_failed(n->cuda->cuMemcpyHtoDAsync_v2(n->parameters, content, network_parameter_bytes, n->stream),
                                "uploading the parameters") &&
                 !driver_failed(n->cuda->cuStreamSynchronize(n->stream), "uploading the parameters");
    free(content);
    return ready;
}

static bool equip(engine *n, const char *parameters) {
    if (!fits(n) || driver_failed(n->cuda->cuStreamCreate(&n->stream, 0), "making a stream")) return false;
    n->functions = calloc((size_t)network_step_count, sizeof *n->functions);
    n->events = calloc((size_t)network_step_count + 1, sizeof *n->events);
    if (!n->functions || !n->events) return fail("out of memory");
    for (int i = 0; i <= network_step_count; i++)
        if (driver_failed(n->cuda->cuEventCreate(&n->events[i], 0), "making an event")) return false;
    return reserve(n, &n->parameters, network_parameter_bytes) && reserve(n, &n->arena, network_arena_bytes) &&
           reserve(n, &n->image, network_image_bytes) && reserve(n, &n->depth, network_depth_bytes) &&
           upload(n, parameters) && load(n);
}

engine *engine_open(const char *parameters, int threads) {
    (void)threads;
    engine *n = calloc(1, sizeof *n);
    if (!n) return fail("out of memory");
    bool ready = (n->cuda = driver_open()) && !driver_failed(n->cuda->cuDeviceGet(&n->device, 0), "looking for a GPU") &&
                 !driver_failed(n->cuda->cuDevicePrimaryCtxRetain(&n->context, n->device), "opening the GPU");
    if (ready) {
        handle ignored;
        n->cuda->cuCtxPushCurrent_v2(n->context);
        ready = equip(n, parameters);
        n->cuda->cuCtxPopCurrent_v2(&ignored);
    }
    if (ready) return n;
    engine_close(n);
    return NULL;
}

void engine_close(engine *n) {
    if (n->context) {
        handle ignored;
        n->cuda->cuCtxPushCurrent_v2(n->context);
        device_pointer held[] = {n->parameters, n->arena, n->image, n->depth};
        for (size_t i = 0; i < sizeof held / sizeof *held; i++)
            if (held[i]) n->cuda->cuMemFree_v2(held[i]);
        for (int i = 0; n->events && i <= network_step_count; i++)
            if (n->events[i]) n->cuda->cuEventDestroy_v2(n->events[i]);
        if (n->module) n->cuda->cuModuleUnload(n->module);
        if (n->stream) n->cuda->cuStreamDestroy_v2(n->stream);
        n->cuda->cuCtxPopCurrent_v2(&ignored);
        n->cuda->cuDevicePrimaryCtxRelease_v2(n->device);
    }
    free(n->events);
    free(n->functions);
    free(n);
}

static device_pointer locate(const engine *n, operand o, device_pointer image, device_pointer depth) {
    device_pointer base[] = {[IN_ARENA] = n->arena, [IN_PARAMETERS] = n->parameters, [IN_IMAGE] = image, [IN_DEPTH] = depth};
    return base[o.where] + o.offset;
}

static int launch(engine *n, int index, device_pointer image, device_pointer depth) {
    const step *s = &network_steps[index];
    device_pointer pointers[MOST_OPERANDS];
    void *arguments[MOST_OPERANDS];
    for (int j = 0; j < s->count; j++) {
        pointers[j] = locate(n, s->operands[j], image, depth);
        arguments[j] = &pointers[j];
    }
    const unsigned *b = s->blocks, *t = s->threads;
    return driver_failed(n->cuda->cuLaunchKernel(n->functions[index], b[0], b[1], b[2], t[0], t[1], t[2], 0, n->stream,
                                                 arguments, NULL),
                         s->name);
}

static int show(engine *n, int index, device_pointer depth, fastdepth_observer observer, void *context) {
    const step *s = &network_steps[index];
    float *copy = malloc(s->result_bytes);
    if (!copy) return fail("out of memory"), -1;
    device_pointer from = locate(n, s->operands[s->result], 0, depth);
    int status = driver_failed(n->cuda->cuMemcpyDtoHAsync_v2(copy, from, s->result_bytes, n->stream), s->name);
    if (!status) status = driver_failed(n->cuda->cuStreamSynchronize(n->stream), s->name);
    if (!status) observer(context, index, copy);
    free(copy);
    return status;
}

static int walk(engine *n, device_pointer image, device_pointer depth, fastdepth_observer observer, void *context,
                double *seconds) {
    int status = 0;
    for (int i = 0; !status && i < network_step_count; i++) {
        if (seconds) n->cuda->cuEventRecord(n->events[i], n->stream);
        status = launch(n, i, image, depth);
        if (!status && observer) status = show(n, i, depth, observer, context);
    }
    if (seconds) n->cuda->cuEventRecord(n->events[network_step_count], n->stream);
    return status;
}

static int times(engine *n, double *seconds) {
    for (int i = 0; i < network_step_count; i++) {
        float milliseconds = 0;
        if (driver_failed(n->cuda->cuEventElapsedTime(&milliseconds, n->events[i], n->events[i + 1]), "timing")) return -1;
        seconds[i] = 1e-3 * (double)milliseconds;
    }
    return 0;
}

int engine_run(engine *n, const float *image, float *depth, fastdepth_observer observer, void *context, double *seconds) {
    handle ignored;
    n->cuda->cuCtxPushCurrent_v2(n->context);
    int status = driver_failed(n->cuda->cuMemcpyHtoDAsync_v2(n->image, image, network_image_bytes, n->stream), "image");
    if (!status) status = walk(n, n->image, n->depth, observer, context, seconds);
    if (!status)
        status = driver_failed(n->cuda->cuMemcpyDtoHAsync_v2(depth, n->depth, network_depth_bytes, n->stream), "depth");
    int last = driver_failed(n->cuda->cuStreamSynchronize(n->stream), "running");
    if (!status && !last && seconds) status = times(n, seconds);
    n->cuda->cuCtxPopCurrent_v2(&ignored);
    return status || last ? -1 : 0;
}

int fastdepth_run_device(fastdepth *network, uint64_t image, uint64_t depth) {
    if (!image || !depth) return fail("%s: NULL", image ? "depth" : "image"), -1;
    engine *n = turn_begin(network);
    if (!n) return -1;
    handle ignored;
    n->cuda->cuCtxPushCurrent_v2(n->context);
    int status = walk(n, image, depth, NULL, NULL, NULL);
    int last = driver_failed(n->cuda->cuStreamSynchronize(n->stream), "running");
    n->cuda->cuCtxPopCurrent_v2(&ignored);
    turn_end(network);
    return status || last ? -1 : 0;
}
