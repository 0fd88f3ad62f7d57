/** A picture as programs without a canvas have it: RGBA bytes, row by row. */
export interface Pixels {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly width: number;
  readonly height: number;
}

export type Picture = Pixels | ImageData | ImageBitmap | HTMLImageElement | HTMLVideoElement | HTMLCanvasElement | Blob;

export interface Depth {
  /** Metres along the camera's axis, height x width, row by row. */
  depth: Float32Array;
  width: number;
  height: number;
  /** The smallest and the largest depth, metres. */
  near: number;
  far: number;
  /** The network alone, and with scaling to its input and back. */
  milliseconds: { network: number; whole: number };
}

export interface Options {
  /** Stops the download; open then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Bytes so far and in all. */
  onProgress?: (progress: { loaded: number; total: number }) => void;
  /** In a thread of its own; default: where there is Worker. */
  worker?: boolean;
}

export declare class FastDepth {
  private constructor();
  /** Open the network in a folder that zoo compile made; default: the folder of this module. */
  static open(url?: string | URL, options?: Options): Promise<FastDepth>;
  /** Sides of the network's input and of its depth. */
  readonly height: number;
  readonly width: number;
  /** What the kernels compute in: "f32". */
  readonly dtype: string;
  /** The file that runs: with relaxed SIMD where this host has it. */
  readonly module: "fastdepth-relaxed.wasm" | "fastdepth.wasm";
  readonly model: { name: string; weights_sha256?: string; status: string };
  readonly steps: readonly { name: string; workload: string; channels: number; height: number; width: number }[];
  /** Depth at the picture's own size. Calls are served in turn. */
  predict(picture: Picture): Promise<Depth>;
  /** The network alone: planar RGB in [0, 1], 3 x height x width -> height x width metres. */
  run(image: Float32Array): Promise<Float32Array>;
  /** Free memory and thread; calls that wait are rejected. */
  close(reason?: Error): void;
}

/** The whole picture as the network's input, planar RGB in [0, 1]: what predict does. */
export declare function whole(picture: Pixels, height: number, width: number): Float32Array;
/** The published evaluation recipe: centre crop, nearest neighbour. */
export declare function published(picture: Pixels, height: number, width: number): Float32Array;
