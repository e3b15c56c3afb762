# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's ScaledDotProductAttention on the CPU: forward alone. A compiled model and a request for every document."""

import numpy
import openvino
from openvino import opset13

SCALARS = {"float": openvino.Type.f32, "half": openvino.Type.f16, "bfloat16": openvino.Type.bf16}


def version():
    return f"OpenVINO {openvino.__version__}"


def compiled(case, length, scalar, threads):
    heads = case["heads_q"]  # keys are repeated beforehand: the operation knows no groups
    inputs = [opset13.parameter([1, heads, length, case["dim"]], SCALARS[scalar]) for _ in range(3)]
    out = opset13.scaled_dot_product_attention(*inputs, causal=True)
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads,
               "INFERENCE_PRECISION_HINT": SCALARS[scalar]}
    return openvino.Core().compile_model(openvino.Model([opset13.result(out)], inputs), "CPU", options)


def uniform(generator, shape, scalar):
    values = generator.uniform(-1, 1, shape).astype(numpy.float32)
    tensor = openvino.Tensor(SCALARS[scalar], shape)
    if scalar == "bfloat16":  # numpy has no such type: the upper halves of float
        tensor.data.view(numpy.uint16)[:] = (values.view(numpy.uint32) >> 16).astype(numpy.uint16)
    else:
        tensor.data[:] = values
    return tensor


def prepare(case, direction, scalar, threads):
    """A function that runs the case once."""
    if direction != "forward" or scalar not in SCALARS:
        raise RuntimeError(f"no {direction} in {scalar}")
    models = {length: compiled(case, length, scalar, threads) for length in set(case["lengths"])}
    generator = numpy.random.default_rng(7)
    requests = []
    for length in case["lengths"]:
        request = models[length].create_infer_request()
        for i in range(3):
            request.set_input_tensor(i, uniform(generator, [1, case["heads_q"], length, case["dim"]], scalar))
        requests.append(request)

    def run():
        for request in requests:
            request.infer()

    return run
