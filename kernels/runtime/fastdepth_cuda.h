/* FastDepth, compiled for a graphics processor: fastdepth.h, and calls whose memory is the GPU's own.
 *
 * Needs the C library and NVIDIA's driver (libcuda.so.1), found when the first network is opened. The number of threads given
 * to fastdepth_create has no effect. The child of a fork that follows has no GPU: CUDA's rule, and an error there. */
#ifndef FASTDEPTH_CUDA_H
#define FASTDEPTH_CUDA_H

#include <stdint.h>

#include "fastdepth.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As fastdepth_run, with addresses that the GPU can read and write (CUdeviceptr): on a Jetson, where processor and GPU share
 * their memory, nothing is copied. Returns when the depth is there. */
int fastdepth_run_device(fastdepth *network, uint64_t image, uint64_t depth);

#ifdef __cplusplus
}
#endif
#endif
