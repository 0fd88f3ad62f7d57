#include "common.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    struct stat is;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe without a writer is no reason to wait */
    if (file < 0) return fail("%s: cannot be opened", path), -1;
    bool regular = !fstat(file, &is) && S_ISREG(is.st_mode), whole = regular && is.st_size == (off_t)bytes;
    size_t got = 0;
    for (ssize_t n = 1; whole && got < bytes && n > 0; got += n > 0 ? (size_t)n : 0) n = read(file, into + got, bytes - got);
    close(file);
    if (!regular) return fail("%s: not a regular file", path), -1;
    if (!whole || got < bytes) return fail("%s: not %zu bytes; it belongs to another build", path, bytes), -1;
    if (hash_of(into, bytes) != hash) return fail("%s: damaged, or of another build", path), -1;
    return 0;
}
