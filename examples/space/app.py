"""What a Hugging Face Space runs: the page of `zoo demo`, with both networks."""

from zoo.demo.page import Service, launch

if __name__ == "__main__":
    launch(Service(["fastdepth_pruned", "fastdepth"], [], threads=2))
