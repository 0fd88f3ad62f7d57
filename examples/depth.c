/* cc depth.c -I build/host -L build/host -lfastdepth -o depth && LD_LIBRARY_PATH=build/host ./depth build/host/parameters.bin */
#include <stdio.h>
#include <stdlib.h>

#include "fastdepth.h"

int main(int count, char **words) {
    int height = fastdepth_height(), width = fastdepth_width(), pixels = height * width;
    float *image = malloc(sizeof(float) * 3 * pixels), *depth = malloc(sizeof(float) * pixels);
    for (int i = 0; image && i < 3 * pixels; i++) image[i] = 0.5f; /* planar RGB in [0, 1] */
    fastdepth *network = fastdepth_create(count > 1 ? words[1] : "parameters.bin", 1);
    if (!network || fastdepth_run(network, image, depth)) return fprintf(stderr, "%s\n", fastdepth_error()), 1;
    printf("the centre of a grey image is %.3f m away\n", depth[height / 2 * width + width / 2]);
    fastdepth_destroy(network);
    free(image), free(depth);
    return 0;
}
