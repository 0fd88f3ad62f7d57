/* What this processor and its operating system offer, asked of the processor itself. */
#include <string.h>

#include "network.h"

#if defined(__x86_64__)
#include <cpuid.h>

static const struct {
    const char *name;
    unsigned leaf, bit, state; /* state: bits of XCR0 the system must save for these registers */
    enum { EBX, ECX, EAX_OF_1 } in; /* the last: of the leaf's second page */
} FEATURES[] = {
    {"sse4.2", 1, 20, 0, ECX},       {"fma", 1, 12, 0x06, ECX},       {"avx2", 7, 5, 0x06, EBX},
    {"avx512f", 7, 16, 0xe6, EBX},   {"avx512dq", 7, 17, 0xe6, EBX},  {"avx512cd", 7, 28, 0xe6, EBX},
    {"avx512bw", 7, 30, 0xe6, EBX},  {"avx512vl", 7, 31, 0xe6, EBX},  {"avx512vbmi", 7, 1, 0xe6, ECX},
    {"avx512_vnni", 7, 11, 0xe6, ECX}, {"avx_vnni", 7, 4, 0x06, EAX_OF_1},
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
        if (!__get_cpuid_count(FEATURES[i].leaf, FEATURES[i].in == EAX_OF_1, &a, &b, &c, &d)) return 0;
        unsigned bits = FEATURES[i].in == EBX ? b : FEATURES[i].in == ECX ? c : a;
        return (bits >> FEATURES[i].bit & 1) && (saved_state() & FEATURES[i].state) == FEATURES[i].state;
    }
    return 0;
}
#elif defined(__aarch64__)
#include <sys/auxv.h>

static const struct {
    const char *name;
    unsigned long of; /* AT_HWCAP or AT_HWCAP2 */
    unsigned bit; /* as Linux counts them */
} FEATURES[] = {{"asimd", AT_HWCAP, 1},
                {"atomics", AT_HWCAP, 8},
                {"asimdhp", AT_HWCAP, 10},
                {"asimddp", AT_HWCAP, 20},
                {"i8mm", AT_HWCAP2, 13}};

static int has(const char *name) {
    for (size_t i = 0; i < sizeof FEATURES / sizeof *FEATURES; i++)
        if (!strcmp(FEATURES[i].name, name)) return getauxval(FEATURES[i].of) >> FEATURES[i].bit & 1;
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
