"""PIL and PyTorch, eager, on the weights that ship with Cutline.

    python3 pytorch_peer.py <folder of images> <images to measure one stage with> <graphs> [way]

Another way of doing it, and only what depends on that is measured:

    channels-last   PyTorch convolves images in that order much faster on many CPUs, but one has to
                    ask for it
    plain           beam search as it is mostly written: a batch stays as it is until all its images
                    are finished
"""

import sys

from serve_lines import say

try:
    import numpy
    import PIL
    import torch
except ImportError as error:
    say({"unavailable": str(error)})
    sys.exit()

import math

import beam_search
import model_bundle
from mobilenet_v2 import mobilenet_v2
from peer import cores, run_peer
from show_attend_tell import ShowAttendTell

torch.set_num_threads(cores)
torch.set_grad_enabled(False)

description = model_bundle.read_description()
decoding, preprocessing = description["decoding"], description["preprocessing"]
vocabulary = description["vocabulary"]["size"]


def tensors(name):
    return {k: torch.from_numpy(v) for k, v in model_bundle.read_weights(name).items()}


way = sys.argv[4] if len(sys.argv) > 4 else ""
channels_last = way == "channels-last"
memory_format = torch.channels_last if channels_last else torch.contiguous_format
encoder_weights = tensors("encoder.safetensors")
encoder = mobilenet_v2(encoder_weights, description["encoder"]["sizes"])
encoder.eval().to(memory_format=memory_format)
# The bundle is cut behind the decoder's projection, whose weights are with the encoder's.
decoder = ShowAttendTell({**encoder_weights, **tensors("decoder.safetensors")}).eval()
mean = torch.tensor(preprocessing["mean"]).view(3, 1, 1)
std = torch.tensor(preprocessing["std"]).view(3, 1, 1)
excluded = torch.zeros(vocabulary)
excluded[[0, 1, 3]] = -math.inf  # <pad>, <start>, <unk>
only_end = torch.full((vocabulary,), -math.inf)
only_end[beam_search.END] = 0


def encode(pixels):
    with torch.inference_mode():
        x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        feature_map = encoder(((x - mean) / std).contiguous(memory_format=memory_format))
        return decoder.project(feature_map.flatten(2).transpose(1, 2)).half().numpy()


def start(features):
    return decoder.start(torch.from_numpy(features).float())


def keep(state, images):
    annotations, keys, hidden, cell = state
    return annotations[images], keys[images], hidden, cell


def decode(features, beam):
    def step(state, parents, tokens, scores, last, width):
        annotations, keys, hidden, cell = state
        rows = torch.from_numpy(parents)
        logits, hidden, cell = decoder.step(
            annotations, keys, hidden[rows], cell[rows], torch.from_numpy(tokens), width
        )
        totals = (logits + excluded).log_softmax(-1) + torch.from_numpy(scores).unsqueeze(1)
        if last:
            totals += only_end
        count = min(2 * beam, width * vocabulary)
        best = totals.view(len(annotations), -1).topk(count)
        state = (annotations, keys, hidden, cell)
        return best.values.numpy(), best.indices.numpy(), state

    with torch.inference_mode():
        return beam_search.search(
            start, step, keep, features, beam, decoding, vocabulary, leave=way != "plain"
        )


ways = {
    "": ("its own layout", ["preprocess", "encode", "decode", "caption"]),
    "channels-last": ("channels last", ["encode", "caption"]),
    "plain": ("batches whole until all images are finished", ["decode"]),
}
detail, tasks = ways[way]
run_peer(
    f"PyTorch {torch.__version__}, eager, {detail}, PIL {PIL.__version__}, {cores} threads",
    tasks,
    sys.argv[1],
    int(sys.argv[2]),
    encode,
    decode,
)
