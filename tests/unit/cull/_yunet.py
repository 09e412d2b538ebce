"""A network with the inputs and outputs of YuNet that finds blue squares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
# What YuNet says of each cell: class, objectness, box and five points (right eye and left eye, as
# the face has them, nose, corners of the mouth), all in strides from the cell's corner.
PARTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
# A face of two cells by three, around the middle of its cell.
BOX = (0.5, 0.5, np.log(2.0), np.log(3.0))
POINTS = (0.1, 0.2, 0.9, 0.2, 0.5, 0.6, 0.2, 1.0, 0.8, 1.0)


def write_network(path: Path, *, find_at: int = 32) -> None:
    """Write a network in which cells of one stride that are blue are faces."""
    nodes, weights, outputs = [], [], []
    for part, count in PARTS.items():
        for stride in STRIDES:
            name = f"{part}_{stride}"
            kernel, offset = np.zeros((count, 3, stride, stride)), np.zeros(count)
            if part in ("cls", "obj") and stride == find_at:
                # OpenCV hands out blue, green, red.
                kernel[:, 0] = 1 / (255 * stride**2)
            offset[:] = {"bbox": BOX, "kps": POINTS}.get(part, 0)
            shape = np.array([1, -1, count])
            weights += [
                numpy_helper.from_array(kernel.astype(np.float32), f"{name}_kernel"),
                numpy_helper.from_array(offset.astype(np.float32), f"{name}_offset"),
                numpy_helper.from_array(shape, f"{name}_shape"),
            ]
            nodes += [
                helper.make_node(
                    "Conv",
                    ["input", f"{name}_kernel", f"{name}_offset"],
                    [f"{name}_cells"],
                    kernel_shape=[stride, stride],
                    strides=[stride, stride],
                ),
                helper.make_node(
                    "Transpose", [f"{name}_cells"], [f"{name}_last"], perm=[0, 2, 3, 1]
                ),
                helper.make_node("Reshape", [f"{name}_last", f"{name}_shape"], [name]),
            ]
            outputs.append(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "cells", count])
            )
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])
    graph = helper.make_graph(nodes, "faces", [picture], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
