"""What becomes of a folder's files: choices that are kept with the scene, and may be given."""

# Blender reads property annotations as they stand, so they may not be postponed here.
# pyright: reportInvalidTypeForm=false

import bpy

IN_THIS_FILE, FILE_EACH = "scene", "files"
RESULTS = (
    (IN_THIS_FILE, "In This File", "Heads in a row, and an action for each film"),
    (
        FILE_EACH,
        "One .blend Each",
        "A .blend file for each photo and each film, with its head, texture and action; this "
        "file stays as it is",
    ),
)


class BatchOptions:
    """A mix-in of properties."""

    result: bpy.props.EnumProperty(
        name="Result",
        description="Where the heads and actions go",
        items=RESULTS,
        options={"SKIP_SAVE"},
    )
    output: bpy.props.StringProperty(
        name="Write To",
        description="Folder of the .blend files; empty: beside the photos and films",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )


class SYNERGYFACE_PG_batch(BatchOptions, bpy.types.PropertyGroup):
    """What becomes of a folder's files"""


OPTIONS = tuple(BatchOptions.__annotations__)

CLASSES = (SYNERGYFACE_PG_batch,)
