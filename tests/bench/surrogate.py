"""The LCBench surrogate (../shared/data/lcbench-surrogate) in plain numpy: its ONNX graph of 17 operators, evaluated node by node.

    s = Surrogate(folder); s(instance, x) with x (rows, 8): epoch, batch_size, learning_rate, momentum, weight_decay, num_layers, max_units, max_dropout
    -> (rows, 6): time, val_accuracy, val_cross_entropy, val_balanced_accuracy, test_cross_entropy, test_balanced_accuracy
"""
import json
import os

import numpy as np
import onnx
from onnx import numpy_helper

DTYPE = {1: np.float32, 6: np.int32, 7: np.int64, 9: bool, 11: np.float64}


def _slice(a, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    at = [slice(None)] * a.ndim
    for s, e, k, step in zip(starts, ends, axes, steps):
        at[int(k)] = slice(int(s), int(min(e, a.shape[int(k)])), int(step))
    return a[tuple(at)]


def _gemm(a, b, c, alpha=1.0, beta=1.0, transA=0, transB=0):
    return np.float32(alpha) * ((a.T if transA else a) @ (b.T if transB else b)) + np.float32(beta) * c


def _normalize(x, scale, bias, mean, var, epsilon=1e-5, **_):
    shape = (1, -1) + (1,) * (x.ndim - 2)
    return (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + np.float32(epsilon)) * scale.reshape(shape) + bias.reshape(shape)


OPERATOR = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Exp": np.exp, "Log": np.log,
    "Relu": lambda x: np.maximum(x, 0), "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Shape": lambda x: np.array(x.shape, np.int64),
    "Cast": lambda x, to: np.asarray(x).astype(DTYPE[to]), "Gather": lambda x, i, axis=0: np.take(x, i, axis=axis),
    "Unsqueeze": lambda x, axes_in=None, axes=None: np.expand_dims(x, tuple(int(a) for a in (axes if axes_in is None else axes_in))),
    "Concat": lambda *x, axis: np.concatenate(x, axis), "Slice": _slice, "Gemm": _gemm, "BatchNormalization": _normalize,
}


class Surrogate:
    def __init__(self, folder):
        graph = onnx.load(os.path.join(folder, "model.onnx")).graph
        with open(os.path.join(folder, "encoding.json")) as f:
            self.code = json.load(f)["OpenML_task_id"]
        self.known = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.output = graph.output[0].name
        self.nodes = []
        for n in graph.node:
            options = {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute}
            if n.op_type == "Constant":
                self.known[n.output[0]] = numpy_helper.to_array(options["value"])
            elif n.op_type not in OPERATOR:
                raise SystemExit(f"surrogate.py: operator {n.op_type} is not one of {', '.join(sorted(OPERATOR))}")
            elif all(i in self.known for i in n.input):
                self.known[n.output[0]] = OPERATOR[n.op_type](*[self.known[i] for i in n.input], **options)
            else:
                self.nodes.append((OPERATOR[n.op_type], list(n.input), n.output[0], options))

    def __call__(self, instance, x):
        value = {"x_cat": np.full((len(x), 1), self.code[instance], np.int32), "x_cont": np.asarray(x, np.float32)}
        for f, inputs, output, options in self.nodes:
            value[output] = f(*[value[i] if i in value else self.known[i] for i in inputs], **options)
        return value[self.output]
