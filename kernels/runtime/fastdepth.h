/* FastDepth, compiled: one RGB image in, metres out. Needs the C library and nothing else.
 *
 * Threads: any number may call, on one network or on several. Calls on one network take turns, in the order in which they
 * came; several networks run at once. After fastdepth_create nothing is allocated, and the same image gives the same depth,
 * bit for bit, whatever the number of threads.
 *
 * Failures: a function that cannot do what it is asked returns NULL or -1 and changes nothing; fastdepth_error says why. That
 * holds for a network that is NULL, was destroyed (by this or another thread, twice or while the call waited for its turn)
 * or was never created; for a NULL in place of anything but an observer's context; for calls from within an observer; and
 * in the child of a fork for networks of its parent, which stay usable there. The child may create its own.
 *
 * Left to the caller: buffers of the stated size; that an observer neither waits for other calls on its network nor leaves
 * but by returning; that no thread is cancelled in a call. */
#ifndef FASTDEPTH_H
#define FASTDEPTH_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fastdepth fastdepth;

/* Open the network whose parameters are in that file. 1 <= threads <= 1024, the caller counted. NULL on failure. */
fastdepth *fastdepth_create(const char *parameters, int threads);

/* image: planar RGB in [0, 1], 3 x height x width floats. depth: height x width floats, metres. 0, or -1 on failure. */
int fastdepth_run(fastdepth *network, const float *image, float *depth);

/* The same, with a look at every step's result as it is written: channel blocks as in fastdepth_describe's "steps", of floats
 * where fastdepth_dtype is "f32", of uint8_t where it is "int8"; the last step's are floats in any case. */
typedef void (*fastdepth_observer)(void *context, int step, const void *result);
int fastdepth_observe(fastdepth *network, const float *image, float *depth, fastdepth_observer observer, void *context);

/* The same, with the seconds that every step took: as many as fastdepth_describe lists. */
int fastdepth_time(fastdepth *network, const float *image, float *depth, double *seconds);

/* Free its memory and threads, once the calls that came before are served; those that wait behind it fail. NULL does
 * nothing. 0, or -1 on failure. */
int fastdepth_destroy(fastdepth *network);

/* Sides of the image and of the depth, and what the kernels compute in: "f32" or "int8". An image and a depth are floats in any case. */
int fastdepth_height(void);
int fastdepth_width(void);
const char *fastdepth_dtype(void);

/* One line of JSON, which manifest.json repeats: {"model", "device", "lanes", "steps": [{"name", "channels", …}], …}. */
const char *fastdepth_describe(void);

/* Why the last call that failed on this thread did. */
const char *fastdepth_error(void);

#ifdef __cplusplus
}
#endif
#endif
