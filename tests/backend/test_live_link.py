"""Files of Live Link Face: what other programs write is read, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from backend.exchange.expressions import EXPRESSION_NAMES
from backend.exchange.live_link import (
    ANGLES,
    LiveLinkError,
    LiveLinkTake,
    read_live_link,
    resampled,
    timecode,
    write_live_link,
)
from backend.output.live_link import export_live_link
from backend.tracking.track import Track, TrackedClip
from backend.vision.clip import ClipInfo

JAW = EXPRESSION_NAMES.index("jawOpen")
# As the app writes it: right before left, and frames at 60 a second.
APP = """Timecode,BlendShapeCount,EyeBlinkRight,EyeBlinkLeft,JawOpen,HeadYaw,HeadPitch,HeadRoll
10:24:31:58.250,61,0.1,0.2,0.3,0.01,-0.02,0.03

10:24:31:59.250,61,0.1,0.2,0.4,0.01,-0.02,0.03
10:24:31:59.250,61,0.1,0.2,0.5,0.01,-0.02,0.03
10:24:32:02.250,61,0.1,0.2,0.6,0.01,-0.02,0.03
"""


def a_take() -> LiveLinkTake:
    rng = np.random.default_rng(0)
    return LiveLinkTake(
        np.array([0.0, 0.02, 0.1, 2.5]),
        rng.uniform(0, 1, (4, 52)).astype(np.float32),
        rng.normal(0, 0.3, (4, 9)).astype(np.float32),
        first_timecode=3661.5,
    )


def test_what_is_written_is_read_again() -> None:
    take = a_take()
    found = read_live_link(write_live_link(take))
    np.testing.assert_allclose(found.seconds, take.seconds, atol=2e-5)
    np.testing.assert_allclose(found.keys, take.keys, atol=1e-6)
    assert found.angles is not None and take.angles is not None
    np.testing.assert_allclose(found.angles, take.angles, atol=1e-6)
    assert found.missing == ()
    assert found.first_timecode == pytest.approx(3661.5, abs=1e-4)


def test_the_header_is_the_apps() -> None:
    header = write_live_link(a_take()).splitlines()[0].split(",")
    assert header[:3] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft"]
    assert len(header) == 2 + 61
    assert header[-9:] == list(ANGLES)
    assert "TongueOut" in header


def test_doubled_frames_are_left_out_and_dropped_ones_stay_away() -> None:
    found = read_live_link(APP)
    np.testing.assert_allclose(found.seconds, np.array([0, 1, 4]) / 60, atol=1e-9)
    np.testing.assert_allclose(found.keys[:, JAW], [0.3, 0.4, 0.6])
    assert found.angles is not None
    np.testing.assert_allclose(found.angles[0, :4], [0.01, -0.02, 0.03, 0], atol=1e-7)
    assert "tongueOut" in found.missing and "jawOpen" not in found.missing


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + APP,
        APP.replace("\n", "\r\n"),
        APP.replace("JawOpen", " jawOpen "),
        APP.replace(",HeadYaw,HeadPitch,HeadRoll", "").replace(",0.01,-0.02,0.03", ""),
        APP.replace("BlendShapeCount", "Something").replace(",61,", ",,"),
        "\n\n" + APP,
    ],
    ids=["mark", "Windows", "spelling", "no head", "no count", "blank lines"],
)
def test_variants_are_read(text: str) -> None:
    np.testing.assert_allclose(read_live_link(text).keys[:, JAW], [0.3, 0.4, 0.6])


def test_timecodes_go_over_midnight_and_count_in_other_rates() -> None:
    head = "Timecode,JawOpen\n"
    found = read_live_link(head + "23:59:59:59.000,0\n00:00:00:00.000,1\n")
    np.testing.assert_allclose(found.seconds, [0, 1 / 60], atol=1e-9)
    at_30 = "".join(f"01:00:{i // 30:02}:{i % 30:02},{i / 200}\n" for i in range(150))
    np.testing.assert_allclose(read_live_link(head + at_30).seconds, np.arange(150) / 30, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("Timecode,BlendShapeCount,JawOpen\n", "no frames"),
        ("frame,time,yaw\n0,0,1\n", "no column Timecode"),
        ("Timecode,Speed\n00:00:00:00,1\n", "none of the 52"),
        ("Timecode,JawOpen\n00:00:00:00.0,much\n", "Line 2: JawOpen is 'much'"),
        ("Timecode,JawOpen\n\n00:00:00:00.0,1\nnow,1\n", "Line 4: 'now' is no timecode"),
        ("Timecode,JawOpen,EyeBlinkLeft\n00:00:00:00.0,1\n", "Line 2 has 2 values"),
        ("Timecode,JawOpen,jawopen\n00:00:00:00.0,1,1\n", "Two columns are named JawOpen"),
        ("Timecode,JawOpen\n00:00:00:00.0,nan\n", "'nan'"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(LiveLinkError, match=said):
        read_live_link(text)


def test_timecodes_carry_fractions_over() -> None:
    assert timecode(62.5) == "00:01:02:30.000"
    assert timecode(1 - 1e-7) == "00:00:01:00.000"
    assert timecode(0.0125) == "00:00:00:00.750"


def test_resampling_is_even_and_holds_through_gaps() -> None:
    values = np.array([[0.0], [1.0], [np.nan], [3.0]])
    even, found = resampled(np.array([0.0, 0.5, 1.0, 1.5]), values, 4)
    np.testing.assert_allclose(even, np.arange(7) / 4)
    np.testing.assert_allclose(found[:, 0], [0, 0.5, 1, 1, 1, 2, 3])


def test_a_track_is_exported_at_60_frames_a_second_with_head_and_eyes() -> None:
    rng = np.random.default_rng(5)
    yaw, pitch, roll = 0.4, -0.2, 0.1
    rotation = Rotation.from_euler("YXZ", [yaw, pitch, roll]).as_matrix()
    n = 4
    keys = rng.uniform(0, 1, (n, 52)).astype(np.float32)
    values = {
        "parameters": np.zeros((n, 62)), "roi_boxes": np.zeros((n, 4)),
        "rotation": np.tile(rotation, (n, 1, 1)), "scale": np.ones(n),
        "translation": np.zeros((n, 3)), "expression": np.zeros((n, 10)),
        "landmarks": np.zeros((n, 68, 3)), "keys": keys,
        "gaze": np.tile([10.0, 5.0, -10.0, 5.0], (n, 1)),
    }  # fmt: skip
    seen: dict[str, Any] = {n: np.array(value, np.float32) for n, value in values.items()}
    confidence = np.ones(n, np.float32)
    # The third frame is a gap.
    confidence[2] = 0
    for value in seen.values():
        value[2] = np.nan
    track = Track(
        number=0, alpha_shape=np.zeros(40, np.float32), confidence=confidence, texture=None, **seen
    )
    times = 10 + np.arange(n) / 30
    clip = TrackedClip(ClipInfo(64, 48, 30.0, "clip"), times, np.arange(n), (track,))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "livelink.csv"
        export_live_link(path, clip, track)
        found = read_live_link(path.read_text("utf-8"))
    np.testing.assert_allclose(found.seconds, np.arange(7) / 60, atol=1e-4)
    assert found.first_timecode == pytest.approx(10)
    np.testing.assert_allclose(found.keys[[0, 2, 4, 6]], keys[[0, 1, 1, 3]], atol=1e-5)
    assert found.angles is not None
    np.testing.assert_allclose(found.angles[0, :3], [yaw, pitch, roll], atol=1e-5)
    left, right = found.angles[0, 3:6], found.angles[0, 6:9]
    np.testing.assert_allclose(np.degrees(left), [-10, -5, 0], atol=1e-3)
    np.testing.assert_allclose(np.degrees(right), [10, -5, 0], atol=1e-3)
