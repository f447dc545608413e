"""All vertices of many heads in their pictures, by one matrix product."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import split


class DenseDecoder(nn.Module):
    """Parameters to vertices.

    A vertex in the picture is ``L (m + B a) + t`` with a 3x3 matrix L for each face. As L and a
    enter linearly, it is one product of the 153 numbers ``L_rc [1, a]`` of a face's row with one
    matrix for all, and no head without pose is written between.

    Parameters
    ----------
    model
        The morphable model; its arrays are no part of the state.
    """

    columns: Tensor

    def __init__(self, model: MorphableModel) -> None:
        super().__init__()
        mean = torch.from_numpy(model.mean)
        basis = torch.from_numpy(model.basis).reshape(-1, *mean.shape)
        # (51, V, 3) -> (3, 51, V): by the coordinate that L_rc takes, then mean and basis.
        columns = torch.cat([mean[None], basis]).permute(2, 0, 1)
        columns = MICROMETRES_PER_MILLIMETRE * columns.reshape(-1, len(mean))
        self.register_buffer("columns", columns.contiguous(), persistent=False)

    def forward(self, parameters: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
        """Vertices in the image frame.

        Parameters
        ----------
        parameters
            (N, 62).
        turn, shift
            (N, 3, 3) and (N, 3) from the crop frame to the image frame.

        Returns
        -------
        (N, 3, V).
        """
        matrix, alpha = split(parameters)
        linear = turn @ matrix[:, :, :3]
        place = (turn @ matrix[:, :, 3:]).squeeze(-1) + shift
        with_mean = torch.cat([torch.ones_like(alpha[:, :1]), alpha], dim=1)
        rows = linear[..., None] * with_mean[:, None, None]
        vertices = rows.flatten(0, 1).flatten(1) @ self.columns
        return vertices.reshape(len(parameters), 3, -1).add_(place[..., None])
