/* What the runtimes for processors and for graphics processors each implement, and fastdepth.c makes safe to call. */
#ifndef FASTDEPTH_ENGINE_H
#define FASTDEPTH_ENGINE_H

#include "fastdepth.h"

typedef struct engine engine;

/* NULL after fail. */
engine *engine_open(const char *parameters, int threads);

/* One call at a time. The observer and the seconds may be NULL. 0, or -1 after fail. */
int engine_run(engine *, const float *image, float *depth, fastdepth_observer, void *context, double *seconds);

void engine_close(engine *);

/* Wait until every earlier call on that network is served; NULL after fail. Then, unless NULL, let the next one in. */
engine *turn_begin(fastdepth *network);
void turn_end(fastdepth *network);

#endif
