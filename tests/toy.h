/* A network small enough to work out by hand: depth = the sum over three channels of 2 * image + the channel's bias.
 * Whoever compiles it gives HASH, that of the parameters. */
enum { CHANNELS = 3, HEIGHT = 4, WIDTH = 8, PIXELS = HEIGHT * WIDTH };
