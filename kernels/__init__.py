"""FastDepth's kernels: from a torch network to a library that needs neither torch nor TVM. Imported as zoo.kernels."""
