/* What this machine can do at most: multiply-adds in registers, and bytes through memory. Prints GMAC/s and GB/s. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHAINS = 12, ROUNDS = 4000000, WORDS = 1 << 23, COPIES = 6, TRIES = 5, MOST = 64 };
typedef float vector __attribute__((vector_size(4 * LANES)));

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *multiply(void *unused) {
    vector a[CHAINS], b = {0}, c = {0};
    for (int j = 0; j < CHAINS; j++) a[j] = b + (float)j;
    b += 0.5f;
    for (int i = 0; i < ROUNDS; i++)
        for (int j = 0; j < CHAINS; j++) {
            a[j] = a[j] * b + c;
            __asm__ volatile("" : "+" REGISTER(a[j])); /* every step is really taken */
        }
    static _Thread_local volatile float sink;
    for (int j = 0; j < CHAINS; j++) sink = a[j][0];
    return unused;
}

static float *from[MOST], *to[MOST];

static void *copy(void *index) {
    size_t i = (size_t)index;
    for (int n = 0; n < COPIES; n++) memcpy(n % 2 ? from[i] : to[i], n % 2 ? to[i] : from[i], WORDS * sizeof(float));
    return NULL;
}

static double best(void *(*work)(void *), int threads) {
    double least = 1e9;
    for (int n = 0; n < TRIES; n++) {
        pthread_t made[MOST];
        double began = now();
        for (size_t i = 1; i < (size_t)threads; i++) pthread_create(&made[i], NULL, work, (void *)i);
        work(0);
        for (int i = 1; i < threads; i++) pthread_join(made[i], NULL);
        if (now() - began < least) least = now() - began;
    }
    return least;
}

int main(int count, char **words) {
    int threads = count > 1 ? atoi(words[1]) : 1;
    if (threads < 1 || threads > MOST) return 1;
    for (int i = 0; i < threads; i++) {
        from[i] = calloc(WORDS, sizeof(float));
        to[i] = calloc(WORDS, sizeof(float));
        if (!from[i] || !to[i]) return 1;
    }
    double moved = 2.0 * COPIES * WORDS * sizeof(float); /* read and written */
    printf("%.2f %.2f\n", threads * (double)CHAINS * ROUNDS * LANES / best(multiply, threads) / 1e9,
           threads * moved / best(copy, threads) / 1e9);
    return 0;
}
