"""Beam search as in packages/captioner/src/beam-search.ts, batched over images and hypotheses.

What is computed per step is up to the caller: `step(state, parents, tokens, scores, last, width)`
returns the best continuations of each image, values and indices [B,2K] (hypothesis·V + word), and
the new state. Bookkeeping is the same as ours, so that the same work is compared.
"""

import math

import numpy as np

START, END = 1, 2


def search(start, step, keep, features, beam, decoding, vocabulary, leave=True):
    """The best caption of each image: its score and its word ids.

    start(features) -> state of B rows
    step(state, parents [N], tokens [N], scores [N], last, width) -> values, indices, state
    keep(state, images) -> the state of those images alone (what does not change from step to step)
    leave: whether finished images leave the batch, as with us; otherwise it stays as it is until
        all are finished, as in most programs (the generate() of Hugging Face's transformers, too)
    """
    images = len(features)
    length_max = decoding["lengthMax"]
    wanted = min(decoding["candidates"], beam)

    def normalised(log_prob, words):
        return log_prob / (words + 1) ** decoding["lengthPenalty"]

    state = start(features)
    active = list(range(images))
    live = [[(0.0, START, image, [])] for image in active]  # logProb, word, parent row, words
    candidates = [[] for _ in active]
    for words in range(length_max + 1):
        width = 1 if words == 0 else beam
        rows = [
            hypotheses[k] if k < len(hypotheses) else (-math.inf, END, hypotheses[0][2], [])
            for hypotheses in (live[image] for image in active)
            for k in range(width)
        ]
        values, indices, state = step(
            state,
            np.array([row[2] for row in rows], np.int64),
            np.array([row[1] for row in rows], np.int64),
            np.array([row[0] for row in rows], np.float32),
            words == length_max,
            width,
        )
        going_on = []
        for at, image in enumerate(active):
            next_live = []
            for value, index in zip(values[at].tolist(), indices[at].tolist()):
                if value == -math.inf:
                    break
                hypothesis, word = divmod(index, vocabulary)
                said = live[image][hypothesis][3]
                if word == END:
                    candidates[image].append((normalised(value, words), said))
                elif len(next_live) < beam:
                    next_live.append((value, word, at * width + hypothesis, said + [word]))
            candidates[image].sort(key=lambda candidate: -candidate[0])
            del candidates[image][wanted:]
            live[image] = next_live
            full = len(candidates[image]) == wanted
            finished = not next_live or (
                full and normalised(next_live[0][0], length_max) <= candidates[image][-1][0]
            )
            if not finished:
                going_on.append(at)
        if not going_on:
            break
        if leave and len(going_on) < len(active):
            state = keep(state, going_on)
            active = [active[at] for at in going_on]
    return [found[0] for found in candidates]
