"""The one exception a user is meant to read; those of `zoo.kernels` are kinds of it."""

from .kernels.errors import ZooError as ZooError
