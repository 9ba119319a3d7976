"""The model bundle that ships with Cutline, as numpy arrays."""

import json
from pathlib import Path

import numpy as np

folder = Path(__file__).parents[2] / "models" / "mobilenet-v2-show-attend-tell-broad"


def read_description():
    return json.loads((folder / "model.json").read_text())


def read_vocabulary():
    return (folder / "vocabulary.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")


def read_weights(name):
    """A safetensors file: length of the header, header in JSON, values.

    https://huggingface.co/docs/safetensors
    """
    data = (folder / name).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    dtypes = {"F32": "<f4", "F16": "<f2"}
    weights = {}
    for tensor, entry in header.items():
        first, end = entry["data_offsets"]
        values = np.frombuffer(data[start + first : start + end], dtypes[entry["dtype"]])
        weights[tensor] = values.reshape(entry["shape"]).astype(np.float32)
    return weights
