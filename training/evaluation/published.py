"""Figures that the SynergyNet paper prints (Wu, Xu, Neumann, 3DV 2021), to show beside ours.

NME in percent, angles in degrees. The last column of the alignment tables is the unweighted mean
of the yaw bins, that of Table 8 is the mean of the angles.
"""

from __future__ import annotations

from training.evaluation.tables import Table

_BINS = ("0-30", "30-60", "60-90", "bins' mean")


def _table(
    title: str, columns: tuple[str, ...], *rows: tuple[str, *tuple[float | None, ...]]
) -> Table:
    """Return a table from rows of a name and numbers."""
    return Table(title, columns, tuple((name, values) for name, *values in rows))


TABLE_4 = _table(
    "Table 4: AFLW2000-3D original, NME %",
    _BINS,
    ("ESR", 4.60, 6.70, 12.67, 7.99),
    ("3DDFA", 3.43, 4.24, 7.17, 4.94),
    ("Dense Corr", 3.62, 6.06, 9.56, 6.41),
    ("3DSTN", 3.15, 4.33, 5.98, 4.49),
    ("3D-FAN", 3.16, 3.53, 4.60, 3.76),
    ("3DDFA-PAMI", 2.84, 3.57, 4.96, 3.79),
    ("PRNet", 2.75, 3.51, 4.61, 3.62),
    ("2DASL", 2.75, 3.46, 4.45, 3.55),
    ("3DDFA-V2 (MR)", 2.75, 3.49, 4.53, 3.59),
    ("3DDFA-V2 (MRS)", 2.63, 3.42, 4.48, 3.51),
    ("SynergyNet", 2.65, 3.30, 4.27, 3.41),
    # Supplement D: landmarks of the mesh that the reverse network reads back.
    ("SynergyNet, read back", None, None, None, 6.48),
)

TABLE_S2_REANNOTATED = _table(
    "Table S2: AFLW2000-3D reannotated, NME %",
    _BINS,
    ("DHM", 2.28, 3.10, 6.95, 4.11),
    ("3DDFA", 2.84, 3.52, 5.15, 3.83),
    ("PRNet", 2.35, 2.78, 4.22, 3.11),
    ("MGCNet", 2.72, 3.12, 3.76, 3.20),
    ("Deng et al.", 2.56, 3.11, 4.45, 3.37),
    ("3DDFA-V2", 2.84, 3.03, 4.13, 3.33),
    # Table 1 of the paper gives 2.16, 2.61, 3.66, 2.81 for the same network.
    ("SynergyNet", 2.05, 2.49, 3.52, 2.65),
)

TABLE_5 = _table(
    "Table 5: AFLW 21 points, NME %",
    _BINS,
    ("ESR", 5.66, 7.12, 11.94, 8.24),
    ("3DDFA", 4.75, 4.83, 6.39, 5.32),
    ("3D-FAN", 4.40, 4.52, 5.17, 4.69),
    ("3DSTN", 3.55, 3.92, 5.21, 4.23),
    ("3DDFA-PAMI", 4.11, 4.38, 5.16, 4.55),
    ("PRNet", 4.19, 4.69, 5.45, 4.77),
    ("3DDFA-V2", 3.98, 4.31, 4.99, 4.43),
    # Table 5's row equals that of ResNet-50 in the supplement's study of backbones.
    ("SynergyNet (ResNet-50)", 3.76, 3.92, 4.48, 4.06),
    ("SynergyNet (MobileNetV2)", 3.86, 4.13, 4.61, 4.20),
)

TABLE_8 = _table(
    "Table 8: AFLW2000-3D orientation, MAE degrees",
    ("yaw", "pitch", "roll", "mean"),
    ("PnP-landmark", 5.92, 11.76, 8.27, 8.65),
    ("FAN-12 point", 6.36, 12.30, 8.71, 9.12),
    ("HopeNet", 6.47, 6.56, 5.44, 6.16),
    ("SSRNet-MD", 5.14, 7.09, 5.89, 6.01),
    ("FSANet", 4.50, 6.08, 4.64, 5.07),
    ("QuatNet", 3.97, 5.62, 3.92, 4.15),
    ("TriNet", 4.20, 5.77, 4.04, 3.97),
    ("RankPose", 2.99, 4.75, 3.25, 3.66),
    ("3DDFA-TPAMI", 4.33, 5.98, 4.30, 4.87),
    ("2DASL", 3.85, 5.06, 3.50, 4.13),
    ("3DDFA-V2", 4.06, 5.26, 3.48, 4.27),
    ("SynergyNet", 3.42, 4.09, 2.55, 3.35),
    ("SynergyNet, read back", None, None, None, 5.76),
)

TABLE_9_PROTOCOL_1 = _table(
    "Table 9: dense, protocol 1 (ICP), NME %",
    ("NME",),
    ("3DDFA", 5.37),
    ("DeFA", 5.55),
    ("PRNet", 3.96),
    ("2DASL", 2.10),
    ("SynergyNet", 1.97),
)

TABLE_9_PROTOCOL_2 = _table(
    "Table 9: dense, protocol 2 (aligned), NME %",
    ("NME",),
    ("3DDFA", 6.56),
    ("DeFA", 6.04),
    ("3DDFA-V2", 4.18),
    ("SynergyNet", 4.06),
)

TABLE_10 = _table(
    "Table 10: Florence, point-to-plane RMSE",
    ("RMSE",),
    ("PRNet", 2.25),
    ("2DASL", 2.05),
    ("3DDFA-V2", 2.04),
    ("SynergyNet", 1.87),
)
