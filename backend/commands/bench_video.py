"""`synergyface bench video`: frames a second from a file to tracks, and memory."""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from backend.engines.devices import DEVICES

HELP = "time a 720p clip beside MediaPipe's FaceLandmarker in video mode"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--clip", type=Path, metavar="FILE", help="default: the sample photo, moved about"
    )
    parser.add_argument(
        "--frames", type=int, default=500, help="length of the default clip (default 500)"
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of each (default 3)")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from backend.errors import BadInputError

    if args.repeat < 1 or args.frames < 50:
        raise BadInputError(
            f"--repeat {args.repeat} --frames {args.frames}.", "Give at least 1 and 50."
        )
    from backend.benchmarks.video import benchmark_video, write_moving_photo
    from backend.commands.demo import sample_image
    from backend.pipeline import FaceReconstructor

    with tempfile.TemporaryDirectory() as folder:
        path = args.clip
        if path is None:
            path = Path(folder) / "photo.mp4"
            write_moving_photo(path, sample_image(), args.frames)
        reconstructor = FaceReconstructor.load(args.device)
        found = benchmark_video(path, reconstructor, args.repeat)
    if args.json:
        print(json.dumps(asdict(found)))
        return 0
    print(f"{found.frames} frames{'frames/s':>16}{'processor/frame':>20}")
    for name, speed in (("SynergyFace", found.ours), ("MediaPipe", found.mediapipe)):
        print(f"{name:<12}{speed.frames_per_second:>14.0f}{speed.processor_milliseconds:>17.1f} ms")
    ratio = found.ours.frames_per_second / found.mediapipe.frames_per_second
    print(f"{ratio:.2f} times as fast")
    if found.long_megabytes is not None:
        print(
            f"memory {found.short_megabytes:.0f} MB after a quarter of the clip, "
            f"{found.long_megabytes:.0f} MB after all of it"
        )
    return 0
