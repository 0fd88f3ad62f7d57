/* A picture in, depth out, and how long it took: all that a board without Python needs.
 *
 *   ./fastdepth photo.ppm -o depth.pgm            binary PPM (P6) in, 16-bit PGM out, millimetres
 *   ./fastdepth photo.ppm -o depth.pfm            float32 metres out
 *   ./fastdepth photo.ppm --threads 4 --repeat 50
 *
 * The whole picture is squeezed to the network's input, each pixel the weighted mean of those it covers, as zoo predict
 * does it. The parameters lie beside the program. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fastdepth.h"

#define LARGEST 20000 /* sides beyond this are taken for a damaged header */

static int fail(const char *what, const char *why) {
    fprintf(stderr, "error: %s: %s\n", what, why);
    return 2;
}

/* The next number of a PPM header, past blanks and comments; -1 where there is none. */
static int number(FILE *file) {
    int c = fgetc(file), value = 0, digits = 0;
    while (c == '#' || c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        if (c == '#')
            while (c != '\n' && c != EOF) c = fgetc(file);
        c = fgetc(file);
    }
    for (; c >= '0' && c <= '9' && digits < 6; c = fgetc(file), digits++) value = value * 10 + c - '0';
    return digits ? value : -1;
}

static unsigned char *read_ppm(const char *path, int *height, int *width, const char **why) {
    FILE *file = fopen(path, "rb");
    *why = "cannot be opened";
    if (!file) return NULL;
    *why = "not a binary PPM (P6) of 8 bits; make one with: convert photo.jpg photo.ppm";
    unsigned char *pixels = NULL;
    if (fgetc(file) == 'P' && fgetc(file) == '6') {
        *width = number(file), *height = number(file);
        if (number(file) == 255 && *width > 0 && *height > 0 && *width <= LARGEST && *height <= LARGEST) {
            size_t size = (size_t)*width * *height * 3;
            *why = "damaged: it ends too early";
            pixels = malloc(size);
            if (pixels && fread(pixels, 1, size, file) != size) free(pixels), pixels = NULL;
        }
    }
    fclose(file);
    return pixels;
}

/* One line of `from` values, `step` apart, to `to` values: a triangle as wide as what an output pixel covers. */
static void squeeze(const float *in, int from, int step, float *out, int to) {
    float scale = (float)from / to, reach = scale > 1 ? scale : 1;
    for (int i = 0; i < to; i++) {
        float centre = (i + 0.5f) * scale, sum = 0, total = 0;
        int first = (int)(centre - reach + 0.5f), last = (int)(centre + reach + 0.5f);
        for (int j = first < 0 ? 0 : first; j < last && j < from; j++) {
            float weight = 1 - fabsf(j + 0.5f - centre) / reach;
            if (weight > 0) sum += weight * in[(size_t)j * step], total += weight;
        }
        out[(size_t)i * step] = sum / total;
    }
}

/* (height, width, 3) bytes to planar (3, h, w) in [0, 1]: rows first, then columns. */
static int whole(const unsigned char *pixels, int height, int width, float *image, int h, int w) {
    float *line = malloc(sizeof(float) * width), *rows = malloc(sizeof(float) * w * height);
    float *column = malloc(sizeof(float) * w * h);
    for (int c = 0; c < 3 && line && rows && column; c++) {
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) line[x] = pixels[((size_t)y * width + x) * 3 + c] / 255.0f;
            squeeze(line, width, 1, rows + (size_t)y * w, w);
        }
        for (int x = 0; x < w; x++) squeeze(rows + x, height, w, column + x, h);
        memcpy(image + (size_t)c * h * w, column, sizeof(float) * w * h);
    }
    int done = line && rows && column;
    free(line), free(rows), free(column);
    return done;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Metres as they are; a PFM's rows go upwards. */
static int write_pfm(const char *path, const float *depth, int h, int w) {
    FILE *file = fopen(path, "wb");
    if (!file) return 0;
    fprintf(file, "Pf\n%d %d\n-1.0\n", w, h);
    for (int y = h; y-- > 0;) fwrite(depth + (size_t)y * w, sizeof *depth, w, file);
    int fine = !ferror(file);
    return !fclose(file) && fine;
}

static int write_pgm(const char *path, const float *depth, int h, int w) {
    FILE *file = fopen(path, "wb");
    if (!file) return 0;
    fprintf(file, "P5\n%d %d\n65535\n", w, h);
    for (int i = 0; i < h * w; i++) {
        float millimetres = depth[i] * 1000 + 0.5f;
        uint16_t value = millimetres < 0 ? 0 : millimetres > 65535 ? 65535 : (uint16_t)millimetres;
        fputc(value >> 8, file), fputc(value & 255, file);
    }
    int fine = !ferror(file);
    return !fclose(file) && fine;
}

/* A whole number from 1 to `most`, or -1. */
static int count_in(const char *word, int most) {
    char *end;
    long value = strtol(word, &end, 10);
    return *word && !*end && value >= 1 && value <= most ? (int)value : -1;
}

int main(int count, char **words) {
    const char *photo = NULL, *out = NULL, *why = "";
    int threads = 1, repeat = 1, height, width;
    for (int i = 1; i < count; i++) {
        const char *next = i + 1 < count ? words[i + 1] : NULL;
        if (!strcmp(words[i], "-o") && next) out = next, i++;
        else if (!strcmp(words[i], "--threads") && next) threads = count_in(next, 64), i++;
        else if (!strcmp(words[i], "--repeat") && next) repeat = count_in(next, 1000000), i++;
        else if (words[i][0] != '-' && !photo) photo = words[i];
        else return fail(words[i], "not understood");
    }
    if (!photo || threads < 0 || repeat < 0)
        return fail("usage", "fastdepth PHOTO.ppm [-o DEPTH.pgm] [--threads N] [--repeat N]");
    unsigned char *pixels = read_ppm(photo, &height, &width, &why);
    if (!pixels) return fail(photo, why);

    const char *slash = strrchr(words[0], '/');
    char parameters[4096];
    snprintf(parameters, sizeof parameters, "%.*sparameters.bin", slash ? (int)(slash - words[0] + 1) : 0, words[0]);
    fastdepth *network = fastdepth_create(parameters, threads);
    if (!network) return fail(parameters, fastdepth_error());

    int h = fastdepth_height(), w = fastdepth_width();
    float *image = malloc(sizeof(float) * 3 * h * w), *depth = malloc(sizeof(float) * h * w);
    double *times = malloc(sizeof(double) * repeat);
    if (!image || !depth || !times || !whole(pixels, height, width, image, h, w)) return fail(photo, "out of memory");
    for (int i = 0; i < repeat; i++) {
        struct timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        if (fastdepth_run(network, image, depth)) return fail(photo, fastdepth_error());
        clock_gettime(CLOCK_MONOTONIC, &after);
        times[i] = (after.tv_sec - before.tv_sec) * 1e3 + (after.tv_nsec - before.tv_nsec) / 1e6;
    }
    qsort(times, repeat, sizeof *times, by_value);
    printf("%d x %d, centre %.3f m, %d thread%s, median of %d: %.2f ms\n", w, h, depth[h / 2 * w + w / 2], threads,
           threads > 1 ? "s" : "", repeat, times[repeat / 2]);
    const char *kind = out ? strrchr(out, '.') : NULL;
    int metres = kind && !strcmp(kind, ".pfm");
    if (out && !(metres ? write_pfm : write_pgm)(out, depth, h, w)) return fail(out, "cannot be written");
    fastdepth_destroy(network);
    free(pixels), free(image), free(depth), free(times);
    return 0;
}
