/* FastDepth, compiled: one RGB image in, metres out. Needs the C library and nothing else.
 *
 * A network may be used by one thread at a time; several networks may run at once. After fastdepth_create nothing is
 * allocated, and the same image gives the same depth, bit for bit, whatever the number of threads. */
#ifndef FASTDEPTH_H
#define FASTDEPTH_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fastdepth fastdepth;

/* Open the network whose parameters are in that file. threads >= 1 counts the caller. NULL on failure. */
fastdepth *fastdepth_create(const char *parameters, int threads);

/* image: planar RGB in [0, 1], 3 x height x width floats. depth: height x width floats, metres. 0, or -1 on failure. */
int fastdepth_run(fastdepth *network, const float *image, float *depth);

/* The same, with a look at every step's result as it is written: channel blocks as in fastdepth_describe's "steps". */
typedef void (*fastdepth_observer)(void *context, int step, const float *result);
int fastdepth_observe(fastdepth *network, const float *image, float *depth, fastdepth_observer observer, void *context);

/* The same, with the seconds that every step took: as many as fastdepth_describe lists. */
int fastdepth_time(fastdepth *network, const float *image, float *depth, double *seconds);

void fastdepth_destroy(fastdepth *network);

/* One line of JSON: {"model", "device", "dtype", "height", "width", "lanes", "steps": [{"name", "channels", …}]}. */
const char *fastdepth_describe(void);

/* Why the last call on this thread failed. */
const char *fastdepth_error(void);

#ifdef __cplusplus
}
#endif
#endif
