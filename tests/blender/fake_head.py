"""A whole head for the fake backend's dome: a few parts, and some of the 52 keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# Not in the order of the 52, and not all of them.
KEYS = (
    "jawOpen",
    "eyeBlinkRight",
    "eyeBlinkLeft",
    "eyeLookOutLeft",
    "eyeLookInRight",
    "mouthSmileLeft",
    "browInnerUp",
    "cheekPuff",
    "tongueOut",
)
EYES = {"left": np.array([0.035, -0.1, 0.03]), "right": np.array([-0.035, -0.1, 0.03])}
RADIUS = 0.012
JAW = np.array([0.0, 0.01, -0.03])
NEAR = 0.03

Mesh = tuple[np.ndarray, np.ndarray, np.ndarray]


def grid(rows: int, columns: int, place: Callable[[np.ndarray, np.ndarray], Any]) -> Mesh:
    """Vertices, UV and quads of a sheet; `place` takes numbers from 0 to 1 to points."""
    u, v = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1)
    quads = np.stack([corner, corner + 1, corner + columns + 1, corner + columns], axis=1)
    points = np.stack(np.broadcast_arrays(*place(u, v)), axis=-1).reshape(-1, 3)
    return points, np.stack([u, v], axis=-1).reshape(-1, 2), quads


def _skull(u: np.ndarray, v: np.ndarray) -> Any:
    """The back of the dome."""
    across, up = np.pi * (u + 0.5), np.pi * (v - 0.5) * 0.9
    back = -0.09 * np.cos(across) * np.cos(up)
    return 0.09 * np.sin(across) * np.cos(up), 0.02 + np.abs(back), 0.11 * np.sin(up)


def _eye(centre: np.ndarray) -> Callable[[np.ndarray, np.ndarray], Any]:
    def place(u: np.ndarray, v: np.ndarray) -> Any:
        across, up = np.pi * (u - 0.5), np.pi * (v - 0.5) * 0.9
        direction = np.sin(across) * np.cos(up), -np.cos(across) * np.cos(up), np.sin(up)
        return tuple(c + RADIUS * d for c, d in zip(centre, direction, strict=True))

    return place


def _sheet(depth: float, height: float) -> Callable[[np.ndarray, np.ndarray], Any]:
    return lambda u, v: (0.04 * (u - 0.5), depth + 0 * u, height + 0.01 * v)


SHAPES: dict[str, tuple[Mesh, str]] = {
    "skull": (grid(7, 9, _skull), "skin"),
    "eye_left": (grid(6, 7, _eye(EYES["left"])), "eye"),
    "eye_right": (grid(6, 7, _eye(EYES["right"])), "eye"),
    "teeth_upper": (grid(2, 5, _sheet(-0.09, -0.04)), "mouth"),
    "teeth_lower": (grid(2, 5, _sheet(-0.09, -0.055)), "mouth"),
    "tongue": (grid(3, 3, _sheet(-0.08, -0.05)), "mouth"),
    "cavity": (grid(3, 4, _sheet(-0.07, -0.05)), "mouth"),
}


def static_parts(contract: Any) -> dict[str, Any]:
    """What all heads' parts have in common; the first polygon of each is cut into triangles."""
    parts = {}
    for name, ((_, uv, quads), material) in SHAPES.items():
        a, b, c, d = quads[0]
        corners = np.concatenate([[a, b, c, a, c, d], quads[1:].ravel()])
        sizes = np.array([3, 3, *[4] * (len(quads) - 1)])
        parts[name] = contract.StaticPart(
            corners.astype(np.int32), sizes.astype(np.int32), uv.astype(np.float32), material
        )
    return parts


def eye_patches(mean: np.ndarray) -> np.ndarray:
    """(V,) 0 or 1: the vertices of the dome in front of the eyes."""
    distances = [np.linalg.norm((mean - eye)[:, [0, 2]], axis=1) for eye in EYES.values()]
    return (np.min(distances, axis=0) < RADIUS).astype(float)


def moves(name: str, points: np.ndarray) -> np.ndarray:
    """(N, 3) what a key adds to points of the face."""
    offsets = np.zeros_like(points)
    x, _, z = points.T
    if name == "jawOpen":
        offsets[z < -0.045] = JAW
    elif name.startswith("eyeBlink"):
        centre = EYES["left" if name.endswith("Left") else "right"]
        lid = np.linalg.norm((points - centre)[:, [0, 2]], axis=1) < NEAR
        offsets[lid & (z > centre[2])] = (0, 0, -0.008)
    elif name.startswith("eyeLook"):
        offsets[np.linalg.norm(points - EYES["left"], axis=1) < NEAR / 2] = (0.001, 0, 0)
    elif name == "mouthSmileLeft":
        offsets[(x > 0.01) & (np.abs(z + 0.045) < 0.02)] = (0.006, 0, 0.01)
    elif name == "browInnerUp":
        offsets[(np.abs(x) < 0.03) & (z > 0.04)] = (0, 0, 0.01)
    elif name == "cheekPuff":
        offsets[np.abs(x) > 0.04] = np.sign(x[np.abs(x) > 0.04])[:, None] * (0.008, 0, 0)
    return offsets


def part_moves(part: str, name: str, points: np.ndarray) -> np.ndarray:
    """(N, 3) what a key adds to points of a part."""
    if part in ("teeth_lower", "tongue") and name == "jawOpen":
        return np.tile(JAW, (len(points), 1))
    if part == "tongue" and name == "tongueOut":
        return np.tile([0, -0.03, 0], (len(points), 1))
    if part == "eye_left" and name == "eyeLookOutLeft":
        return _turned(points, EYES["left"], 25)
    if part == "eye_right" and name == "eyeLookInRight":
        return _turned(points, EYES["right"], 25)
    return np.zeros_like(points)


def _turned(points: np.ndarray, centre: np.ndarray, degrees: float) -> np.ndarray:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return (points - centre) @ turn.T + centre - points


def named_keys(contract: Any, points: np.ndarray, moved: Callable[[str, Any], Any]) -> Any:
    """Those vertices that the keys move; keys that move none are left out of a part."""
    offsets = {name: moved(name, points) for name in KEYS}
    vertices = {name: np.flatnonzero(np.abs(o).max(axis=1)) for name, o in offsets.items()}
    return contract.NamedKeys(
        KEYS,
        np.cumsum([0, *map(len, vertices.values())]).astype(np.int32),
        np.concatenate(list(vertices.values())).astype(np.int32),
        np.concatenate([offsets[name][vertices[name]] for name in KEYS]).astype(np.float32),
    )


def moving_keys(contract: Any, points: np.ndarray, moved: Callable[[str, Any], Any]) -> Any:
    """As `named_keys`, without those that move nothing."""
    keys = named_keys(contract, points, moved)
    names = tuple(name for name in KEYS if len(keys.of(name)[0]))
    if not names:
        return contract.NO_KEYS
    return contract.NamedKeys(
        names,
        np.cumsum([0, *(len(keys.of(name)[0]) for name in names)]).astype(np.int32),
        np.concatenate([keys.of(name)[0] for name in names]),
        np.concatenate([keys.of(name)[1] for name in names]),
    )


def whole_head(
    contract: Any, neutral: np.ndarray, picture: np.ndarray, *, parts: bool = True, wide: float = 1
) -> Any:
    """A head around a dome's vertices; `wide` stretches its parts to both sides."""
    scale = np.array([wide, 1, 1])
    shapes = {
        name: contract.PartShape(
            (points * scale).astype(np.float32),
            moving_keys(contract, points, lambda key, p, name=name: part_moves(name, key, p)),
        )
        for name, ((points, _, _), _) in SHAPES.items()
        if parts
    }
    images = {"eye": picture, "mouth": picture} if parts else {}
    keys = named_keys(contract, neutral / scale, moves)
    return contract.WholeHead(keys, shapes, images)
