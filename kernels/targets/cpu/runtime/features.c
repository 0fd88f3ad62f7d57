/* What this processor and its operating system offer, asked of the processor itself. */
#include <string.h>

#include "network.h"

#if defined(__x86_64__)
#include <cpuid.h>

static const struct {
    const char *name;
    unsigned leaf, bit, state; /* state: bits of XCR0 the system must save for these registers */
    enum { EBX, ECX } in;
} FEATURES[] = {
    {"sse4.2", 1, 20, 0, ECX},       {"fma", 1, 12, 0x06, ECX},       {"avx2", 7, 5, 0x06, EBX},
    {"avx512f", 7, 16, 0xe6, EBX},   {"avx512dq", 7, 17, 0xe6, EBX},  {"avx512cd", 7, 28, 0xe6, EBX},
    {"avx512bw", 7, 30, 0xe6, EBX},  {"avx512vl", 7, 31, 0xe6, EBX},  {"avx512vbmi", 7, 1, 0xe6, ECX},
    {"avx512_vnni", 7, 11, 0xe6, ECX},
};

static unsigned saved_state(void) {
    unsigned a, b, c, d, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(a), "=d"(high) : "c"(0));
    return a;
}

static int has(const char *name) {
    for (size_t i = 0; i < sizeof FEATURES / sizeof *FEATURES; i++) {
        if (strcmp(FEATURES[i].name, name)) continue;
        unsigned a, b, c, d;
        if (!__get_cpuid_count(FEATURES[i].leaf, 0, &a, &b, &c, &d)) return 0;
        unsigned bits = FEATURES[i].in == EBX ? b : c;
        return (bits >> FEATURES[i].bit & 1) && (saved_state() & FEATURES[i].state) == FEATURES[i].state;
    }
    return 0;
}
#elif defined(__aarch64__)
#include <sys/auxv.h>

static const struct {
    const char *name;
    unsigned bit; /* of AT_HWCAP, as Linux counts them */
} FEATURES[] = {{"asimd", 1}, {"atomics", 8}, {"asimdhp", 10}, {"asimddp", 20}};

static int has(const char *name) {
    for (size_t i = 0; i < sizeof FEATURES / sizeof *FEATURES; i++)
        if (!strcmp(FEATURES[i].name, name)) return getauxval(AT_HWCAP) >> FEATURES[i].bit & 1;
    return 0;
}
#else
static int has(const char *name) { return (void)name, 1; }
#endif

const char *features_missing(const char *const *required) {
    for (; *required; required++)
        if (!has(*required)) return *required;
    return NULL;
}
