/* cc depth.c -I build/host -L build/host -lfastdepth -o depth && LD_LIBRARY_PATH=build/host ./depth build/host/parameters.bin */
#include <stdio.h>

#include "fastdepth.h"

int main(int count, char **words) {
    static float image[3 * 224 * 224], depth[224 * 224]; /* planar RGB in [0, 1]; metres */
    for (int i = 0; i < 3 * 224 * 224; i++) image[i] = 0.5f;
    fastdepth *network = fastdepth_create(count > 1 ? words[1] : "parameters.bin", 1);
    if (!network || fastdepth_run(network, image, depth)) return fprintf(stderr, "%s\n", fastdepth_error()), 1;
    printf("the centre of a grey image is %.3f m away\n", depth[112 * 224 + 112]);
    fastdepth_destroy(network);
    return 0;
}
