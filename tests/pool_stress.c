/* Many short launches on one pool, and pools that come and go: every task must run exactly once, its data in sight. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

enum { LAUNCHES = 3000, MOST_TASKS = 64 };

typedef struct {
    int value;
    int ran[MOST_TASKS];
    int fail;
} work;

static int count_me(int id, environment *e, void *data) {
    work *w = data;
    char *scratch = pool_allocate(1, 0, 500, 2, 32);
    if (!scratch || pool_allocate(1, 0, 4096, 2, 32)) return -1; /* no more than was promised */
    memset(scratch, w->value, 500);
    w->ran[id] += e->tasks;
    for (int i = 0; i < 500; i++)
        if (scratch[i] != (char)w->value) return -1;
    pool_free(1, 0, scratch);
    return w->fail == id ? -1 : 0;
}

int main(void) {
    for (int threads = 1; threads <= 5; threads++) {
        pool *p = pool_create(threads, 512);
        if (!p) return 1;
        pool_enter(p);
        for (int n = 0; n < LAUNCHES; n++) {
            work w = {.value = n % 100, .fail = n % 7 ? -1 : 0};
            int status = pool_launch(count_me, &w, 0);
            if (status != (n % 7 ? 0 : -1)) return fprintf(stderr, "launch %d: status %d\n", n, status), 1;
            int tasks = w.ran[0];
            for (int id = 0; id < MOST_TASKS; id++)
                if (w.ran[id] != (id < tasks ? tasks : 0)) return fprintf(stderr, "task %d ran %d\n", id, w.ran[id]), 1;
        }
        pool_leave();
        pool_destroy(p);
    }
    return puts("every task ran once") < 0;
}
