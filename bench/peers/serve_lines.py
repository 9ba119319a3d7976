"""The protocol of bench/line-process.mjs: requests and answers are lines of JSON."""

import json
import sys
import time
import traceback


def serve(description, tasks):
    """Says what it can do, then performs one task after another until stdin ends.

    tasks: by name, a function of the request that returns the answer.
    """
    say({"tasks": list(tasks), "description": description})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            say(tasks[request["task"]](request))
        except Exception:
            say({"error": traceback.format_exc()})


def say(message):
    print(json.dumps(message), flush=True)


def time_passes(images, seconds_min, work):
    """Whole passes over `images` images until `seconds_min` have gone by (time-passes.mjs)."""
    cpu = time.process_time()
    started = time.perf_counter()
    passes = 0
    while True:
        work()
        passes += 1
        seconds = time.perf_counter() - started
        if seconds >= seconds_min:
            break
    return {
        "images": passes * images,
        "seconds": seconds,
        "cpuSeconds": time.process_time() - cpu,
    }
