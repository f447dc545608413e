"""A sheet of a clip and of Blender's head through the matched camera, a row for every half second.

.venvs/bpy-5.0.1/bin/python tests/blender/clip_sheet.py render CLIP FOLDER [FOCAL_LENGTH]
.venv/bin/python tests/blender/clip_sheet.py join CLIP FOLDER

The first starts the real backend, which needs the model's data, and animates a head as the button
does; the second writes ``clip.png``: the film, the head, and half of each.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pictures import ROOT, light_evenly, use_cycles

WIDTH, SAMPLES = 320, 32
SECONDS = 0.5


def render(clip: Path, folder: Path, focal_length: float = 50.0) -> None:
    """Write ``head.blend``, and a still with a transparent background for every half second."""
    # By way of the tests' conftest, which keeps Blender from the user's own settings.
    from conftest import bpy

    folder.mkdir(parents=True, exist_ok=True)
    scene = animate(clip, folder, focal_length)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "head.blend"))
    # White: the texture has the film's light in it already.
    light_evenly(bpy, scene, 1.0)
    use_cycles(scene, SAMPLES)
    scene.render.film_transparent = True
    scene.render.resolution_percentage = round(100 * WIDTH / scene.render.resolution_x)
    rate = scene.render.fps / scene.render.fps_base
    seconds = 0.0
    while scene.frame_start + seconds * rate <= scene.frame_end:
        frame, part = divmod(scene.frame_start + seconds * rate, 1)
        scene.frame_set(int(frame), subframe=part)
        scene.render.filepath = str(folder / f"still_{1000 * seconds:06.0f}.png")
        bpy.ops.render.render(write_still=True)
        seconds += SECONDS


def animate(clip: Path, folder: Path, focal_length: float = 50.0) -> Any:
    """An empty scene with the add-on's head, animated by the real backend, and the camera."""
    from conftest import MODULE, PYTHON, backend_python, bpy, ops

    backend_python(str(ROOT / "build_addon.py"), "--output", str(folder))
    [package] = folder.glob("*.zip")
    bpy.ops.extensions.package_install_files(
        filepath=str(package), repo="user_default", enable_on_install=True
    )
    preferences: Any = bpy.context.preferences.addons[MODULE].preferences
    preferences.mode, preferences.python = "python", PYTHON
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    ops.synergyface.animate_from_video(
        filepath=str(clip), use_camera=True, use_scene_rate=True, focal_length=focal_length
    )
    ops.synergyface.stop_backend()
    return bpy.context.scene


def join(clip: Path, folder: Path) -> None:
    """Write ``clip.png``."""
    import cv2
    import numpy as np

    from backend.vision.clip import Range
    from backend.vision.video import VideoFile

    stills = sorted(folder.glob("still_*.png"))
    seconds = np.array([int(path.stem.removeprefix("still_")) / 1000 for path in stills])
    frames = [(frame.time, frame.image) for frame in VideoFile(clip).frames(Range())]
    times = np.array([time for time, _ in frames])
    rows = []
    for path, nearest in zip(stills, np.abs(times - seconds[:, None]).argmin(axis=1), strict=True):
        still = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.float32)
        size = still.shape[1::-1]
        film = cv2.resize(frames[nearest][1], size, interpolation=cv2.INTER_AREA)[:, :, ::-1]
        head, cover = still[:, :, :3], still[:, :, 3:] / 255
        overlay = film + 0.5 * cover * (head - film)
        rows.append(np.hstack([film, head * cover, overlay]))
    cv2.imwrite(str(folder / "clip.png"), np.vstack(rows).round().astype(np.uint8))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    step, clip, folder = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3])
    if step == "render":
        render(clip, folder, *map(float, sys.argv[4:5]))
    else:
        join(clip, folder)
