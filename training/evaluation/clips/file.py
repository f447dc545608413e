"""A clip that we draw, as a video file with its truth beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from backend.errors import BadInputError
from backend.morphable_model.model import MorphableModel
from backend.tracking.track import TrackedClip
from backend.vision.clip import ClipInfo
from backend.vision.film_colors import bt709_frame, tag_bt709
from training.evaluation.clips.drawing import Camera
from training.evaluation.clips.scenarios import CLOCK, RATES, SCENARIOS, Stage, frame_times
from training.evaluation.clips.truth import truth_of, write_truth

Image = NDArray[np.uint8]

CODEC = "libx264"
QUALITY = {"crf": "18", "preset": "veryfast"}


@dataclass(frozen=True)
class ClipPlan:
    """Which clip to draw.

    Attributes
    ----------
    scenario
        One of `clip_scenarios.SCENARIOS`.
    rate
        One of `clip_scenarios.RATES`.
    seconds
        Length.
    width, height
        Pixels, even.
    seed
        The same seed gives the same clip.

    Raises
    ------
    BadInputError
        One of them cannot be.
    """

    scenario: str = "turn"
    rate: str = "25"
    seconds: float = 8.0
    width: int = 1280
    height: int = 720
    seed: int = 0

    def __post_init__(self) -> None:
        for value, known in ((self.scenario, SCENARIOS), (self.rate, RATES)):
            if value not in known:
                raise BadInputError(f"There is no {value!r}.", f"Choose of {', '.join(known)}.")
        if not 0.2 <= self.seconds <= 3600:
            raise BadInputError(f"{self.seconds:g} seconds.", "Give 0.2 to 3600.")
        if any(side % 2 or not 64 <= side <= 4096 for side in (self.width, self.height)):
            raise BadInputError(
                f"Pictures of {self.width}x{self.height} pixels.",
                "Give even numbers from 64 to 4096.",
            )


def draw_clip(plan: ClipPlan, model: MorphableModel, path: Path) -> TrackedClip:
    """Draw a clip into a video file and its truth beside it (`truth_path`).

    Returns
    -------
    The truth.

    Raises
    ------
    BadInputError
        The files cannot be written.
    """
    rng = np.random.default_rng(plan.seed)
    times = frame_times(RATES[plan.rate], plan.seconds, rng)
    scene = SCENARIOS[plan.scenario](Stage(model, times, plan.width, plan.height, rng))
    frames = Camera(model, plan.width, plan.height, plan.seed).frames(scene)
    write_video(path, frames, scene.ticks, plan.width, plan.height)
    rate = (len(times) - 1) / (times[-1] - times[0])
    info = ClipInfo(plan.width, plan.height, float(rate), str(path))
    truth = truth_of(scene, model, info)
    write_truth(truth, truth_path(path))
    return truth


def truth_path(path: Path) -> Path:
    """Where the truth of a drawn clip lies."""
    return path.with_suffix(".truth.npz")


def write_video(
    path: Path, frames: Iterable[Image], ticks: NDArray[np.int64], width: int, height: int
) -> None:
    """Write an H.264 file whose frames are shown at given times.

    Parameters
    ----------
    frames
        (H, W, 3) uint8 RGB each.
    ticks
        (F,) times of the frames, 90,000 to a second.

    Raises
    ------
    BadInputError
        The file cannot be written.
    """
    import av

    clock = Fraction(1, CLOCK)
    with atomic_path(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream(CODEC, options=QUALITY)
        stream.width, stream.height = width, height
        tag_bt709(stream)
        stream.time_base = stream.codec_context.time_base = clock
        # The last frame is shown as long as the one before it.
        durations = np.diff(ticks, append=2 * ticks[-1] - ticks[-2])
        shown_for = dict(zip(ticks.tolist(), durations.tolist(), strict=True))

        def write(frame: av.VideoFrame | None) -> None:
            for packet in stream.encode(frame):
                packet.duration = shown_for[packet.pts]
                container.mux(packet)

        for image, tick in zip(frames, ticks.tolist(), strict=True):
            frame = bt709_frame(image)
            frame.pts, frame.time_base = tick, clock
            write(frame)
        write(None)
