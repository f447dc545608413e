"""`synergyface bench`: ratios, and the peer whose weights a user may give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.benchmarks.photo import LANDMARKS, MB05, MESH, NETWORK, PEER, Timing, ratios
from backend.cli import main
from backend.errors import BadInputError

WEIGHTS = Path(__file__).parents[3] / "shared" / "reference" / "mb05_3ddfa_v2.npz"


def test_ratios_say_how_much_longer_the_peers_take() -> None:
    timings = [Timing(LANDMARKS, 4, 1), Timing(MESH, 8, 1), Timing(PEER, 32, 1)]
    assert list(ratios(timings).values()) == [8, 4]
    assert (
        ratios([Timing(NETWORK, 2, 1), Timing(MB05, 1, 1), *timings])[f"{MB05} / {NETWORK}"] == 0.5
    )


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_other_files_are_no_weights(tmp_path: Path, content: bytes) -> None:
    from backend.benchmarks.peers import Mb05

    (tmp_path / "mb05.npz").write_bytes(content)
    with pytest.raises(BadInputError, match="does not contain the weights of mb05"):
        Mb05(tmp_path / "mb05.npz")


def test_repeat_is_checked() -> None:
    assert main(["bench", "--repeat", "0"]) == 2


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="mb05's weights are not on this computer")
def test_mb05_sees_the_face_that_we_see(reconstructor: Any) -> None:
    """So it is the network that it is called: its landmarks lie where ours do."""
    from backend.benchmarks.peers import Mb05
    from backend.commands.demo import sample_image
    from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE
    from backend.vision.crop import crop

    photo = sample_image()
    crops = crop(photo, reconstructor.detect(photo)[0].roi_box)[None]
    with np.load(WEIGHTS) as arrays:
        parameters = Mb05(WEIGHTS).run(crops)[0] * arrays["param_std"] + arrays["param_mean"]
    matrix = parameters[:12].reshape(3, 4)
    model = reconstructor.model
    head = model.landmark_mean + model.landmark_basis @ parameters[12:]
    landmarks = head @ matrix[:, :3].T * MICROMETRES_PER_MILLIMETRE + matrix[:, 3]
    ours = reconstructor.quick_engine.run(crops).coarse[0]
    assert np.abs(landmarks - ours)[:, :2].mean() < 4


def test_landmarks_without_a_mesh_are_those_of_the_network(reconstructor: Any) -> None:
    from backend.commands.demo import sample_image
    from backend.vision.crop import crop

    photo = sample_image()
    box = reconstructor.detect(photo)[0].roi_box
    found = reconstructor.landmarks(photo, [box, box])
    refined = reconstructor.quick_engine.run(crop(photo, box)[None]).refined[0]
    assert found.shape == (2, 68, 3)
    np.testing.assert_allclose(found[0], box.to_image(refined), atol=1e-2)
    # Her eyes, measured by hand in the photo: the middle between the corners of each.
    eyes = found[0, 36:48, :2].reshape(2, 6, 2).mean(axis=1)
    np.testing.assert_allclose(eyes, [[203, 101], [248, 103]], atol=4)
