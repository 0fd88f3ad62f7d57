/* What the runtimes for processors and for graphics processors share: the last error, and the file of parameters. */
#ifndef FASTDEPTH_COMMON_H
#define FASTDEPTH_COMMON_H

#include <stddef.h>
#include <stdint.h>

/* Note why the call on this thread fails; NULL, for the caller to return. */
void *fail(const char *format, ...);

/* Append to that note, as far as there is room. */
void fail_more(const char *text);

/* Fill `into` with the whole of a file that must be of that size and hash; 0, or -1 after fail. */
int read_parameters(const char *path, char *into, size_t bytes, uint64_t hash);

#endif
