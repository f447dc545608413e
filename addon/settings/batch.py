"""What becomes of a folder's files: choices that are kept with the scene, and may be given."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false

import bpy

IN_THIS_FILE, FILE_EACH = "scene", "files"
RESULTS = (
    (
        IN_THIS_FILE,
        "In This File",
        "Put the heads in a row in this scene, and make an action for each video",
    ),
    (
        FILE_EACH,
        "One .blend Each",
        "Write a .blend file for each photo and video, with head, texture and action. This "
        "file stays as it is",
    ),
)


class BatchOptions:
    """A mix-in of properties."""

    result: bpy.props.EnumProperty(
        name="Result",
        description="Where to put the heads and actions",
        items=RESULTS,
        options={"SKIP_SAVE"},
    )
    output: bpy.props.StringProperty(
        name="Write To",
        description="Folder for the .blend files. Empty: beside the photos and videos",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )


class SYNERGYFACE_PG_batch(BatchOptions, bpy.types.PropertyGroup):
    """What to make from the files in a folder"""


OPTIONS = tuple(BatchOptions.__annotations__)

CLASSES = (SYNERGYFACE_PG_batch,)
