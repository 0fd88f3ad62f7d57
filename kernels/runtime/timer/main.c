/* Times one kernel on a board: prints the seconds of every run, a line each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common.h"
#include "fastdepth.h"
#include "network.h"
#include "pool.h"

enum { LINE = 64 };

/* RUNS, and FLUSH bytes touched between them, are given by whoever compiles this. */
#ifndef RUNS
#define RUNS 1
#define FLUSH 1
#endif

static int stop(const char *why) { return fprintf(stderr, "error: %s\n", why), 2; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void) {
    const char *lacking = features_missing(network_requires);
    if (lacking) return stop(lacking);
    kernels_connect();
    size_t bytes = (network_arena_bytes + LINE - 1) / LINE * LINE;
    char *arena = aligned_alloc(LINE, bytes), *other = malloc(FLUSH);
    pool *threads = pool_create(1, network_workspace_bytes);
    if (!arena || !other || !threads) return stop("out of memory");
    for (size_t i = 0; i < bytes / sizeof(float); i++) ((float *)(void *)arena)[i] = (float)(rand() % 1000) * 1e-3f;

    const step *s = network_steps;
    tensor tensors[MOST_OPERANDS];
    argument arguments[MOST_OPERANDS], result = {0};
    for (int j = 0; j < s->count; j++) {
        tensors[j] = tensor_at(&s->operands[j], arena);
        arguments[j] = argument_of(&tensors[j]);
    }
    pool_enter(threads);
    for (int i = 0; i <= RUNS; i++) {
        memset(other, i, FLUSH);
        double began = now();
        if (s->run(NULL, arguments, s->count, &result)) return stop(fastdepth_error());
        double seconds = now() - began;
        if (i) printf("%.9f\n", seconds); /* the first touches memory for the first time */
    }
    pool_leave();
    return 0;
}
