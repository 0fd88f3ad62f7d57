/* The toy network as tables for graphics processors; the made-up driver has its kernels computed here. */
#include <string.h>

#include "network.h"
#include "toy.h"

void fake_set_up(int, int, void (*)(const char *, const unsigned *, void **));

static float *data(void **arguments, int i) { return (float *)(uintptr_t) * (uint64_t *)arguments[i]; }

static void launched(const char *kernel, const unsigned *sizes, void **arguments) {
    (void)sizes;
    const float *x = data(arguments, 0);
    if (!strcmp(kernel, "first"))
        for (int i = 0; i < CHANNELS * PIXELS; i++) data(arguments, 2)[i] = 2 * x[i] + data(arguments, 1)[i / PIXELS];
    else
        for (int i = 0; i < PIXELS; i++) data(arguments, 1)[i] = x[i] + x[PIXELS + i] + x[2 * PIXELS + i];
}

__attribute__((constructor)) static void set_up(void) { fake_set_up(6, 2, launched); }

enum { IMAGE = CHANNELS * PIXELS * sizeof(float), DEPTH = PIXELS * sizeof(float) };

const step network_steps[] = {
    {"first", "first", {1, 1, 1}, {1, 1, 1}, 3, {{IN_IMAGE, 0}, {IN_PARAMETERS, 0}, {IN_ARENA, 64}}, 2, IMAGE},
    {"second", "second", {1, 1, 1}, {1, 1, 1}, 2, {{IN_ARENA, 64}, {IN_DEPTH, 0}}, 1, DEPTH},
};
const int network_height = HEIGHT, network_width = WIDTH, network_step_count = 2, network_capability[2] = {5, 2};
const size_t network_arena_bytes = 64 + IMAGE, network_image_bytes = IMAGE, network_depth_bytes = DEPTH;
const size_t network_parameter_bytes = 16;
const uint64_t network_parameter_hash = HASH;
const char network_dtype[] = "f32", network_description[] = "toy";
const char network_ptx[] = ".visible .entry first() {}\n.visible .entry second() {}\n";
