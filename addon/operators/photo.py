"""Operators that turn photos into heads: what the buttons do. The work itself is elsewhere."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false
# Class attributes such as bl_options are Blender's own way to declare them.
# ruff: noqa: RUF012

import logging
from collections.abc import Callable
from typing import Any

import bpy

from ..connection.reconstruction import Reconstruction, reconstruct
from ..exchange.contract import PHOTO_SUFFIXES
from ..exchange.orders import PhotoOrder
from ..preferences import backend_location
from ..problems import Problem
from ..runtime import runtime
from ..scene import identity
from ..scene.build import put_faces
from ..scene.opened import scene_of
from ..scene.photo import Photo, photo_of_file, photo_of_image
from ..settings.heads import MAX_SUBDIVISION, TEXTURE_MODES, TEXTURE_SIZES, WHICH
from ..tasks import Reporter
from .base import Outcome, WhenIdle
from .choosing import DroppedOnView, FileChooser
from .showing import HeadMaker

log = logging.getLogger(__package__)

# The stubs of bpy know Blender's own operators only.
blender_operators: Any = bpy.ops


class PhotoOperator(HeadMaker):
    """Base of the operators that turn a photo into heads."""

    job = "photo"
    which: bpy.props.EnumProperty(
        name="Faces",
        description="The faces in the photo to make heads from",
        items=WHICH,
        options={"SKIP_SAVE"},
    )
    texture_size: bpy.props.EnumProperty(
        name="Texture",
        description="Width and height of the texture",
        items=TEXTURE_SIZES,
        default="1024",
        options={"SKIP_SAVE"},
    )
    texture_mode: bpy.props.EnumProperty(
        name="Fill",
        description="How to fill the parts of the texture that the photo does not show",
        items=TEXTURE_MODES,
        options={"SKIP_SAVE"},
    )
    subdivision: bpy.props.IntProperty(
        name="Subdivision",
        description="Subdivision levels of new heads in renders",
        min=0,
        max=MAX_SUBDIVISION,
        options={"SKIP_SAVE"},
    )

    def photo(self, context: bpy.types.Context) -> Photo:
        """The photo to reconstruct."""
        raise NotImplementedError

    def work(self, context: bpy.types.Context) -> Callable[[Reporter], Any]:
        """Collect photo, order and connection."""
        photo = self.photo(context)
        self.remember(context)
        self._subdivision = self._choice(context, "subdivision")
        self._source, self._name = photo.source, photo.name
        size: Any = int(self._choice(context, "texture_size"))
        self._mode = mode = self._choice(context, "texture_mode")
        order = PhotoOrder(self._choice(context, "which"), size, mode)
        connection, location = runtime().connection, backend_location(context)
        log.info("Face from Image: %s, %s", photo.source, order)
        return lambda report: reconstruct(connection, location, photo.read, order, report)

    def finish(self, context: bpy.types.Context, value: Reconstruction) -> None:
        """Write the heads into the scene, all at once."""
        heads = put_faces(
            self._workplace.scene(context),
            self._workplace.collection(context),
            self._source,
            self._name,
            value.model,
            value.result,
            self._subdivision,
            self.is_watched,
        )
        for head in heads:
            head[identity.TEXTURE_MODE] = self._mode
        made = f"{len(heads)} head{'s' if len(heads) != 1 else ''} from {self._name}"
        self.report({"INFO"}, made + self.show(context, heads))
        for remark in sorted({face.remark for face in value.result.faces if face.remark}):
            self.report({"WARNING"}, remark)

    def _choice(self, context: bpy.types.Context, name: str) -> Any:
        """Value given to the operator, else that of the scene's settings."""
        operator: Any = self
        scene: Any = context.scene
        given = operator.properties.is_property_set(name)
        return getattr(operator if given else scene.synergyface, name)


# No REGISTER on these two: it would offer to run the whole reconstruction again, and to freeze
# Blender for it, whenever a value in "Adjust Last Operation" changes.
class SYNERGYFACE_OT_face_from_image(PhotoOperator, bpy.types.Operator):
    """Make a textured head from the face in a photo. Run it again to update the head"""

    bl_idname = "synergyface.face_from_image"
    bl_label = "Face from Image"
    bl_options = {"UNDO"}

    filepath: bpy.props.StringProperty(name="Photo", subtype="FILE_PATH", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Called by the file handler with a file, by menus without."""
        if not self.filepath:
            blender_operators.synergyface.choose_photo("INVOKE_DEFAULT")
            return {"CANCELLED"}
        return super().invoke(context, event)

    def photo(self, context: bpy.types.Context) -> Photo:
        """The file."""
        if not self.filepath:
            raise Problem("No photo is given.", "Set filepath to a photo.")
        return photo_of_file(self.filepath)


class SYNERGYFACE_OT_choose_photo(FileChooser, bpy.types.Operator):
    """Choose a photo, and make a textured head from the face in it"""

    bl_idname = "synergyface.choose_photo"
    bl_label = "Face from Image"
    bl_options = {"INTERNAL"}

    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{suffix}" for suffix in PHOTO_SUFFIXES), options={"HIDDEN", "SKIP_SAVE"}
    )

    def hand_over(self) -> None:
        """To Face from Image."""
        blender_operators.synergyface.face_from_image("INVOKE_DEFAULT", filepath=self.filepath)


class SYNERGYFACE_OT_face_from_active_image(WhenIdle, PhotoOperator, bpy.types.Operator):
    """Make a textured head from the image that is open in an image editor"""

    bl_idname = "synergyface.face_from_active_image"
    bl_label = "Face from Open Image"
    bl_options = {"UNDO"}

    image: bpy.props.StringProperty(
        name="Image",
        description="Name of the image. Empty: the one that is open",
        options={"SKIP_SAVE"},
    )

    def photo(self, context: bpy.types.Context) -> Photo:
        """The named image, or the open one."""
        image = bpy.data.images.get(self.image) if self.image else open_image(context)
        if image is None:
            raise Problem("No image is open.", "Open a photo in an image editor, and try again.")
        return photo_of_image(image, scene_of(context))


class SYNERGYFACE_FH_photo(DroppedOnView, bpy.types.FileHandler):
    """Drop a photo on the 3D viewport or its sidebar"""

    bl_idname = "SYNERGYFACE_FH_photo"
    bl_label = "Face from Image"
    bl_import_operator = SYNERGYFACE_OT_face_from_image.bl_idname
    bl_file_extensions = ";".join(PHOTO_SUFFIXES)


def open_image(context: bpy.types.Context) -> bpy.types.Image | None:
    """Image of the image editor under the mouse, else of any that is open on the screen."""
    image = getattr(context, "edit_image", None)
    if image is not None or context.screen is None:
        return image
    areas: Any = context.screen.areas
    editors = (area.spaces.active for area in areas if area.type == "IMAGE_EDITOR")
    return next((editor.image for editor in editors if editor.image is not None), None)


CLASSES = (
    SYNERGYFACE_OT_face_from_image,
    SYNERGYFACE_OT_choose_photo,
    SYNERGYFACE_OT_face_from_active_image,
    SYNERGYFACE_FH_photo,
)
