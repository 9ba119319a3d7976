"""Published captioners as transformers and PyTorch run them, eager, on all cores:

    python transformers_peer.py <folder of images> <images to measure one stage with> <checkpoint>

A peer of bench/contenders/backend.mjs, and performs its tasks on the same files and weights, with the
checkpoint's own image processor and generate().
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "peers"))

try:
    import numpy as np
    import PIL
    import torch
    import transformers
    from PIL import Image
    from transformers import (
        AutoImageProcessor,
        AutoModelForCausalLM,
        AutoTokenizer,
        BlipForConditionalGeneration,
        VisionEncoderDecoderModel,
    )
    from transformers.modeling_outputs import BaseModelOutput, BaseModelOutputWithPooling
except ImportError as error:
    print(json.dumps({"unavailable": str(error)}))
    sys.exit()

import images
from serve_lines import serve, time_passes

folder, stage_images, checkpoint = sys.argv[1], int(sys.argv[2]), sys.argv[3]
cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
torch.set_num_threads(cores)
torch.set_grad_enabled(False)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

processor = AutoImageProcessor.from_pretrained(checkpoint)
tokenizer = AutoTokenizer.from_pretrained(checkpoint)


class Blip:
    model_class = BlipForConditionalGeneration

    def __init__(self, model):
        self.model = model
        self.start = model.config.text_config.bos_token_id

    def encode(self, pixels):
        return self.model.vision_model(pixels).last_hidden_state

    def generate(self, features, options):
        return self.model.text_decoder.generate(
            input_ids=torch.full((len(features), 1), self.start),
            encoder_hidden_states=features,
            eos_token_id=self.model.config.text_config.sep_token_id,
            pad_token_id=self.model.config.text_config.pad_token_id,
            **options,
        )


class VitGpt2:
    model_class = VisionEncoderDecoderModel

    def __init__(self, model):
        self.model = model

    def encode(self, pixels):
        return self.model.encoder(pixels).last_hidden_state

    def generate(self, features, options):
        outputs = BaseModelOutput(last_hidden_state=features)
        return self.model.generate(encoder_outputs=outputs, **options)


class Git:
    """Its generate() encodes by itself: it is given an encoder that looks up what was encoded."""

    model_class = AutoModelForCausalLM

    def __init__(self, model):
        self.model = model
        self.encoder = model.git.image_encoder
        model.git.image_encoder = Given()

    def encode(self, pixels):
        return self.encoder(pixels).last_hidden_state

    def generate(self, features, options):
        as_pixels = features[:, None]  # of as many dimensions as pixels have
        return self.model.generate(pixel_values=as_pixels, **options)


class Given(torch.nn.Module):
    def forward(self, features, **_):
        return BaseModelOutputWithPooling(last_hidden_state=features[:, 0])


with open(Path(checkpoint) / "config.json") as file:
    kind = json.load(file)["model_type"]
family = {"blip": Blip, "vision-encoder-decoder": VitGpt2, "git": Git}[kind]
captioner = family(family.model_class.from_pretrained(checkpoint, dtype=torch.float32).eval())


def preprocess(sources):
    opened = [Image.open(images.source_of(source)).convert("RGB") for source in sources]
    return processor(images=opened, return_tensors="pt").pixel_values


def decode(features, request):
    options = {
        "num_beams": request["beamSize"],
        "min_new_tokens": request["words"],
        "max_new_tokens": request["words"],
        "length_penalty": 1.0,
        "do_sample": False,
        "return_dict_in_generate": True,
        "output_scores": True,  # of captions, too: they are kept with the steps', which costs no time
    }
    found = captioner.generate(features, options)
    texts = tokenizer.batch_decode(found.sequences, skip_special_tokens=True)
    return list(zip(texts, found.sequences_scores.tolist()))


def batches(items, size):
    for first in range(0, len(items), size):
        yield items[first : first + size]


files = images.list_files(folder)[:stage_images]
pixels = preprocess([file.read_bytes() for file in files])
features = torch.cat([captioner.encode(batch) for batch in batches(pixels, 4)])


def encode_task(request):
    def work():
        for batch in batches(pixels, request["batchSize"]):
            captioner.encode(batch)

    return time_passes(len(pixels), request["secondsMin"], work)


def decode_task(request):
    def work():
        for batch in batches(features, request["batchSize"]):
            decode(batch, request)

    return time_passes(len(features), request["secondsMin"], work)


def caption_task(request):
    captions = {}
    files = images.list_files(request["folder"])

    def work():
        for batch in batches(files, request["batchSize"]):
            found = decode(captioner.encode(preprocess(batch)), request)
            for file, (text, score) in zip(batch, found):
                captions[file.name] = {"caption": text.strip(), "score": score}

    sample = time_passes(len(files), 0, work)
    return {**sample, "captions": captions}


serve(
    f"transformers {transformers.__version__}, PyTorch {torch.__version__}, eager, "
    f"PIL {PIL.__version__}, {cores} threads",
    {"encode": encode_task, "decode": decode_task, "caption": caption_task},
)
