/* What fastdepth.h promises, tried on the toy network: many threads on one handle, destroyed meanwhile, forked, misused.
 * Runs in a folder of its own with the files of parameters: right, too short, too long, and other ones. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fastdepth.h"
#include "toy.h"

enum { CALLERS = 4, RUNS = 100, FORKS = 10, STEPS = 2, PATIENCE = 60 /* seconds */ };

#define CHECK(truth) ((truth) ? (void)0 : give_up(__LINE__, #truth))
#define FAILS(call, why) (CHECK((call) == -1), CHECK(strstr(fastdepth_error(), why)))

static void give_up(int line, const char *what) {
    fprintf(stderr, "line %d: not so: %s (last error: %s)\n", line, what, fastdepth_error());
    _exit(1);
}

typedef struct {
    fastdepth *network;
    int value; /* of every pixel */
    const char *ends;
} caller;

static const char *const parameters = "right";
static atomic_int runs;

static fastdepth *opened(int threads) {
    fastdepth *network = fastdepth_create(parameters, threads);
    CHECK(network);
    return network;
}

static int right(const float *depth, int value) {
    for (int i = 0; i < PIXELS; i++)
        if (depth[i] != (float)(6 * value + 1 + 2 + 3)) return 0;
    return 1;
}

static void count_steps(void *context, int step, const float *result) { *(int *)context += step + (result != NULL); }

/* One call, by any of the three functions, on buffers that are aligned or not: -1, or 0 with the right depth. */
static int call(fastdepth *network, int value, int kind) {
    static _Thread_local float _Alignas(64) image[CHANNELS * PIXELS + 1], depth[PIXELS + 1];
    float *from = image + kind % 2, *to = depth + kind / 2 % 2;
    double seconds[STEPS] = {-1, -1};
    int seen = 0, status;
    for (int i = 0; i < CHANNELS * PIXELS; i++) from[i] = (float)value;
    memset(to, 0, PIXELS * sizeof *to);
    if (kind % 3 == 0) status = fastdepth_run(network, from, to);
    if (kind % 3 == 1) status = fastdepth_time(network, from, to, seconds);
    if (kind % 3 == 2) status = fastdepth_observe(network, from, to, count_steps, &seen);
    if (status) return status;
    CHECK(right(to, value));
    CHECK(kind % 3 != 1 || (seconds[0] >= 0 && seconds[1] >= 0));
    CHECK(kind % 3 != 2 || seen == 0 + 1 + STEPS);
    atomic_fetch_add(&runs, 1);
    return 0;
}

static void *run_often(void *argument) {
    const caller *c = argument;
    for (int i = 0; i < RUNS; i++) CHECK(!call(c->network, c->value, i));
    return NULL;
}

static void *run_until_destroyed(void *argument) {
    const caller *c = argument;
    for (int i = 0; !call(c->network, c->value, i); i++) continue;
    CHECK(strstr(fastdepth_error(), "no such network is open"));
    return NULL;
}

static void *open_and_destroy(void *argument) {
    const caller *c = argument;
    for (int i = 0; i < RUNS / 10; i++) {
        fastdepth *mine = opened(1 + i % 3);
        CHECK(mine != c->network && !call(mine, c->value, i) && !fastdepth_destroy(mine));
    }
    return NULL;
}

static void start(pthread_t *threads, caller *callers, void *(*what)(void *), fastdepth *a, fastdepth *b) {
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){.network = i % 2 ? a : b, .value = i + 1};
        CHECK(!pthread_create(&threads[i], NULL, what, &callers[i]));
    }
}

static void join(pthread_t *threads) {
    for (int i = 0; i < CALLERS; i++) CHECK(!pthread_join(threads[i], NULL));
}

static void callers_take_turns(void) {
    pthread_t threads[CALLERS];
    caller callers[CALLERS];
    fastdepth *one = opened(1), *two = opened(3);
    start(threads, callers, run_often, one, one);
    join(threads);
    start(threads, callers, run_often, two, two);
    join(threads);
    start(threads, callers, run_often, one, two);
    join(threads);
    start(threads, callers, open_and_destroy, one, two);
    CHECK(!call(one, 9, 0) && !call(two, 9, 0));
    join(threads);
    CHECK(!fastdepth_destroy(one) && !fastdepth_destroy(two));
}

static void destroyed_while_others_call(void) {
    pthread_t threads[CALLERS];
    caller callers[CALLERS];
    fastdepth *network = opened(2);
    atomic_store(&runs, 0);
    start(threads, callers, run_until_destroyed, network, network);
    while (atomic_load(&runs) < RUNS) usleep(100);
    CHECK(!fastdepth_destroy(network));
    join(threads);
    FAILS(fastdepth_destroy(network), "no such network is open");
    fastdepth *next = opened(1); /* where the first lay in memory, perhaps */
    FAILS(call(network, 1, 0), "no such network is open");
    FAILS(fastdepth_destroy(network), "no such network is open");
    CHECK(!call(next, 1, 0) && !fastdepth_destroy(next));
}

static void sides_are_known(void) {
    CHECK(fastdepth_height() == HEIGHT && fastdepth_width() == WIDTH);
    CHECK(!strcmp(fastdepth_dtype(), "f32") && !strcmp(fastdepth_describe(), "toy"));
}

/* Wrong files in place of the parameters, one of them a pipe that nobody writes to. */
static void parameters_must_be_a_file(void) {
    const char *const names[] = {"/dev/zero", "/dev/null", ".", "pipe"};
    CHECK(!mkfifo("pipe", 0600));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK(!fastdepth_create(names[i], 1));
        CHECK(strstr(fastdepth_error(), "not a regular file"));
    }
    CHECK(!fastdepth_create("missing", 1) && strstr(fastdepth_error(), "cannot be opened"));
    CHECK(!fastdepth_create("short", 1) && strstr(fastdepth_error(), "not 16 bytes"));
    CHECK(!fastdepth_create("long", 1) && strstr(fastdepth_error(), "not 16 bytes"));
    CHECK(!fastdepth_create("other", 1) && strstr(fastdepth_error(), "damaged, or of another build"));
}

static void misuse_is_an_error(void) {
    float image[CHANNELS * PIXELS] = {0}, depth[PIXELS];
    double seconds[STEPS];
    int seen = 0, threads[] = {0, -1, 1025, -2147483647 - 1, 2147483647};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        CHECK(!fastdepth_create(parameters, threads[i]));
        CHECK(strstr(fastdepth_error(), "threads; at least 1, at most 1024"));
    }
    CHECK(!fastdepth_create(NULL, 1) && strstr(fastdepth_error(), "parameters: NULL"));
    CHECK(!fastdepth_destroy(NULL));
    FAILS(fastdepth_run(NULL, image, depth), "no such network is open");
    FAILS(fastdepth_run((fastdepth *)(void *)image, image, depth), "no such network is open");
    fastdepth *network = opened(2);
    FAILS(fastdepth_run(network, NULL, depth), "image: NULL");
    FAILS(fastdepth_run(network, image, NULL), "depth: NULL");
    FAILS(fastdepth_time(network, image, depth, NULL), "seconds: NULL");
    FAILS(fastdepth_observe(network, image, depth, NULL, &seen), "observer: NULL");
    CHECK(!fastdepth_time(network, image, depth, seconds) && right(depth, 0));
    CHECK(!fastdepth_destroy(network));
}

static void meddle(void *context, int step, const float *result) {
    fastdepth **networks = context;
    (void)step, (void)result;
    for (int i = 0; i < 2; i++) {
        FAILS(call(networks[i], 1, 1), "called by an observer");
        FAILS(fastdepth_destroy(networks[i]), "called by an observer");
    }
}

static void observers_cannot_call_back(void) {
    float image[CHANNELS * PIXELS] = {0}, depth[PIXELS];
    fastdepth *networks[] = {opened(2), opened(1)};
    CHECK(!fastdepth_observe(networks[0], image, depth, meddle, networks) && right(depth, 0));
    for (int i = 0; i < 2; i++) CHECK(!call(networks[i], 5, 0) && !fastdepth_destroy(networks[i]));
}

static void use_in_child(fastdepth *network) {
    alarm(PATIENCE);
    for (int kind = 0; kind < 3; kind++) FAILS(call(network, 1, kind), "before this process was forked");
    FAILS(fastdepth_destroy(network), "before this process was forked");
    FAILS(fastdepth_destroy(network), "before this process was forked");
    fastdepth *mine = opened(1); /* one thread: sanitizers allow no more in a child */
    CHECK(mine != network && !call(mine, 3, 0) && !fastdepth_destroy(mine));
    _exit(0);
}

static void children_get_errors(void) {
    pthread_t threads[CALLERS];
    caller callers[CALLERS];
    fastdepth *network = opened(2);
    start(threads, callers, run_until_destroyed, network, network);
    for (int i = 0; i < FORKS; i++) {
        int status;
        pid_t child = fork();
        if (!child) use_in_child(network);
        CHECK(child > 0 && waitpid(child, &status, 0) == child && !status);
        CHECK(!call(network, 7, i));
    }
    CHECK(!fastdepth_destroy(network));
    join(threads);
}

int main(void) {
    alarm(5 * PATIENCE);
    callers_take_turns();
    destroyed_while_others_call();
    sides_are_known();
    parameters_must_be_a_file();
    misuse_is_an_error();
    observers_cannot_call_back();
    children_get_errors();
    return puts("every promise was kept") < 0;
}
