#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* A layer takes tens to hundreds of microseconds: spin for about that long before sleeping. */
enum { SPINS = 20000, LINE = 64, STACK = 1 << 20, TASKS = 32 };

typedef struct {
    pool *owner;
    pthread_t thread;
    char *scratch;
    size_t used;
} worker;

struct pool {
    int threads, tasks;
    size_t workspace;
    _Alignas(LINE) atomic_uint round; /* grows by one per launch */
    atomic_bool stop;
    atomic_int sleepers;
    _Alignas(LINE) atomic_int next; /* the first task nobody has taken */
    _Alignas(LINE) atomic_int done, failed;
    task *run;
    void *data;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    worker workers[]; /* 0 is the caller */
};

static _Thread_local worker *self;

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* A layer is cut into more tasks than threads, taken as threads become free, so that one that is held up holds up little,
 * and one that sleeps holds up nothing. Who takes a task may read run and data: they change only after all are done. */
static void run_tasks(pool *p) {
    environment e = {NULL, p->tasks};
    for (int id; (id = atomic_fetch_add_explicit(&p->next, 1, memory_order_acq_rel)) < p->tasks;) {
        self->used = 0; /* whatever a task that failed left behind */
        if (p->run(id, &e, p->data)) atomic_store_explicit(&p->failed, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&p->done, 1, memory_order_release);
    }
}

static void *work(void *argument) {
    self = argument;
    pool *p = self->owner;
    for (unsigned seen = 0;;) {
        for (int i = 0; atomic_load_explicit(&p->round, memory_order_acquire) == seen; i++) {
            if (i < SPINS) {
                pause_briefly();
                continue;
            }
            pthread_mutex_lock(&p->mutex);
            atomic_fetch_add(&p->sleepers, 1);
            while (atomic_load(&p->round) == seen) pthread_cond_wait(&p->wake, &p->mutex);
            atomic_fetch_sub(&p->sleepers, 1);
            pthread_mutex_unlock(&p->mutex);
        }
        if (atomic_load(&p->stop)) return NULL;
        seen = atomic_load(&p->round); /* before the work: a round that begins meanwhile is looked at again */
        run_tasks(p);
    }
}

static void begin_round(pool *p) {
    atomic_fetch_add(&p->round, 1);
    if (atomic_load(&p->sleepers)) {
        pthread_mutex_lock(&p->mutex);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->mutex);
    }
}

static bool equip(pool *p, worker *w) {
    w->owner = p;
    return !p->workspace || (w->scratch = aligned_alloc(LINE, p->workspace));
}

pool *pool_create(int threads, size_t workspace) {
    size_t size = (sizeof(pool) + (size_t)threads * sizeof(worker) + LINE - 1) / LINE * LINE;
    pool *p = aligned_alloc(LINE, size);
    if (!p) return NULL;
    *p = (pool){.threads = 1, .tasks = threads > 1 ? TASKS : 1, .workspace = (workspace + LINE - 1) / LINE * LINE};
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (int i = 0; i < threads; i++) p->workers[i] = (worker){0};
    bool ready = equip(p, &p->workers[0]);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    for (int id = 1; ready && id < threads; id++) {
        worker *w = &p->workers[id];
        ready = equip(p, w) && !pthread_create(&w->thread, &attributes, work, w);
        if (ready)
            p->threads = id + 1;
        else
            free(w->scratch);
    }
    pthread_attr_destroy(&attributes);
    if (ready) return p;
    pool_destroy(p);
    return NULL;
}

void pool_destroy(pool *p) {
    atomic_store(&p->stop, true);
    begin_round(p);
    for (int id = 1; id < p->threads; id++) pthread_join(p->workers[id].thread, NULL);
    for (int id = 0; id < p->threads; id++) free(p->workers[id].scratch);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

void pool_enter(pool *p) { self = &p->workers[0]; }
void pool_leave(void) { self = NULL; }

int pool_launch(task *run, void *data, int tasks) {
    (void)tasks; /* kernels split their work by the number of tasks they are told */
    pool *p = self->owner;
    p->run = run;
    p->data = data;
    atomic_store_explicit(&p->failed, 0, memory_order_relaxed);
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    atomic_store_explicit(&p->next, 0, memory_order_release);
    if (p->threads > 1) begin_round(p);
    run_tasks(p);
    for (int i = 0; atomic_load_explicit(&p->done, memory_order_acquire) < p->tasks; i++) {
        if (i < SPINS)
            pause_briefly();
        else
            sched_yield(); /* more threads than processors: let the others finish */
    }
    return atomic_load_explicit(&p->failed, memory_order_relaxed) ? -1 : 0;
}

/* Kernels allocate and free like a stack, and one task at most what the build counted. */
void *pool_allocate(int device, int id, uint64_t bytes, int code, int bits) {
    (void)device, (void)id, (void)code, (void)bits;
    bytes = (bytes + LINE - 1) / LINE * LINE;
    if (self->used + bytes > self->owner->workspace) return NULL;
    char *pointer = self->scratch + self->used;
    self->used += bytes;
    return pointer;
}

int pool_free(int device, int id, void *pointer) {
    (void)device, (void)id;
    self->used = (size_t)((char *)pointer - self->scratch);
    return 0;
}
