"""The work in JAX: a run is one compiled scan over its steps. The runs are divided among processes, or are all in one process with all cores."""

import multiprocessing
import os
import time

from work import BATCH, OPTIMIZERS, ORDER, SHAPES, STEPS, arguments, images, report, timed

options = arguments()


def work(names, threads, results, barrier):
    """Compiles all runs, then trains them, waiting at the barrier before each."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax
    import jax.numpy as jnp

    pixels, classes = (jax.block_until_ready(jnp.asarray(values)) for values in images())
    barrier.wait()
    compiled = {name: jax.jit(run(jax, jnp, name)).lower(jax.random.key(0), pixels, classes).compile() for name in names}
    barrier.wait()
    for name in names:
        results.put(timed(name, lambda: compiled[name](jax.random.key(0), pixels, classes).tolist()))


def run(jax, jnp, name):
    def loss_of(parameters, x, correct):
        for weights, bias in parameters[:-1]:
            x = jax.nn.relu(x @ weights + bias)
        weights, bias = parameters[-1]
        scores = jax.nn.log_softmax(x @ weights + bias)
        return -jnp.take_along_axis(scores, correct[:, None], 1).mean()

    update = optimizer(jnp, name, OPTIMIZERS[name])
    each = jax.tree.map

    def train(key, pixels, classes):
        keys = jax.random.split(key, len(SHAPES) + 1)
        parameters = [
            (jax.random.normal(k, shape) * jnp.sqrt(2 / shape[0]), jnp.zeros(shape[1])) for k, shape in zip(keys, SHAPES)
        ]
        batches = jax.random.randint(keys[-1], (STEPS, BATCH), 0, len(classes))

        def step(carry, now):
            parameters, first, second = carry
            number, batch = now
            x, correct = pixels[batch], classes[batch]
            gradients = jax.grad(loss_of)(parameters, x, correct)
            updated = each(lambda p, g, a, b: update(p, g, a, b, number), parameters, gradients, first, second)
            carry = jax.tree.transpose(jax.tree.structure(parameters), jax.tree.structure((0, 0, 0)), updated)
            return carry, loss_of(carry[0], x, correct)

        zeros = each(jnp.zeros_like, parameters)
        _, losses = jax.lax.scan(step, (parameters, zeros, zeros), (jnp.arange(1, STEPS + 1), batches))
        return losses

    return train


def optimizer(jnp, name, settings):
    """A function of a parameter, its gradient, two slots and the number of the update; it returns the new parameter and slots."""
    lr = settings["lr"]
    match name:
        case "sgd":
            return lambda p, g, a, b, t: (p - lr * g, a, b)
        case "momentum":

            def update(p, g, v, b, t):
                v = settings["momentum"] * v - lr * g
                return p + v, v, b
        case "nesterov":

            def update(p, g, v, b, t):
                momentum = settings["momentum"]
                v = momentum * v - lr * g
                return p + momentum**2 * v - (1 + momentum) * lr * g, v, b
        case "adagrad":

            def update(p, g, h, b, t):
                h = h + g * g
                return p - lr * g / (jnp.sqrt(h) + 1e-7), h, b
        case "rmsprop":

            def update(p, g, h, b, t):
                h = settings["decay"] * h + (1 - settings["decay"]) * g * g
                return p - lr * g / (jnp.sqrt(h) + 1e-7), h, b
        case "adam":

            def update(p, g, m, v, t):
                beta1, beta2 = settings["beta1"], settings["beta2"]
                m = m + (1 - beta1) * (g - m)
                v = v + (1 - beta2) * (g * g - v)
                rate = lr * jnp.sqrt(1 - beta2**t) / (1 - beta1**t)
                return p - rate * m / (jnp.sqrt(v) + 1e-7), m, v

    return update


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    results, barrier = context.SimpleQueue(), context.Barrier(options.processes + 1)
    threads = 1 if options.processes > 1 else os.cpu_count()
    # Dealt in turn, the longest runs first; each run is compiled in the process that trains it.
    dealt = [ORDER[index :: options.processes] for index in range(options.processes)]
    workers = [context.Process(target=work, args=(names, threads, results, barrier)) for names in dealt]
    for worker in workers:
        worker.start()
    barrier.wait()
    begin = time.perf_counter()
    barrier.wait()
    compiled = time.perf_counter()
    ended = [results.get() for _ in ORDER]
    report(time.perf_counter() - compiled, ended, compilation=compiled - begin)
    for worker in workers:
        worker.join()
