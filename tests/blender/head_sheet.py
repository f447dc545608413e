"""A sheet of many people's heads, rendered by Blender from the front and from both sides.

.venv/bin/python tests/blender/head_sheet.py reconstruct FOLDER PHOTO...
.venvs/bpy-5.0.1/bin/python tests/blender/head_sheet.py render FOLDER
.venv/bin/python tests/blender/head_sheet.py join FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pictures import ROOT, look, prepare, put_head

SIZE, SAMPLES = 256, 12
VIEWS = (0.0, 40.0, -40.0)
COLUMNS = 2


def reconstruct(folder: Path, photos: list[Path]) -> None:
    """Write what the backend would send to the add-on, and each photo's face."""
    import cv2

    from backend.answers.faces import faces_result, static_model
    from backend.exchange import contract
    from backend.pipeline import FaceReconstructor
    from backend.vision.crop import crop
    from backend.vision.images import read_image

    reconstructor = FaceReconstructor.load("cpu")
    for number, photo in enumerate(photos):
        target = folder / f"{number:02d}"
        target.mkdir(parents=True, exist_ok=True)
        image = read_image(photo)
        faces = reconstructor.faces_from_image(image, which="largest")
        height, width = image.shape[:2]
        result = contract.encode_faces(faces_result(faces, (width, height)))
        (target / "faces.bin").write_bytes(result)
        model = contract.encode_model(static_model(reconstructor.model))
        (target / "model.bin").write_bytes(model)
        portrait = crop(image, faces[0].roi_box, SIZE)
        cv2.imwrite(str(target / "photo.png"), portrait[:, :, ::-1])


def render(folder: Path) -> None:
    """Write one still per head and view."""
    import bpy

    for target in sorted(folder.glob("[0-9][0-9]")):
        scene: Any = put_head(bpy, target)
        prepare(bpy, scene)
        scene.cycles.samples = SAMPLES
        scene.render.resolution_x = scene.render.resolution_y = SIZE
        for index, yaw in enumerate(VIEWS):
            look(scene, yaw)
            scene.render.filepath = str(target / f"view_{index}.png")
            bpy.ops.render.render(write_still=True)


def join(folder: Path) -> None:
    """Write ``heads.png``: for each person the photo and the views, two people in a row."""
    import cv2
    import numpy as np

    names = ["photo.png", *(f"view_{index}.png" for index in range(len(VIEWS)))]
    people = []
    for target in sorted(folder.glob("[0-9][0-9]")):
        pictures = [cv2.imread(str(target / name)) for name in names]
        people.append(np.hstack([np.asarray(picture) for picture in pictures]))
    people += [np.full_like(people[0], 255)] * (-len(people) % COLUMNS)
    rows = [np.hstack(people[at : at + COLUMNS]) for at in range(0, len(people), COLUMNS)]
    cv2.imwrite(str(folder / "heads.png"), np.vstack(rows))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    step, folder = sys.argv[1], Path(sys.argv[2])
    if step == "reconstruct":
        reconstruct(folder, [Path(name) for name in sys.argv[3:]])
    else:
        {"render": render, "join": join}[step](folder)
