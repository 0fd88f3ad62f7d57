/* The network as a WebAssembly module: one thread, no imports, no C library, memory that never grows.
 *
 * The host writes the parameters where fastdepth_parameters says and calls fastdepth_open. From then on it writes an image,
 * calls fastdepth_run and reads the depth. Calls that fail return -1, and fastdepth_error says why. */
#include "network.h"

#define EXPORT(name) __attribute__((export_name(#name)))

enum { LINE = 64 };

static char message[256];
static size_t used; /* of the workspace */

/* What a compiler puts in place of loops; with bulk memory both are one instruction. */
void *memset(void *to, int value, size_t bytes) { return __builtin_memset(to, value, bytes); }
void *memcpy(void *to, const void *from, size_t bytes) { return __builtin_memcpy(to, from, bytes); }

static size_t append(size_t at, const char *text) {
    for (; text && *text && at + 1 < sizeof message; text++) message[at++] = *text;
    message[at] = 0;
    return at;
}

static int fail(const char *text) {
    append(0, text);
    return -1;
}

/* What kernels call: one task does all the work, and allocates and frees like a stack. */
static int launch(task *run, void *data, int tasks) {
    (void)tasks;
    environment e = {NULL, 1};
    used = 0;
    return run(0, &e, data) ? -1 : 0;
}

static void *allocate(int device, int id, uint64_t bytes, int code, int bits) {
    (void)device, (void)id, (void)code, (void)bits;
    bytes = (bytes + LINE - 1) / LINE * LINE;
    if (bytes > network_workspace_bytes - used) return NULL;
    char *pointer = network_workspace + used;
    used += (size_t)bytes;
    return pointer;
}

static int release(int device, int id, void *pointer) {
    (void)device, (void)id;
    used = (size_t)((char *)pointer - network_workspace);
    return 0;
}

void TVMFFIErrorSetRaisedFromCStrParts(const char *kind, const char **parts, int32_t count) {
    size_t at = append(append(0, kind), ": ");
    for (int32_t i = 0; i < count; i++) at = append(at, parts[i]);
}

/* FNV-1a over 64-bit words; the parameters are padded to whole words. */
static uint64_t hash_of(const char *data, size_t bytes) {
    uint64_t state = 0xcbf29ce484222325u, word;
    for (size_t i = 0; i + sizeof word <= bytes; i += sizeof word) {
        __builtin_memcpy(&word, data + i, sizeof word);
        state = (state ^ word) * 0x100000001b3u;
    }
    return state;
}

EXPORT(fastdepth_parameters) char *fastdepth_parameters(void) { return network_parameters; }
EXPORT(fastdepth_parameter_bytes) size_t fastdepth_parameter_bytes(void) { return network_parameter_bytes; }
EXPORT(fastdepth_image) float *fastdepth_image(void) { return (float *)network_image; }
EXPORT(fastdepth_depth) float *fastdepth_depth(void) { return (float *)network_depth; }
EXPORT(fastdepth_describe) const char *fastdepth_describe(void) { return network_description; }
EXPORT(fastdepth_error) const char *fastdepth_error(void) { return message; }

EXPORT(fastdepth_open) int fastdepth_open(void) {
    if (hash_of(network_parameters, network_parameter_bytes) != network_parameter_hash)
        return fail("the parameters are damaged, or of another build");
    __TVMBackendParallelLaunch = launch;
    __TVMBackendAllocWorkspace = allocate;
    __TVMBackendFreeWorkspace = release;
    return 0;
}

/* One step of fastdepth_describe's "steps", which reads what those before it wrote. */
EXPORT(fastdepth_step) int fastdepth_step(int i) {
    if (!__TVMBackendParallelLaunch) return fail("not open");
    if (i < 0 || i >= network_step_count) return fail("no such step");
    const step *s = &network_steps[i];
    char *const places[] = {network_arena, network_parameters, network_image, network_depth};
    tensor tensors[MOST_OPERANDS];
    argument arguments[MOST_OPERANDS], result = {0};
    for (int j = 0; j < s->count; j++) {
        tensors[j] = tensor_at(&s->operands[j], places[s->operands[j].where]);
        arguments[j] = argument_of(&tensors[j]);
    }
    return s->run(NULL, arguments, s->count, &result) ? -1 : 0;
}

EXPORT(fastdepth_run) int fastdepth_run(void) {
    for (int i = 0; i < network_step_count; i++)
        if (fastdepth_step(i)) return -1;
    return 0;
}
