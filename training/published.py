"""Ablations that the SynergyNet paper prints (Wu, Xu, Neumann, 3DV 2021), to show beside ours.

NME in percent on AFLW2000-3D by yaw, with the unweighted mean of the bins last; mean absolute
errors of angles in degrees. Rows bear the names of the configs that train them.
"""

from __future__ import annotations

from dataclasses import dataclass

BINS = ("0-30", "30-60", "60-90", "bins' mean")
ANGLES = ("yaw", "pitch", "roll", "mean")
SIZE = "M params"


@dataclass(frozen=True)
class PublishedRow:
    """One row.

    Attributes
    ----------
    config
        Name of the config in ``configs/synergynet/ablations``.
    label
        What the paper calls it.
    values
        One per column of the table.
    """

    config: str
    label: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class PublishedTable:
    """One table: title with unit, names of columns, rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[PublishedRow, ...]


def _table(
    title: str, columns: tuple[str, ...], *rows: tuple[str, str, *tuple[float, ...]]
) -> PublishedTable:
    return PublishedTable(
        title,
        columns,
        tuple(PublishedRow(config, label, tuple(values)) for config, label, *values in rows),
    )


TABLE_1 = _table(
    "Table 1: AFLW2000-3D original, NME %",
    BINS,
    ("plain", "neither", 2.99, 3.80, 4.86, 3.88),
    ("mafa_only", "MAFA", 2.68, 3.32, 4.35, 3.49),
    ("reverse_only", "landmark-to-3DMM", 2.69, 3.57, 4.69, 3.65),
    ("full", "both", 2.66, 3.30, 4.27, 3.41),
)

TABLE_1_REANNOTATED = _table(
    "Table 1: AFLW2000-3D reannotated, NME %",
    BINS,
    ("plain", "neither", 2.34, 2.99, 4.27, 3.20),
    ("mafa_only", "MAFA", 2.24, 2.67, 3.76, 2.89),
    ("reverse_only", "landmark-to-3DMM", 2.23, 2.69, 3.90, 2.94),
    ("full", "both", 2.16, 2.61, 3.66, 2.81),
)

# MAFA alone has 2.67 3.34 4.51 3.51 here and 2.68 3.32 4.35 3.49 in Table 1.
TABLE_2 = _table(
    "Table 2: AFLW2000-3D original, NME %",
    BINS,
    ("points_only", "point feature", 2.73, 3.51, 4.51, 3.58),
    ("points_image", "point + image feature", 2.68, 3.40, 4.61, 3.56),
    ("mafa_only", "MAFA", 2.67, 3.34, 4.51, 3.51),
    ("reverse_pose", "MAFA + reverse (pose)", 2.68, 3.31, 4.55, 3.51),
    ("reverse_shape_expression", "MAFA + reverse (shape, expr)", 2.67, 3.32, 4.47, 3.48),
    ("full", "MAFA + reverse (all)", 2.66, 3.30, 4.27, 3.41),
)

TABLE_3 = _table(
    "Table 3: AFLW2000-3D original, NME %",
    BINS,
    ("comparison1", "comparison 1", 2.63, 3.35, 4.50, 3.49),
    ("comparison2", "comparison 2", 2.62, 3.31, 4.31, 3.41),
    ("full", "adopted", 2.66, 3.30, 4.27, 3.41),
)

TABLE_6 = _table(
    "Table 6: AFLW2000-3D, MAE degrees",
    ANGLES,
    ("plain", "neither", 3.97, 4.93, 3.28, 4.06),
    ("mafa_only", "MAFA", 3.72, 4.37, 2.88, 3.65),
    ("reverse_only", "landmark-to-3DMM", 3.67, 4.48, 2.95, 3.70),
    ("full", "both", 3.42, 4.09, 2.55, 3.35),
)

TABLE_7 = _table(
    "Table 7: AFLW2000-3D, MAE degrees",
    ANGLES,
    ("points_only", "point feature", 3.81, 4.42, 2.89, 3.71),
    ("points_image", "point + image feature", 3.72, 4.39, 2.85, 3.66),
    ("mafa_only", "MAFA", 3.72, 4.37, 2.88, 3.65),
    ("reverse_pose", "MAFA + reverse (pose)", 3.58, 4.06, 2.57, 3.40),
    ("reverse_shape_expression", "MAFA + reverse (shape, expr)", 3.47, 4.23, 2.59, 3.43),
    ("full", "MAFA + reverse (all)", 3.42, 4.09, 2.55, 3.35),
)

TABLE_S2_ALIGNMENT = _table(
    "Table S2: AFLW2000-3D original, NME %",
    (SIZE, *BINS),
    ("plain", "image to 3DMM", 3.0, 2.99, 3.80, 4.86, 3.88),
    ("larger_plain", "image to 3DMM (larger)", 3.8, 2.98, 3.82, 4.77, 3.86),
    ("full", "SynergyNet", 3.8, 2.66, 3.30, 4.27, 3.41),
)

TABLE_S2_ORIENTATION = _table(
    "Table S2: AFLW2000-3D, MAE degrees",
    (SIZE, *ANGLES),
    ("plain", "image to 3DMM", 3.0, 3.97, 4.93, 3.28, 4.06),
    ("larger_plain", "image to 3DMM (larger)", 3.8, 3.80, 4.62, 2.84, 3.75),
    ("full", "SynergyNet", 3.8, 3.42, 4.09, 2.55, 3.35),
)

ABLATIONS = (
    TABLE_1,
    TABLE_1_REANNOTATED,
    TABLE_2,
    TABLE_3,
    TABLE_6,
    TABLE_7,
    TABLE_S2_ALIGNMENT,
    TABLE_S2_ORIENTATION,
)
