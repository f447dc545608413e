"""A head as a glTF file: textured mesh, closed mouth; what else is in it is up to the caller."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry.normals import vertex_normals
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.mouth import MOUTH_COLOR

if TYPE_CHECKING:
    import trimesh

Tree = dict[str, Any]

ROUGHNESS = 0.6
# glTF's numbers for its types.
FLOAT, UNSIGNED_INT = 5126, 5125
TYPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4"}


def head_mesh(vertices: NDArray[np.float64], model: MorphableModel, visual: Any) -> trimesh.Trimesh:
    """Return the head, with the vertices and triangles in the model's order.

    Parameters
    ----------
    vertices
        (V, 3) metres.
    visual
        Of trimesh: colours or texture.
    """
    import trimesh

    # Without process=False trimesh merges and reorders vertices.
    return trimesh.Trimesh(
        vertices,
        model.triangles,
        vertex_normals=vertex_normals(vertices, model.triangles),
        visual=visual,
        metadata={"name": "head"},
        process=False,
    )


def textured_mesh(
    vertices: NDArray[np.float64], model: MorphableModel, texture: NDArray[np.uint8] | None
) -> trimesh.Trimesh:
    """Return the head with a material that glTF knows.

    Parameters
    ----------
    vertices
        (V, 3) metres.
    texture
        (S, S, 3) RGB, row 0 is v = 1; without one the head is white.
    """
    from PIL import Image
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    material = PBRMaterial(
        name="head",
        baseColorTexture=None if texture is None else Image.fromarray(texture),
        baseColorFactor=[255, 255, 255, 255],
        metallicFactor=0.0,
        roughnessFactor=ROUGHNESS,
        # The head is a shell without a back.
        doubleSided=True,
    )
    return head_mesh(vertices, model, TextureVisuals(uv=model.uv, material=material))


def encode_glb(mesh: trimesh.Trimesh, complete: Callable[[GltfFile], None]) -> bytes:
    """Return bytes of a GLB file with one mesh, after `complete` has put more into it."""
    from trimesh.exchange.gltf import export_glb

    return export_glb(
        mesh.scene(),
        include_normals=True,
        buffer_postprocessor=lambda buffers, tree: complete(GltfFile(tree, buffers)),
    )


@dataclass(frozen=True)
class GltfFile:
    """A file in the making: its JSON and its buffers by name, both of trimesh."""

    tree: Tree
    buffers: MutableMapping[Any, bytes]

    def close_mouth(self, mouth: NDArray[np.integer]) -> None:
        """Let (M, 3) dark triangles between the mesh's vertices close the mouth."""
        self.tree["materials"].append(
            {
                "name": "mouth",
                "pbrMetallicRoughness": {
                    "baseColorFactor": [*_linear(MOUTH_COLOR), 1.0],
                    "metallicFactor": 0.0,
                    "roughnessFactor": ROUGHNESS,
                },
                "doubleSided": True,
            }
        )
        primitives = self.tree["meshes"][0]["primitives"]
        primitives.append(
            {
                **primitives[0],
                "indices": self._add("mouth", mouth.reshape(-1).astype("<u4"), UNSIGNED_INT),
                "material": len(self.tree["materials"]) - 1,
            }
        )

    def accessor(self, name: str, values: NDArray[np.floating]) -> int:
        """Return the index of a new accessor of (N,), (N, 3) or (N, 4) values."""
        return self._add(name, np.ascontiguousarray(values, "<f4"), FLOAT)

    def _add(self, name: str, values: NDArray[Any], component: int) -> int:
        self.buffers[name] = values.tobytes()
        self.tree["accessors"][name] = {
            "bufferView": len(self.buffers) - 1,
            "componentType": component,
            "type": TYPES[values.shape[1:]],
            "count": len(values),
            "min": np.atleast_1d(values.min(axis=0)).tolist(),
            "max": np.atleast_1d(values.max(axis=0)).tolist(),
        }
        return len(self.tree["accessors"]) - 1


def _linear(color: tuple[float, ...]) -> list[float]:
    """Return the linear RGB of sRGB, by IEC 61966-2-1."""
    srgb = np.array(color)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).tolist()
