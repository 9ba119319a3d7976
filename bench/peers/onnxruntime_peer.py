"""PIL and ONNX Runtime from Python, on the graphs that Cutline exports.

    python3 onnxruntime_peer.py <folder of images> <images to measure one stage with> <graphs>
"""

import sys

from serve_lines import say

try:
    import numpy as np
    import onnxruntime
    import PIL
except ImportError as error:
    say({"unavailable": str(error)})
    sys.exit()

from pathlib import Path

import beam_search
import model_bundle
from peer import cores, run_peer

graphs = Path(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = cores


def load(name):
    return onnxruntime.InferenceSession(
        str(graphs / f"{name}.onnx"), options, providers=["CPUExecutionProvider"]
    )


encoder, starter, stepper = load("encoder"), load("decoder-start"), load("decoder-step")
start_outputs = [output.name for output in starter.get_outputs()]
step_outputs = [output.name for output in stepper.get_outputs() if output.name != "attention"]

description = model_bundle.read_description()
decoding = description["decoding"]
vocabulary = description["vocabulary"]["size"]
excluded = np.zeros((1, vocabulary), np.float32)
excluded[:, [0, 1, 3]] = -np.inf  # <pad>, <start>, <unk>
no_penalties = np.zeros((1, vocabulary), np.float32)
only_end = np.full((1, vocabulary), -np.inf, np.float32)
only_end[:, beam_search.END] = 0


def encode(pixels):
    return encoder.run(["features"], {"pixels": pixels})[0].astype(np.float16)


def start(features):
    outputs = starter.run(start_outputs, {"features": features.astype(np.float32)})
    return dict(zip(start_outputs, outputs))


def keep(state, images):
    return {
        name: value[images] if name.startswith("memory.") else value
        for name, value in state.items()
    }


def decode(features, beam):
    def step(state, parents, tokens, scores, last, width):
        # Each parent once, one of its children, and which of them each hypothesis continues.
        rows, child_of, parent_of = np.unique(parents, return_index=True, return_inverse=True)
        inputs = {
            **state,
            "tokens": tokens.astype(np.int32),
            "positions": np.zeros(len(tokens), np.int32),  # read by no LSTM
            "parents": rows.astype(np.int32),
            "parentOf": parent_of.astype(np.int32),
            "childOf": child_of.astype(np.int32),
            "scores": scores.reshape(-1, 1),
            "excluded": excluded,
            "penalties": only_end if last else no_penalties,
            "width": np.array([width], np.int64),
            "count": np.array([min(2 * beam, width * vocabulary)], np.int64),
        }
        outputs = dict(zip(step_outputs, stepper.run(step_outputs, inputs)))
        memory = {name: value for name, value in state.items() if name.startswith("memory.")}
        new = {
            name.replace("next.", "state.", 1): value
            for name, value in outputs.items()
            if name.startswith("next.")
        }
        return outputs["values"], outputs["indices"], {**memory, **new}

    return beam_search.search(start, step, keep, features, beam, decoding, vocabulary)


run_peer(
    f"ONNX Runtime {onnxruntime.__version__} from Python, PIL {PIL.__version__}, {cores} threads",
    ["encode", "decode", "caption"],
    sys.argv[1],
    int(sys.argv[2]),
    encode,
    decode,
)
