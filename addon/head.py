"""One handle on a head in the scene, for scripts and for the add-on itself.

In a script: ``from bl_ext.user_default.synergyface.head import Head``. What the add-on does to a
head lies in ``scene``, in a module for each of its parts; here is what a head has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from .problems import Problem
from .scene import identity, material, parts
from .scene.animation import recorded_action, rescale_actions
from .scene.context_parts import scene_of
from .scene.key_sets import key_set, key_units, make_room
from .scene.motion_table import is_animated
from .scene.photo import Photo, photo_of_source
from .scene.pose import pose_empty
from .scene.selected import chosen_heads, heads_among


@dataclass(frozen=True)
class Fit:
    """Where a photo shows a face.

    Attributes
    ----------
    parameters
        (62,) float32, the network's, in the crop frame of `roi_box`.
    roi_box
        x0, y0, x1, y1 in pixels of the photo.
    image_size
        Width and height of the photo.
    """

    parameters: NDArray[np.float32]
    roi_box: tuple[float, float, float, float]
    image_size: tuple[int, int]


@dataclass(frozen=True)
class Head:
    """A head that the add-on has made, be it renamed, moved, animated or undone since.

    Nothing of Blender's is held: everything is looked up when it is asked for, and is Blender's
    own, to be changed at will. All of it raises `Problem` once the head is in no scene any more.

    Attributes
    ----------
    uid
        Number of its mesh object in this session of Blender.
    """

    uid: int

    @classmethod
    def of(cls, object: bpy.types.Object) -> Head:
        """Handle on a head by its mesh object, its Empty or one of its landmarks.

        Raises
        ------
        Problem
            The object belongs to no head.
        """
        heads = heads_among([object])
        if not heads:
            raise Problem(
                f"{object.name!r} is not a head that SynergyFace made.",
                "Choose a head, or its Empty.",
            )
        return cls(heads[-1].session_uid)

    @classmethod
    def all(cls, scene: bpy.types.Scene) -> list[Head]:
        """Every head of a scene."""
        return cls._of_all(filter(identity.is_head, scene.objects))

    @classmethod
    def chosen(cls, context: bpy.types.Context) -> list[Head]:
        """Return the selected heads; if none is, the active one. The last is the one that panels
        show.
        """
        return cls._of_all(chosen_heads(context))

    @classmethod
    def _of_all(cls, objects: Iterable[bpy.types.Object]) -> list[Head]:
        return [cls(object.session_uid) for object in objects]

    @property
    def in_use(self) -> bool:
        """Whether it is in a scene."""
        return identity.head_in_use(self.uid) is not None

    @property
    def object(self) -> bpy.types.Object:
        """Its mesh object, at the origin of `empty`."""
        object = identity.head_in_use(self.uid)
        if object is None:
            raise Problem("The head was removed.", "Choose another one.")
        return object

    @property
    def name(self) -> str:
        """Of its mesh object."""
        return self.object.name

    @property
    def mesh(self) -> bpy.types.Mesh:
        """Vertices in metres, triangles, UV map, vertex groups of the regions, shape keys."""
        mesh = self.object.data
        assert isinstance(mesh, bpy.types.Mesh)
        return mesh

    @property
    def empty(self) -> bpy.types.Object:
        """What carries its pose: move, turn and scale this. `Problem` if the head left it."""
        return pose_empty(self.object)

    @property
    def pose(self) -> Matrix:
        """Transform of `empty` in the world."""
        return self.empty.matrix_world.copy()

    @property
    def keys(self) -> dict[str, bpy.types.ShapeKey]:
        """Shape keys by name, the user's own too, without the neutral shape."""
        keys = self.mesh.shape_keys
        return {key.name: key for key in list(keys.key_blocks)[1:]} if keys else {}

    @property
    def parts(self) -> dict[str, bpy.types.Object]:
        """What stands beside the face, by name (``eye_left``, ``skull``); empty if it is alone."""
        return parts.parts_of(self.object)

    @property
    def expression(self) -> dict[str, float]:
        """What each of `keys` is set to; the model's own ten in standard deviations."""
        units = self._units()
        return {name: key.value * units.get(name, 1.0) for name, key in self.keys.items()}

    def express(self, values: Mapping[str, float]) -> None:
        """Set some of `keys`; the model's own ten in standard deviations, as large as you like.

        Raises
        ------
        Problem
            The head has no key of that name. Nothing has changed then.
        """
        object, keys = self.object, self.keys
        for name in values:
            if name not in keys:
                raise Problem(f"The head {object.name!r} has no shape key {name!r}.")
        before = key_units(object)
        amounts = np.array([abs(values.get(name, 0.0)) for name in key_set(object).names])
        rescale_actions(object, before / make_room(object, amounts))
        units = self._units()
        for name, value in values.items():
            keys[name].value = value / units.get(name, 1.0)

    @property
    def material(self) -> bpy.types.Material | None:
        """Of its skin; None if the user took it off."""
        return identity.owned(filter(None, self.mesh.materials), self.object[identity.UUID])

    @property
    def texture(self) -> bpy.types.Image | None:
        """Of its skin, packed into the .blend file; None if it has none."""
        return identity.owned(bpy.data.images, self.object[identity.UUID])

    def put_texture(self, png: NDArray[np.uint8]) -> None:
        """Give it another texture, of a PNG file's bytes; see `scene.material.put_texture`."""
        material.put_texture(self.object, self.name, png)

    @property
    def source(self) -> str:
        """Absolute path of the photo or clip that it was made from; ``image:`` and a name for an
        image of the .blend file."""
        return str(self.object.get(identity.SOURCE, ""))

    @property
    def photo(self) -> Photo | None:
        """The photo that it was made from; None if it was made from a clip.

        `Problem` if that was an image of the .blend file which is no longer there.
        """
        return photo_of_source(self.source, scene_of(bpy.context)) if self.fit else None

    @property
    def fit(self) -> Fit | None:
        """Where its photo shows the face; None if it was made from a clip."""
        object = self.object
        if identity.PARAMETERS not in object or identity.SOURCE not in object:
            return None
        x0, y0, x1, y1 = (float(v) for v in object[identity.ROI_BOX])
        width, height = (int(v) for v in object[identity.IMAGE_SIZE])
        parameters = np.array(object[identity.PARAMETERS], np.float32)
        return Fit(parameters, (x0, y0, x1, y1), (width, height))

    @property
    def action(self) -> bpy.types.Action | None:
        """The action of a clip that moves it at present."""
        return recorded_action(self.object)

    @property
    def is_animated(self) -> bool:
        """Whether any action moves it at present."""
        return is_animated(self.object)

    def _units(self) -> dict[str, float]:
        object = self.object
        units: Any = key_units(object)
        return dict(zip(key_set(object).names, units.tolist(), strict=True))
