"""Florence: heads from rendered views of scans, after PRNet and the SynergyNet paper (Table 10).

Our exact definition, since no public code has one. A scan is in millimetres, y up, its face along
+z. It is rendered under weak perspective at pitch -15, 20, 25 and yaw -80 to 80 in steps of 40
degrees, 15 views. The network sees each in the box that the training's convention puts around the
mean head's landmarks at the scan's nose tip and in the view's pose. The predicted head, with its
expression and without its pose, keeps the vertices within 95 mm of its nose tip, and so does the
scan; ICP moves the first rigidly (no scale) onto the second, from nose tip on nose tip. The error
is the root mean square distance of the moved vertices to the tangent planes at their nearest scan
vertices, in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.geometry.normals import vertex_normals
from backend.geometry.pose import rotation_from_euler
from backend.geometry.rasterizer import interpolate, rasterize
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.vision.crop import crop
from training.evaluation.landmarks.modelling import Surface, point_to_plane_rmse, rigidly_aligned
from training.evaluation.landmarks.predictions import COARSE, Asking, answer
from training.evaluation.tables import Table

Array = NDArray[np.floating]

PITCHES = (-15.0, 20.0, 25.0)
YAWS = (-80.0, -40.0, 0.0, 40.0, 80.0)
RADIUS_MM = 95.0
NOSE_TIP = 30
SIZE = 300
PIXELS_PER_MM = 1.1
BACKGROUND = 0.5
SUFFIXES = (".obj", ".ply", ".stl", ".glb", ".off")


@dataclass(frozen=True)
class Scan:
    """A scanned head.

    Attributes
    ----------
    name
        Of its file.
    vertices
        (V, 3) millimetres, y up, the face along +z.
    triangles
        (T, 3), anticlockwise seen from outside.
    colors
        (V, 3) RGB in [0, 1].
    nose_tip
        (3,) millimetres.
    """

    name: str
    vertices: Array
    triangles: NDArray[np.int32]
    colors: Array
    nose_tip: Array


def read_scans(folder: Path, unit_mm: float = 1.0) -> list[Scan]:
    """Read all meshes of a folder; the nose tip is the vertex furthest along +z.

    Parameters
    ----------
    unit_mm
        Millimetres in one unit of the files.

    Raises
    ------
    BadInputError
        There is none, or one cannot be read.
    """
    paths = (
        sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
        if folder.is_dir()
        else []
    )
    if not paths:
        raise BadInputError(f"There are no scans in {folder}.", f"Give {', '.join(SUFFIXES)}.")
    return [_read_scan(path, unit_mm) for path in paths]


def read_mesh(path: Path) -> Any:
    """A mesh file as a `trimesh.Trimesh` with its vertices as they are.

    Raises
    ------
    BadInputError
        It cannot be read.
    """
    import trimesh

    try:
        mesh = trimesh.load_mesh(path, process=False)
    except Exception as error:
        # Each of trimesh's readers raises what it likes.
        raise BadInputError(f"Cannot read the mesh {path}: {error}.") from error
    if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.vertices):
        raise BadInputError(f"{path} holds no triangle mesh.")
    return mesh


def _read_scan(path: Path, unit_mm: float) -> Scan:
    mesh = read_mesh(path)
    vertices = np.asarray(mesh.vertices, np.float64) * unit_mm
    if mesh.visual.kind is None:
        raise BadInputError(f"{path} has no colours.", "The network needs to see a face.")
    visual = mesh.visual.to_color() if mesh.visual.kind == "texture" else mesh.visual
    colors = np.asarray(visual.vertex_colors, np.float64)[:, :3] / 255
    tip = vertices[vertices[:, 2].argmax()]
    return Scan(path.stem, vertices, np.asarray(mesh.faces, np.int32), colors, tip)


def evaluate_florence(
    model: MorphableModel,
    scans: list[Scan],
    asking: Asking,
) -> dict[str, Any]:
    """Errors of the network on scans, see the module's definition.

    Returns
    -------
    ``scans``, ``rmse`` in millimetres (mean over all views), ``by_yaw`` (mean of each yaw).
    """
    errors = []
    for scan in scans:
        shown = [render(model, scan, yaw, pitch) for yaw, pitch in product(YAWS, PITCHES)]
        answers = answer(
            [crop(image, box) for image, box in shown],
            [box for _, box in shown],
            model,
            asking,
        )
        surface, tip = near_nose(scan)
        for parameters in answers.parameters[COARSE]:
            alpha = np.asarray(parameters[12:], np.float32)
            head = model.vertices(alpha[:40], alpha[40:])
            errors.append(head_error(head, head[model.landmark_indices[NOSE_TIP]], surface, tip))
    table = np.array(errors).reshape(len(scans), len(YAWS), len(PITCHES))
    by_yaw = table.mean(axis=(0, 2))
    return {
        "scans": len(scans),
        "rmse": float(table.mean()),
        "by_yaw": {f"{yaw:g}": float(error) for yaw, error in zip(YAWS, by_yaw, strict=True)},
    }


def near_nose(scan: Scan) -> tuple[Surface, Array]:
    """The part of a scan within 95 mm of its nose tip, and the tip."""
    normals = vertex_normals(scan.vertices, scan.triangles)
    near = np.linalg.norm(scan.vertices - scan.nose_tip, axis=1) <= RADIUS_MM
    return Surface(scan.vertices[near], normals[near]), scan.nose_tip


def head_error(head: Array, tip: Array, surface: Surface, surface_tip: Array) -> float:
    """RMSE in millimetres of a predicted head (V, 3) with its nose tip (3,)."""
    near = head[np.linalg.norm(head - tip, axis=1) <= RADIUS_MM]
    start = np.eye(4)
    start[:3, 3] = surface_tip - tip
    return point_to_plane_rmse(rigidly_aligned(near, surface.vertices, start), surface)


def render(
    model: MorphableModel, scan: Scan, yaw: float, pitch: float
) -> tuple[NDArray[np.uint8], RoiBox]:
    """(300, 300, 3) uint8 RGB view of a scan turned by degrees, and where the network looks."""
    matrix = np.asarray(rotation_from_euler(yaw, pitch, 0)) * PIXELS_PER_MM
    centre = np.array([SIZE / 2, SIZE / 2, 0])

    def place(points: Array) -> NDArray[np.float32]:
        # The nose tip is about 100 mm in front of the head's axis.
        axis = scan.nose_tip - np.array([0, 0, 100.0])
        turned = (points - axis) @ matrix.T
        return (turned * [1, -1, 1] + centre).astype(np.float32)

    vertices = place(scan.vertices)
    fragments = rasterize(vertices, scan.triangles, SIZE, SIZE)
    color = interpolate(fragments, scan.triangles, scan.colors)
    picture = np.where(fragments.covered[..., None], color, BACKGROUND)
    landmarks = model.landmark_mean - model.landmark_mean[NOSE_TIP] + scan.nose_tip
    image = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return image, RoiBox.around(place(landmarks))


def florence_table(report: dict[str, Any]) -> Table:
    """The report as a table."""
    columns = (*(f"yaw {yaw}" for yaw in report["by_yaw"]), "all")
    values = [*report["by_yaw"].values(), report["rmse"]]
    return Table("Florence, point-to-plane RMSE mm", columns, (("ours", values),))
