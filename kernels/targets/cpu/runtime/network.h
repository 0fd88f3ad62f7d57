/* What the generated network.c hands to the runtime. */
#ifndef FASTDEPTH_NETWORK_H
#define FASTDEPTH_NETWORK_H

#include "constants.h"
#include "kernel.h"

extern const size_t network_workspace_bytes; /* the most a task stages */
extern const char *const network_requires[]; /* CPU features the kernels use, then NULL */

/* Give the kernels what they call. */
void kernels_connect(void);

/* The first of these that this machine does not have, or NULL. */
const char *features_missing(const char *const *required);

#endif
