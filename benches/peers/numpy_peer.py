"""The work in NumPy, as the book's code does it: layers with `forward` and `backward`, dictionaries of parameters."""

from work import BATCH, OPTIMIZERS, STEPS, arguments, deal, he, images, one_thread

options = arguments(precision="f32")
if options.processes > 1:
    one_thread()

import numpy as np
from threadpoolctl import threadpool_limits


class Affine:
    def __init__(self, parameters, number):
        self.parameters, self.keys = parameters, (f"W{number}", f"b{number}")

    def forward(self, x):
        self.x = x
        return x @ self.parameters[self.keys[0]] + self.parameters[self.keys[1]]

    def backward(self, dout):
        dx = dout @ self.parameters[self.keys[0]].T
        self.dW, self.db = self.x.T @ dout, dout.sum(axis=0)
        return dx


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout[self.mask] = 0
        return dout


class SoftmaxWithLoss:
    def forward(self, x, t):
        x = x - x.max(axis=-1, keepdims=True)
        e = np.exp(x)
        self.t, self.y = t, e / e.sum(axis=-1, keepdims=True)
        return -np.log(self.y[np.arange(len(t)), t] + 1e-7).sum() / len(t)

    def backward(self):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx / len(self.t)


class Network:
    def __init__(self, layers):
        self.parameters = {}
        self.layers = []
        for number, (weights, bias) in enumerate(layers, 1):
            self.parameters[f"W{number}"], self.parameters[f"b{number}"] = weights, bias
            self.layers += [Affine(self.parameters, number), Relu()]
        self.layers.pop()
        self.last = SoftmaxWithLoss()

    def loss(self, x, t):
        for layer in self.layers:
            x = layer.forward(x)
        return self.last.forward(x, t)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.last.backward()
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        gradients = {}
        for number, layer in enumerate(self.layers[::2], 1):
            gradients[f"W{number}"], gradients[f"b{number}"] = layer.dW, layer.db
        return gradients


def optimizer(name, parameters, settings):
    """A function that makes one update from the given gradients."""
    lr = settings["lr"]
    first = {key: np.zeros_like(value) for key, value in parameters.items()}
    second = {key: np.zeros_like(value) for key, value in parameters.items()}
    steps = 0

    def update(gradients):
        nonlocal steps
        steps += 1
        for key, g in gradients.items():
            match name:
                case "sgd":
                    parameters[key] -= lr * g
                case "momentum":
                    first[key] = settings["momentum"] * first[key] - lr * g
                    parameters[key] += first[key]
                case "nesterov":
                    momentum = settings["momentum"]
                    first[key] = momentum * first[key] - lr * g
                    parameters[key] += momentum * momentum * first[key]
                    parameters[key] -= (1 + momentum) * lr * g
                case "adagrad":
                    first[key] += g * g
                    parameters[key] -= lr * g / (np.sqrt(first[key]) + 1e-7)
                case "rmsprop":
                    first[key] *= settings["decay"]
                    first[key] += (1 - settings["decay"]) * g * g
                    parameters[key] -= lr * g / (np.sqrt(first[key]) + 1e-7)
                case "adam":
                    beta1, beta2 = settings["beta1"], settings["beta2"]
                    rate = float(lr * np.sqrt(1 - beta2**steps) / (1 - beta1**steps))
                    first[key] += (1 - beta1) * (g - first[key])
                    second[key] += (1 - beta2) * (g**2 - second[key])
                    parameters[key] -= rate * first[key] / (np.sqrt(second[key]) + 1e-7)

    return update


def prepare():
    if options.processes > 1:
        threadpool_limits(1)
    dtype = {"f32": np.float32, "f64": np.float64}[options.precision]
    pixels, classes = images()
    pixels = pixels.astype(dtype)

    def train(name):
        random = np.random.default_rng(0)
        network = Network(he(random, dtype))
        update = optimizer(name, network.parameters, OPTIMIZERS[name])
        losses = []
        for _ in range(STEPS):
            batch = random.choice(len(classes), BATCH)
            x, t = pixels[batch], classes[batch]
            update(network.gradient(x, t))
            losses.append(network.loss(x, t))
        return losses

    return train


if __name__ == "__main__":
    deal(options.processes, prepare)
