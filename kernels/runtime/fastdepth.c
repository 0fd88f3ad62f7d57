/* fastdepth.h for any engine: which networks are open, and whose turn it is on each.
 *
 * A handle is a number, given once and never again, and not an address: whatever is not the number of an open network is
 * looked up and not found. */
#include "fastdepth.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "common.h"
#include "constants.h"
#include "engine.h"

enum { MOST_THREADS = 1024 };

typedef struct network {
    struct network *next;
    uintptr_t number;
    engine *engine;
    unsigned arrived, served; /* a call's turn is when as many were served as had arrived before it */
    bool inherited;           /* from the process that forked this one: its threads and its GPU are not here */
} network;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all the below and what it points to; not held in a run */
static pthread_cond_t progress = PTHREAD_COND_INITIALIZER;
static network *networks;
static uintptr_t last;

static _Thread_local bool running;

static void before_fork(void) { pthread_mutex_lock(&lock); }

static void in_parent(void) { pthread_mutex_unlock(&lock); }

static void in_child(void) {
    for (network *n = networks; n; n = n->next) n->inherited = true;
    progress = (pthread_cond_t)PTHREAD_COND_INITIALIZER; /* whoever waited is not here */
    pthread_mutex_unlock(&lock);
}

static bool watched;

static void watch_forks(void) { watched = !pthread_atfork(before_fork, in_parent, in_child); }

static network **find(const fastdepth *handle) {
    network **n = &networks;
    while (*n && (*n)->number != (uintptr_t)handle) n = &(*n)->next;
    return n;
}

engine *turn_begin(fastdepth *handle) {
    if (running) return fail("called by an observer, while its network runs");
    pthread_mutex_lock(&lock);
    network *n = *find(handle);
    bool inherited = n && n->inherited;
    if (n && !inherited)
        for (unsigned ticket = n->arrived++; n && n->served != ticket; n = *find(handle)) pthread_cond_wait(&progress, &lock);
    engine *e = n ? n->engine : NULL;
    pthread_mutex_unlock(&lock);
    if (inherited) return fail("the network was opened before this process was forked; open it again here");
    if (!e) return fail("no such network is open: it was destroyed, or never created");
    running = true;
    return e;
}

void turn_end(fastdepth *handle) {
    running = false;
    pthread_mutex_lock(&lock);
    (*find(handle))->served++;
    pthread_cond_broadcast(&progress);
    pthread_mutex_unlock(&lock);
}

fastdepth *fastdepth_create(const char *parameters, int threads) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!parameters) return fail("parameters: NULL, not the name of a file");
    if (threads < 1 || threads > MOST_THREADS) return fail("%d threads; at least 1, at most %d", threads, MOST_THREADS);
    pthread_once(&once, watch_forks);
    network *n = calloc(1, sizeof *n);
    if (!n || !watched) return free(n), fail("out of memory");
    if (!(n->engine = engine_open(parameters, threads))) return free(n), NULL;
    pthread_mutex_lock(&lock);
    uintptr_t number = n->number = ++last;
    n->next = networks;
    networks = n;
    pthread_mutex_unlock(&lock);
    return (fastdepth *)number;
}

int fastdepth_destroy(fastdepth *handle) {
    if (!handle) return 0;
    if (!turn_begin(handle)) return -1;
    pthread_mutex_lock(&lock);
    network **at = find(handle), *n = *at;
    *at = n->next;
    pthread_cond_broadcast(&progress);
    pthread_mutex_unlock(&lock);
    running = false;
    engine_close(n->engine);
    free(n);
    return 0;
}

static int run(fastdepth *handle, const float *image, float *depth, fastdepth_observer observer, void *context,
               double *seconds) {
    if (!image || !depth) return fail("%s: NULL", image ? "depth" : "image"), -1;
    engine *e = turn_begin(handle);
    if (!e) return -1;
    int status = engine_run(e, image, depth, observer, context, seconds);
    turn_end(handle);
    return status;
}

int fastdepth_run(fastdepth *handle, const float *image, float *depth) {
    return run(handle, image, depth, NULL, NULL, NULL);
}

int fastdepth_observe(fastdepth *handle, const float *image, float *depth, fastdepth_observer observer, void *context) {
    if (!observer) return fail("observer: NULL"), -1;
    return run(handle, image, depth, observer, context, NULL);
}

int fastdepth_time(fastdepth *handle, const float *image, float *depth, double *seconds) {
    if (!seconds) return fail("seconds: NULL"), -1;
    return run(handle, image, depth, NULL, NULL, seconds);
}

int fastdepth_height(void) { return network_height; }

int fastdepth_width(void) { return network_width; }

const char *fastdepth_dtype(void) { return network_dtype; }

const char *fastdepth_describe(void) { return network_description; }
