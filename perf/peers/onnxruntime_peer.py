# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""onnxruntime's GroupQueryAttention on the CPU: forward alone. One session, a call for every document."""

import numpy
import onnxruntime
from onnx import TensorProto, helper

SCALARS = {"float": (TensorProto.FLOAT, numpy.float32), "half": (TensorProto.FLOAT16, numpy.float16)}


def version():
    return f"onnxruntime {onnxruntime.__version__}"


def session(case, element, threads):
    width_kv = case["heads_kv"] * case["dim"]
    widths = {"q": case["heads_q"] * case["dim"], "k": width_kv, "v": width_kv}
    past = [1, case["heads_kv"], 0, case["dim"]]
    inputs = [helper.make_tensor_value_info(name, element, [1, "length", width]) for name, width in widths.items()]
    inputs += [helper.make_tensor_value_info(name, element, past) for name in ("past_k", "past_v")]
    inputs += [helper.make_tensor_value_info(name, TensorProto.INT32, [1]) for name in ("last", "total")]
    present = [1, case["heads_kv"], "length", case["dim"]]
    outputs = [helper.make_tensor_value_info("out", element, [1, "length", widths["q"]])]
    outputs += [helper.make_tensor_value_info(name, element, present) for name in ("present_k", "present_v")]
    node = helper.make_node("GroupQueryAttention", [value.name for value in inputs], [value.name for value in outputs],
                            domain="com.microsoft", num_heads=case["heads_q"], kv_num_heads=case["heads_kv"])
    model = helper.make_model(helper.make_graph([node], "attention", inputs, outputs), ir_version=10,
                              opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def prepare(case, direction, scalar, threads):
    """A function that runs the case once."""
    if direction != "forward" or scalar not in SCALARS:
        raise RuntimeError(f"no {direction} in {scalar}")
    element, dtype = SCALARS[scalar]
    attention = session(case, element, threads)
    generator = numpy.random.default_rng(7)
    documents = []
    for length in case["lengths"]:
        feeds = {name: generator.uniform(-1, 1, [1, length, heads * case["dim"]]).astype(dtype)
                 for name, heads in (("q", case["heads_q"]), ("k", case["heads_kv"]), ("v", case["heads_kv"]))}
        feeds |= {name: numpy.zeros([1, case["heads_kv"], 0, case["dim"]], dtype) for name in ("past_k", "past_v")}
        feeds |= {"last": numpy.array([length - 1], numpy.int32), "total": numpy.array([length], numpy.int32)}
        documents.append(feeds)

    def run():
        for feeds in documents:
            attention.run(["out"], feeds)

    return run
