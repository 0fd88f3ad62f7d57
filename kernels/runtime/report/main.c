/* Says what a board is, as "key: value": the lines of /proc/cpuinfo about the core it runs on, then what else Linux knows. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CACHES = 8 };

/* The first line of a file, or an empty text. */
static const char *first_line(const char *path, char line[256]) {
    line[0] = 0;
    FILE *file = fopen(path, "r");
    if (file) {
        if (!fgets(line, 256, file)) line[0] = 0;
        fclose(file);
    }
    line[strcspn(line, "\n")] = 0;
    return line;
}

static void print_core(int core) {
    char line[4096];
    int number, mine = 0;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "processor : %d", &number) == 1) mine = number == core;
        if (mine) fputs(line, stdout);
    }
    if (file) fclose(file);
}

static void print_cache(int core, int index) {
    char path[128], level[256], kind[256], size[256];
    const char *names[] = {"level", "type", "size"};
    char *texts[] = {level, kind, size};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/%s", core, index, names[i]);
        first_line(path, texts[i]);
    }
    printf("%s%c: %s\n", level, kind[0] ? kind[0] : '?', size);
}

int main(void) {
    char line[256], path[128];
    int core = sched_getcpu();
    if (core < 0) core = 0;
    print_core(core);
    printf("board: %s\n", first_line("/proc/device-tree/model", line));
    printf("cores: %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/cpuinfo_max_freq", core);
    printf("khz: %s\n", first_line(path, line));
    for (int i = 0; i < CACHES; i++) print_cache(core, i);
    return 0;
}
