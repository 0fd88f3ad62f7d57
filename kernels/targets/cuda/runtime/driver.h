/* The part of NVIDIA's driver API that is used, found at run time, so that nothing of CUDA is needed to build. */
#ifndef FASTDEPTH_DRIVER_H
#define FASTDEPTH_DRIVER_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t device_pointer;
typedef void *handle;

/* name in the library, its arguments; all return 0 or an error's number */
#define DRIVER_CALLS(CALL)                                                                                              \
    CALL(cuInit, (unsigned flags))                                                                                      \
    CALL(cuGetErrorString, (int error, const char **text))                                                              \
    CALL(cuDeviceGet, (int *device, int ordinal))                                                                       \
    CALL(cuDeviceGetAttribute, (int *value, int attribute, int device))                                                 \
    CALL(cuDevicePrimaryCtxRetain, (handle *context, int device))                                                       \
    CALL(cuDevicePrimaryCtxRelease_v2, (int device))                                                                    \
    CALL(cuCtxPushCurrent_v2, (handle context))                                                                         \
    CALL(cuCtxPopCurrent_v2, (handle *context))                                                                         \
    CALL(cuModuleLoadDataEx, (handle *module, const void *image, unsigned count, int *options, void **values))          \
    CALL(cuModuleGetFunction, (handle *function, handle module, const char *name))                                      \
    CALL(cuModuleUnload, (handle module))                                                                               \
    CALL(cuMemAlloc_v2, (device_pointer *pointer, size_t bytes))                                                        \
    CALL(cuMemFree_v2, (device_pointer pointer))                                                                        \
    CALL(cuMemcpyHtoDAsync_v2, (device_pointer to, const void *from, size_t bytes, handle stream))                      \
    CALL(cuMemcpyDtoHAsync_v2, (void *to, device_pointer from, size_t bytes, handle stream))                            \
    CALL(cuStreamCreate, (handle *stream, unsigned flags))                                                              \
    CALL(cuStreamSynchronize, (handle stream))                                                                          \
    CALL(cuStreamDestroy_v2, (handle stream))                                                                           \
    CALL(cuEventCreate, (handle *event, unsigned flags))                                                                \
    CALL(cuEventRecord, (handle event, handle stream))                                                                  \
    CALL(cuEventElapsedTime, (float *milliseconds, handle from, handle to))                                             \
    CALL(cuEventDestroy_v2, (handle event))                                                                             \
    CALL(cuLaunchKernel, (handle function, unsigned blocks_x, unsigned blocks_y, unsigned blocks_z, unsigned threads_x,  \
                          unsigned threads_y, unsigned threads_z, unsigned shared, handle stream, void **arguments,     \
                          void **extra))

typedef struct {
#define FIELD(name, arguments) int(*name) arguments;
    DRIVER_CALLS(FIELD)
#undef FIELD
} driver;

/* The driver, opened; NULL after fail. */
const driver *driver_open(void);

/* 0 if `error` is 0; else -1 after a fail that says what was being done. */
int driver_failed(int error, const char *what);

#endif
