/* What the generated network.c hands to the runtime. */
#ifndef FASTDEPTH_NETWORK_H
#define FASTDEPTH_NETWORK_H

#include "constants.h"
#include "kernel.h"

/* The module's memory, laid out when it is compiled. */
extern char network_parameters[], network_arena[], network_image[], network_depth[], network_workspace[];
extern const size_t network_workspace_bytes; /* the most a task stages */

#endif
