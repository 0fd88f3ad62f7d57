/* A pool of threads that live as long as the network. */
#ifndef FASTDEPTH_POOL_H
#define FASTDEPTH_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "kernel.h"

typedef struct pool pool;

/* `threads` counts the caller; each gets `workspace` bytes of scratch. NULL if that cannot be had. */
pool *pool_create(int threads, size_t workspace);
void pool_destroy(pool *);

/* From here to pool_leave, the calling thread's kernels share their work out over this pool. */
void pool_enter(pool *);
void pool_leave(void);

/* What kernels call. */
int pool_launch(task *run, void *data, int tasks);
void *pool_allocate(int device, int id, uint64_t bytes, int code, int bits);
int pool_free(int device, int id, void *pointer);

#endif
