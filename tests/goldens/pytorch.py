"""Golden trajectories, learning rates and clipped gradients of PyTorch: writes pytorch.toml beside this file.

    pip install numpy==2.4.6 torch==2.15.0 && python tests/goldens/pytorch.py

Everything is float64, with the function and the start of optimizers.py. Settings have their names in paribus. PyTorch has no
Lion, so it is written out here as in the authors' lion_pytorch.py. Numbers are written with the digits that read back
as the same double.
"""

import warnings
from pathlib import Path

import numpy as np
import torch
from torch.optim import SGD, Adadelta, Adagrad, Adam, AdamW, NAdam, RMSprop
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

from optimizers import COUPLING, CURVATURE, START, gradient, numbers

STEPS = 60
torch.set_default_dtype(torch.float64)
warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
warnings.filterwarnings("ignore", message="The epoch parameter in `scheduler.step")


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                p.mul_(1 - group["lr"] * group["weight_decay"])
                mean = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                update = mean * beta1 + p.grad * (1 - beta1)
                p.add_(update.sign(), alpha=-group["lr"])
                mean.mul_(beta2).add_(p.grad, alpha=1 - beta2)


def betas(beta1=0.9, beta2=0.999):
    return {"betas": (beta1, beta2)}


def decay(rest):
    return {"weight_decay": rest.pop("decoupled_weight_decay")} if "decoupled_weight_decay" in rest else {}


def split(settings, *names):
    """The settings with these names, and the others."""
    return {k: v for k, v in settings.items() if k in names}, {k: v for k, v in settings.items() if k not in names}


def with_betas(optimizer, **fixed):
    def make(params, settings):
        own, rest = split(settings, "beta1", "beta2")
        pair = betas(**own) if own else {}
        return optimizer(params, **pair, **decay(rest), **rest, **fixed)

    return make


def with_decay_named(optimizer, name):
    def make(params, settings):
        own, rest = split(settings, "decay")
        return optimizer(params, **({name: own["decay"]} if own else {}), **rest)

    return make


def plainly(optimizer, **fixed):
    return lambda params, settings: optimizer(params, **settings, **fixed)


MAKERS = {
    "sgd": plainly(SGD),
    "momentum": plainly(SGD),
    "nesterov": plainly(SGD, nesterov=True),
    "adagrad": plainly(Adagrad),
    "rmsprop": with_decay_named(RMSprop, "alpha"),
    "adam": with_betas(Adam),
    "adamw": with_betas(AdamW),
    "nadam": with_betas(NAdam),
    "amsgrad": with_betas(Adam, amsgrad=True),
    "adadelta": with_decay_named(Adadelta, "rho"),
    "lion": with_betas(Lion),
}

# The optimizer, its settings, and how its learning rate changes. Settings with the same default in both programs are
# left out.
TRAJECTORIES = [
    ("sgd", {"lr": 0.05}, {}),
    ("momentum", {"lr": 0.01, "momentum": 0.9}, {}),
    ("nesterov", {"lr": 0.01, "momentum": 0.9}, {}),
    ("adagrad", {"lr": 0.5, "eps": 1e-7}, {}),
    ("rmsprop", {"lr": 0.01, "eps": 1e-7}, {}),
    # If nothing is added to the roots, it does not matter to which.
    ("adam", {"eps": 1e-100}, {}),
    ("adam", {"lr": 0.1, "beta1": 0.8, "beta2": 0.95, "eps": 1e-100}, {}),
    ("adamw", {}, {}),
    ("adamw", {"lr": 0.1, "beta1": 0.8, "beta2": 0.95, "eps": 0.01, "decoupled_weight_decay": 0.5}, {}),
    ("adamw", {"lr": 0.03, "eps": 1e-7, "decoupled_weight_decay": 0.0}, {}),
    ("nadam", {}, {}),
    ("nadam", {"lr": 0.05, "beta1": 0.7, "beta2": 0.9, "eps": 0.001}, {}),
    ("nadam", {"lr": 0.01, "beta1": 0.99}, {}),
    ("amsgrad", {}, {}),
    ("amsgrad", {"lr": 0.1, "beta1": 0.8, "beta2": 0.9, "eps": 0.001}, {}),
    ("adadelta", {}, {}),
    ("adadelta", {"lr": 0.5, "decay": 0.95, "eps": 0.001}, {}),
    ("lion", {}, {}),
    ("lion", {"lr": 0.01, "beta1": 0.8, "beta2": 0.9, "decoupled_weight_decay": 0.5}, {}),
    ("sgd", {"lr": 0.05}, {"schedule": ("step", {"every": 20, "factor": 0.5})}),
    ("adamw", {"lr": 0.03}, {"schedule": ("cosine", {"over": 50, "min_lr": 0.001}), "warm_up": 10}),
    ("nadam", {"lr": 0.03}, {"schedule": ("one-cycle", {"over": 60})}),
    ("lion", {"lr": 0.01, "decoupled_weight_decay": 1.0}, {"schedule": ("exponential", {"factor": 0.95})}),
]

SCHEDULES = [
    (0.1, {}),
    (0.1, {"warm_up": 20}),
    (0.1, {"schedule": ("step", {"every": 7})}),
    (0.3, {"schedule": ("step", {"every": 25, "factor": 0.5}), "warm_up": 1}),
    (0.3, {"schedule": ("exponential", {"factor": 0.9})}),
    (1e-6, {"schedule": ("exponential", {"factor": 1.25}), "warm_up": 7}),
    (0.1, {"schedule": ("cosine", {"over": 60})}),
    (0.1, {"schedule": ("cosine", {"over": 47, "min_lr": 0.003}), "warm_up": 13}),
    (0.1, {"schedule": ("one-cycle", {"over": 60})}),
    (3.0, {"schedule": ("one-cycle", {"over": 60, "rise": 0.45, "start_divisor": 7.0, "end_divisor": 50.0})}),
]


def schedule_of(optimizer, lr, lr_schedule):
    kind, settings = lr_schedule.get("schedule", ("constant", {}))
    rename = {
        "every": "step_size",
        "factor": "gamma",
        "over": "total_steps" if kind == "one-cycle" else "T_max",
        "min_lr": "eta_min",
        "rise": "pct_start",
        "start_divisor": "div_factor",
        "end_divisor": "final_div_factor",
    }
    settings = {rename[k]: v for k, v in settings.items()}
    make = {
        "constant": lambda: LinearLR(optimizer, start_factor=1.0, total_iters=1),
        "step": lambda: StepLR(optimizer, **settings),
        "exponential": lambda: ExponentialLR(optimizer, **settings),
        "cosine": lambda: CosineAnnealingLR(optimizer, **settings),
        "one-cycle": lambda: OneCycleLR(optimizer, max_lr=lr, cycle_momentum=False, **settings),
    }[kind]
    steps = lr_schedule.get("warm_up", 0)
    if steps == 0:
        return make()
    warm_up = LinearLR(optimizer, start_factor=1 / (steps + 1), total_iters=steps)
    return SequentialLR(optimizer, [warm_up, make()], milestones=[steps])


def learning_rates(lr, lr_schedule):
    optimizer = SGD([torch.zeros(1)], lr=lr)
    schedule = schedule_of(optimizer, lr, lr_schedule)
    for step in range(STEPS):
        yield optimizer.param_groups[0]["lr"]
        if step < STEPS - 1:
            optimizer.step()
            schedule.step()


def points(kind, settings, lr_schedule):
    x = torch.tensor(START)
    optimizer = MAKERS[kind]([x], dict(settings))
    schedule = schedule_of(optimizer, settings.get("lr"), lr_schedule)
    for step in range(STEPS):
        x.grad = torch.tensor(gradient(x.numpy()))
        optimizer.step()
        yield x.tolist()
        if step < STEPS - 1:
            schedule.step()


CLIPPED = [(norm, scale) for norm in (0.5, 3.0, 20.0) for scale in (1e-7, 1.0, 1e9)]


def clipped(norm, scale):
    """Gradients in three pieces, as in the test, before and after clipping."""
    pieces = [scale * torch.tensor(piece) for piece in ([1.0, -2.0], [0.25, 4.0], [-0.125, 3.0])]
    parameters = [torch.zeros(2) for _ in pieces]
    for parameter, piece in zip(parameters, pieces):
        parameter.grad = piece.clone()
    torch.nn.utils.clip_grad_norm_(parameters, norm)
    return torch.cat(pieces).tolist(), torch.cat([parameter.grad for parameter in parameters]).tolist()


def toml(value):
    match value:
        case dict():
            return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }" if value else "{}"
        case (kind, settings):
            return toml({kind: settings})
        case _:
            return repr(value)


def lines():
    yield f"# Made by pytorch.py with PyTorch {torch.__version__.split('+')[0]} and NumPy {np.__version__}."
    yield f"curvature = {numbers(CURVATURE)}"
    yield f"coupling = {COUPLING!r}"
    yield f"start = {numbers(START)}"
    for kind, settings, lr_schedule in TRAJECTORIES:
        yield ""
        yield "[[trajectory]]"
        yield f"algorithm = {toml((kind, settings))}"
        yield f"lr_schedule = {toml(lr_schedule)}"
        yield "points = ["
        yield from (f"    {numbers(x)}," for x in points(kind, settings, lr_schedule))
        yield "]"
    for lr, lr_schedule in SCHEDULES:
        yield ""
        yield "[[schedule]]"
        yield f"lr = {lr!r}"
        yield f"lr_schedule = {toml(lr_schedule)}"
        yield f"rates = {numbers(learning_rates(lr, lr_schedule))}"
    for norm, scale in CLIPPED:
        before, after = clipped(norm, scale)
        yield ""
        yield "[[clipping]]"
        yield f"clip_norm = {norm!r}"
        yield f"gradients = {numbers(before)}"
        yield f"clipped = {numbers(after)}"


if __name__ == "__main__":
    Path(__file__).with_suffix(".toml").write_text("\n".join(lines()) + "\n")
