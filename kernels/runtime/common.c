#include "common.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fastdepth.h"

static _Thread_local char message[512];

const char *fastdepth_error(void) { return message; }

void *fail(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    return NULL;
}

void fail_more(const char *text) {
    size_t used = strlen(message);
    snprintf(message + used, sizeof message - used, "%s", text);
}

static uint64_t hash_of(const char *data, size_t bytes) { /* FNV-1a over 64-bit words; the file is padded to whole words */
    uint64_t state = 0xcbf29ce484222325u, word;
    for (size_t i = 0; i + sizeof word <= bytes; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        state = (state ^ word) * 0x100000001b3u;
    }
    return state;
}

int read_parameters(const char *path, char *into, size_t bytes, uint64_t hash) {
    FILE *file = fopen(path, "rb");
    if (!file) return fail("%s: cannot be opened", path), -1;
    size_t got = fread(into, 1, bytes, file);
    int whole = got == bytes && fgetc(file) == EOF;
    fclose(file);
    if (!whole) return fail("%s: not %zu bytes; it belongs to another build", path, bytes), -1;
    if (hash_of(into, bytes) != hash) return fail("%s: damaged, or of another build", path), -1;
    return 0;
}
