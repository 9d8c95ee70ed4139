"""The work in PyTorch: tensors in memory, autograd, fused optimizers where available, one process with one thread per core."""

from work import BATCH, OPTIMIZERS, STEPS, arguments, deal, he, images, one_thread

one_thread()
options = arguments(compile=0, optimizer="fastest")


def prepare():
    import numpy as np
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    pixels, classes = (torch.from_numpy(values) for values in images())

    def loss_of(parameters, x, classes):
        for weights, bias in zip(parameters[:-2:2], parameters[1:-2:2]):
            x = torch.relu(torch.addmm(bias, x, weights))
        return functional.cross_entropy(torch.addmm(parameters[-1], x, parameters[-2]), classes)

    if options.compile:
        loss_of = torch.compile(loss_of)

    def start(random):
        return [torch.from_numpy(values).requires_grad_() for layer in he(random, np.float32) for values in layer]

    def learn(parameters, update, x, correct):
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss_of(parameters, x, correct), parameters)):
            parameter.grad = gradient
        update()
        with torch.no_grad():
            return loss_of(parameters, x, correct)

    def train(name):
        random = np.random.default_rng(0)
        parameters = start(random)
        batches = torch.from_numpy(random.integers(len(classes), size=(STEPS, BATCH)))
        losses = torch.empty(STEPS)
        update = optimizer(torch, name, parameters, OPTIMIZERS[name])
        for step, batch in enumerate(batches):
            losses[step] = learn(parameters, update, pixels[batch], classes[batch])
        return losses.tolist()

    # Triggers what is imported or compiled on first use.
    for name, settings in OPTIMIZERS.items():
        parameters = start(np.random.default_rng(0))
        learn(parameters, optimizer(torch, name, parameters, settings), pixels[:BATCH], classes[:BATCH])
    return train


def optimizer(torch, name, parameters, settings):
    """A function that makes one update."""
    lr = settings["lr"]
    faster = {"fused": True} if options.optimizer == "fastest" else {"foreach": options.optimizer == "foreach"}
    match name:
        case "sgd":
            return torch.optim.SGD(parameters, lr=lr, **faster).step
        case "momentum":
            return torch.optim.SGD(parameters, lr=lr, momentum=settings["momentum"], **faster).step
        case "nesterov":
            # The memo's form, which torch.optim does not have.
            momentum = settings["momentum"]
            velocities = [torch.zeros_like(parameter) for parameter in parameters]

            @torch.no_grad()
            def update():
                gradients = [parameter.grad for parameter in parameters]
                torch._foreach_mul_(velocities, momentum)
                torch._foreach_add_(velocities, gradients, alpha=-lr)
                torch._foreach_add_(parameters, velocities, alpha=momentum**2)
                torch._foreach_add_(parameters, gradients, alpha=-(1 + momentum) * lr)

            return update
        case "adagrad":
            return torch.optim.Adagrad(parameters, lr=lr, eps=1e-7, **faster).step
        case "rmsprop":
            # Has no fused form.
            foreach = options.optimizer != "plain"
            return torch.optim.RMSprop(parameters, lr=lr, alpha=settings["decay"], eps=1e-7, foreach=foreach).step
        case "adam":
            betas = (settings["beta1"], settings["beta2"])
            return torch.optim.Adam(parameters, lr=lr, betas=betas, eps=1e-7, **faster).step


if __name__ == "__main__":
    deal(options.processes, prepare)
