"""The plan and what is derived from it: workloads, rewrites, memory, the reference interpreter."""
