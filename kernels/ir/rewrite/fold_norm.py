"""Batch normalisation folds into the convolution before it."""

from dataclasses import replace

import numpy as np

from ..plan import Plan


def fold_norm(plan: Plan) -> Plan:
    """norm(W x) = gamma (W x - mean) / deviation + beta = (gamma / deviation) W x + (beta - gamma mean / deviation).

    Holds always: in inference a normalisation is one affine map per output channel, and the convolution is linear.
    """
    parameters = dict(plan.parameters)
    steps = []
    for step in plan.steps:
        if step.normalised:
            gamma, beta, mean, variance = (
                parameters.pop(f"{step.name}.{key}").astype(np.float64) for key in ("gamma", "beta", "mean", "variance")
            )
            factor = gamma / np.sqrt(variance)
            weight = parameters[f"{step.name}.weight"] * factor[:, None, None, None]
            parameters[f"{step.name}.weight"] = weight.astype(np.float32)
            parameters[f"{step.name}.bias"] = (beta - mean * factor).astype(np.float32)
            step = replace(step, normalised=False)
        steps.append(step)
    return replace(plan, steps=tuple(steps), parameters=parameters)
