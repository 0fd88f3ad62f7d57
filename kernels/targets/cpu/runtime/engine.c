#include "engine.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common.h"
#include "network.h"
#include "pool.h"

enum { LINE = 64 };

struct engine {
    pool *pool;
    char *parameters, *arena; /* the arena ends with room for an image and a depth that are not aligned */
    tensor (*tensors)[MOST_OPERANDS];
    argument (*arguments)[MOST_OPERANDS];
};

static size_t rounded(size_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

static void bind(engine *n) {
    for (int i = 0; i < network_step_count; i++) {
        const step *s = &network_steps[i];
        for (int j = 0; j < s->count; j++) {
            const operand *o = &s->operands[j];
            char *base = o->where == IN_PARAMETERS ? n->parameters : n->arena;
            n->tensors[i][j] = tensor_at(o, base);
            n->arguments[i][j] = argument_of(&n->tensors[i][j]);
        }
    }
}

engine *engine_open(const char *parameters, int threads) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *lacking = features_missing(network_requires);
    if (lacking) return fail("this processor lacks %s, which the kernels were compiled for", lacking);
    pthread_once(&once, kernels_connect); /* other networks may be running */
    engine *n = calloc(1, sizeof *n);
    if (!n) return fail("out of memory");
    size_t arena = rounded(network_arena_bytes) + rounded(network_image_bytes) + rounded(network_depth_bytes);
    n->parameters = aligned_alloc(LINE, rounded(network_parameter_bytes));
    n->arena = aligned_alloc(LINE, arena);
    n->tensors = calloc((size_t)network_step_count, sizeof *n->tensors);
    n->arguments = calloc((size_t)network_step_count, sizeof *n->arguments);
    n->pool = pool_create(threads, network_workspace_bytes);
    bool ready = n->parameters && n->arena && n->tensors && n->arguments && n->pool;
    if (!ready)
        fail("out of memory or threads");
    else if ((ready = !read_parameters(parameters, n->parameters, network_parameter_bytes, network_parameter_hash))) {
        memset(n->arena, 0, arena); /* every page is there before the first image */
        bind(n);
    }
    if (ready) return n;
    engine_close(n);
    return NULL;
}

void engine_close(engine *n) {
    if (n->pool) pool_destroy(n->pool);
    free(n->arguments);
    free(n->tensors);
    free(n->arena);
    free(n->parameters);
    free(n);
}

static bool aligned(const void *pointer) { return (uintptr_t)pointer % LINE == 0; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int engine_run(engine *n, const float *image, float *depth, fastdepth_observer observer, void *context, double *seconds) {
    char *spare = n->arena + rounded(network_arena_bytes);
    void *source = (void *)(uintptr_t)image;
    if (!aligned(image)) source = memcpy(spare, image, network_image_bytes);
    void *target = aligned(depth) ? (void *)depth : spare + rounded(network_image_bytes);
    int status = 0;
    pool_enter(n->pool);
    for (int i = 0; !status && i < network_step_count; i++) {
        const step *s = &network_steps[i];
        for (int j = 0; j < s->count; j++) {
            if (s->operands[j].where == IN_IMAGE) n->tensors[i][j].data = source;
            if (s->operands[j].where == IN_DEPTH) n->tensors[i][j].data = target;
        }
        argument result = {0};
        double began = seconds ? now() : 0;
        status = s->run(NULL, n->arguments[i], s->count, &result);
        if (seconds) seconds[i] = now() - began;
        if (!status && observer) observer(context, i, n->tensors[i][s->count - 1].data);
    }
    pool_leave();
    if (!status && target != depth) memcpy(depth, target, network_depth_bytes);
    return status ? -1 : 0;
}
