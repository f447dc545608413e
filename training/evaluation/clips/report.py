"""Draw clips, track them, measure: motion at every frame rate, jitter, who was found when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from backend.clip_pipeline import ClipRequest, track_from_video
from backend.exchange.smoothing import Strengths
from backend.pipeline import FaceReconstructor
from backend.tracking.track import TrackedClip
from training.evaluation.clips.accuracy import (
    Motion,
    measure_jitter,
    measure_motion,
    measure_presence,
)
from training.evaluation.clips.file import ClipPlan, draw_clip
from training.evaluation.tables import Table

RAW = Strengths(0, 0, 0)
# How many of the strongest expression coefficients the table shows.
SHOWN = 3
MOVING, STANDING = "turn", "still"


@dataclass(frozen=True)
class ClipTrial:
    """Draws clips into a folder and tracks them.

    Attributes
    ----------
    plan
        Length, size and seed of the clips.
    folder
        Where they are left, with their truth.
    reconstructor
        Tracks them.
    strengths
        Of the smoothing.
    """

    plan: ClipPlan
    folder: Path
    reconstructor: FaceReconstructor
    strengths: Strengths

    def report(
        self, scenarios: list[str], rates: list[str], say: Callable[[str], None] = print
    ) -> dict[str, Any]:
        """Measure.

        Parameters
        ----------
        scenarios, rates
            Of `clip_scenarios`. The turning face is drawn at every rate, the others at 25.
        say
            Told what is measured next.

        Returns
        -------
        ``motion`` by rate, ``jitter`` (``raw``, ``smoothed``) and ``presence`` by scenario, as
        far as they were asked for; see `clip_accuracy` for their values.
        """
        model = self.reconstructor.model
        found: dict[str, Any] = {"motion": {}, "jitter": {}, "presence": {}}
        for rate in rates if MOVING in scenarios else ():
            say(f"{MOVING}, {rate} frames/s")
            truth, clip = self._tracked(MOVING, rate)
            found["motion"][rate] = _described(measure_motion(truth, clip, model, self.strengths))
        for scenario in scenarios:
            if scenario == MOVING:
                continue
            say(scenario)
            truth, clip = self._tracked(scenario, "25")
            if scenario == STANDING:
                for name, strengths in (("raw", RAW), ("smoothed", self.strengths)):
                    found["jitter"][name] = asdict(measure_jitter(clip, model, strengths))
            else:
                presence = asdict(measure_presence(truth, clip))
                found["presence"][scenario] = presence | {"people": len(truth.tracks)}
        return found

    def _tracked(self, scenario: str, rate: str) -> tuple[TrackedClip, TrackedClip]:
        """The truth, and what is found."""
        path = self.folder / f"{scenario}_{rate}.mp4"
        plan = replace(self.plan, scenario=scenario, rate=rate)
        truth = draw_clip(plan, self.reconstructor.model, path)
        request = ClipRequest(path, texture_size=None)
        return truth, track_from_video(request, self.reconstructor)


def clip_tables(report: dict[str, Any]) -> list[Table]:
    """The report's tables, those that have something in them."""
    motion = [
        (rate, [m["rotation"], m["lag"], m["landmarks"], *m["correlation"][:SHOWN]])
        for rate, m in report["motion"].items()
    ]
    jitter = [(name, [j["degrees"], j["pixels"]]) for name, j in report["jitter"].items()]
    presence = [
        (name, [p["people"], p["tracks"], 100 * p["found"], 100 * p["mistaken"], p["gaps"]])
        for name, p in report["presence"].items()
    ]
    strongest = tuple(f"expr. {n + 1}" for n in range(SHOWN))
    tables = [
        Table("frames/s", ("rot. RMS", "lag fr.", "mesh %", *strongest), tuple(motion)),
        Table("standing still", ("degrees", "pixels"), tuple(jitter)),
        Table("who", ("people", "tracks", "found %", "wrong %", "gaps"), tuple(presence)),
    ]
    return [table for table in tables if table.rows]


def _described(motion: Motion) -> dict[str, Any]:
    order = motion.strongest
    return {
        "rotation": motion.rotation,
        "lag": motion.lag,
        "landmarks": motion.landmarks,
        "coefficient": order.tolist(),
        "correlation": motion.correlation[order].tolist(),
        "strength": motion.strength[order].tolist(),
    }
