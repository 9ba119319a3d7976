"""The tasks of a peer (bench/contenders/backend.mjs), over whatever encodes and decodes."""

import os

import numpy as np

import images
import model_bundle
from serve_lines import serve, time_passes

CAPTION_BATCH = 32
cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def run_peer(description, tasks, folder, stage_images, encode, decode):
    """
    tasks: the names of those that are performed
    encode(pixels [B,H,W,3] uint8) -> features [B,L,D] float16
    decode(features [B,L,D] float16, beam) -> the score and the word ids of B captions
    """
    preprocessing = model_bundle.read_description()["preprocessing"]
    size = (preprocessing["width"], preprocessing["height"])
    vocabulary = model_bundle.read_vocabulary()
    files = images.list_files(folder)[:stage_images]
    sources = [file.read_bytes() for file in files]
    pixels = np.stack([images.decode(source, size) for source in sources])
    features = np.concatenate([encode(batch) for batch in batches(pixels, CAPTION_BATCH)])

    def preprocess_task(request):
        def work():
            for source in sources:
                images.decode(source, size)

        return time_passes(len(sources), request["secondsMin"], work)

    def encode_task(request):
        def work():
            for batch in batches(pixels, request["batchSize"]):
                encode(batch)

        return time_passes(len(pixels), request["secondsMin"], work)

    def decode_task(request):
        def work():
            for batch in batches(features, request["batchSize"]):
                decode(batch, request["beamSize"])

        return time_passes(len(features), request["secondsMin"], work)

    def caption_task(request):
        captions = {}
        files = images.list_files(request["folder"])

        def work():
            for batch in batches(files, CAPTION_BATCH):
                decoded = np.stack([images.decode(file, size) for file in batch])
                found = decode(encode(decoded), request["beamSize"])
                for file, (score, words) in zip(batch, found):
                    caption = " ".join(vocabulary[word] for word in words)
                    captions[file.name] = {"caption": caption, "score": score}

        sample = time_passes(len(files), 0, work)
        return {**sample, "captions": captions}

    all_tasks = {
        "preprocess": preprocess_task,
        "encode": encode_task,
        "decode": decode_task,
        "caption": caption_task,
    }
    serve(description, {name: all_tasks[name] for name in tasks})


def batches(items, size):
    for first in range(0, len(items), size):
        yield items[first : first + size]
