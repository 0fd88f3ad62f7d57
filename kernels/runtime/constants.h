/* What the generated network.c says of the network, for processors and for graphics processors alike. */
#ifndef FASTDEPTH_CONSTANTS_H
#define FASTDEPTH_CONSTANTS_H

#include <stddef.h>
#include <stdint.h>

extern const int network_height, network_width, network_step_count;
extern const size_t network_arena_bytes, network_image_bytes, network_depth_bytes, network_parameter_bytes;
extern const uint64_t network_parameter_hash;
extern const char network_dtype[], network_description[];

#endif
