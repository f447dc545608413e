"""What all tests share: the fetched face model, and a backend in this process.

The backend's reconstructor is small enough to see through.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.backend.fake_tracking import FakeTracking
from tests.backend_client import BackendClient

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backend.exchange import contract
    from backend.exchange.orders import PhotoOrder
    from backend.expressions.basis import ExpressionBasis
    from backend.morphable_model.model import MorphableModel
    from backend.pipeline import FaceReconstructor
    from backend.server.clip_paths import ClipPaths
    from backend.server.limits import Limits
    from backend.server.reconstructor import Reconstructor

TOKEN = "a-token-that-only-the-tests-know"


@pytest.fixture(scope="session")
def model() -> MorphableModel:
    """The Basel Face Model, fetched if this computer has none yet."""
    from backend.errors import MissingAssetError
    from backend.morphable_model.sources import fetch_model
    from backend.morphable_model.storage import load_model

    try:
        return load_model()
    except MissingAssetError:
        return fetch_model()


@pytest.fixture(scope="session")
def detector_file() -> Path:
    """The face detector's model, fetched if this computer has none yet."""
    from backend.errors import MissingAssetError
    from backend.vision.sources import detector_path, fetch_detector

    try:
        return detector_path()
    except MissingAssetError:
        return fetch_detector()


@pytest.fixture(scope="session")
def expressions(model: MorphableModel, detector_file: Path) -> ExpressionBasis:
    """The 52 expressions, fetched if this computer has none yet."""
    from backend.errors import MissingAssetError
    from backend.expressions.storage import load_basis
    from backend.head.sources import fetch_whole_heads

    try:
        return load_basis()
    except MissingAssetError:
        fetch_whole_heads()
        return load_basis()


@pytest.fixture(scope="session")
def reconstructor(model: MorphableModel, detector_file: Path) -> FaceReconstructor:
    """The real pipeline on the CPU, with the weights that we ship."""
    from backend.engines.engine import load_engine
    from backend.pipeline import FaceReconstructor
    from backend.synergynet.weights import SHIPPED_WEIGHTS
    from backend.vision.detection import FaceDetector

    engine = load_engine(model, "cpu", SHIPPED_WEIGHTS)
    return FaceReconstructor(model, FaceDetector(detector_file), engine)


class FakeReconstructor(FakeTracking):
    """Knows four vertices. What it does is written in the photo.

    ``fast`` returns a face whose first expression is the photo's length; ``slow`` goes on until
    `release` is set, reporting progress, and ``silent`` without; ``no face`` and ``bug`` fail.
    """

    device = "cpu"

    def __init__(self) -> None:
        super().__init__()
        self.slow_ones_started = threading.Semaphore(0)
        self.slow_ones_stopped = threading.Semaphore(0)
        self.calls: list[tuple[str, int | None]] = []

    def static_model(self) -> contract.StaticModel:
        import numpy as np

        from backend.exchange import contract

        return contract.StaticModel(
            mean=np.eye(4, 3, dtype=np.float32),
            triangles=np.array([[0, 1, 2], [0, 2, 3]], np.int32),
            mouth=np.array([[0, 1, 3]], np.int32),
            uv=np.eye(4, 2, dtype=np.float32),
            expression_basis=np.ones((10, 4, 3), np.float32),
            landmark_indices=np.zeros(68, np.int32),
            regions={"face": np.full(4, 255, np.uint8)},
        )

    def faces(
        self, photo: bytes, order: PhotoOrder, progress: Callable[[float, str], None]
    ) -> contract.FacesResult:
        from backend.errors import NoFaceError

        self.calls.append((order.which, order.texture_size))
        progress(0.25, "detecting")
        if photo.startswith(b"no face"):
            raise NoFaceError("There is no face in the photo.", "Take another one.")
        if photo.startswith(b"bug"):
            raise ZeroDivisionError("the secret of /home/somebody")
        if photo.startswith(b"slow"):
            self._be_slow(progress)
        if photo.startswith(b"silent"):
            self.slow_ones_started.release()
            self.release.wait(10)
        return a_result(first_expression=len(photo))

    def texture(
        self,
        order: contract.TextureOrder,
        size: int,
        mode: str,
        progress: Callable[[float, str], None],
    ) -> NDArray[np.uint8]:
        """The photo's bytes in place of a picture's."""
        self.calls.append((mode, size))
        progress(0.5, "making the texture")
        return order.photo

    def _be_slow(self, progress: Callable[[float, str], None]) -> None:
        self.slow_ones_started.release()
        try:
            while not self.release.wait(0.005):
                progress(0.5, "fitting")
        finally:
            self.slow_ones_stopped.release()


def a_result(first_expression: float) -> contract.FacesResult:
    """One face of four vertices."""
    import numpy as np

    from backend.exchange import contract

    expression = np.zeros(10, np.float32)
    expression[0] = first_expression
    face = contract.FaceResult(
        neutral=np.arange(12, dtype=np.float32).reshape(4, 3),
        expression=expression,
        parameters=np.linspace(-1, 1, 62, dtype=np.float32),
        landmarks=np.full((68, 3), 2.5, np.float32),
        landmarks_coarse=np.full((68, 3), 3.5, np.float32),
        texture_png=np.frombuffer(b"\x89PNG\r\n", np.uint8),
        roi_box=(1.0, 2.0, 101.0, 102.0),
        pose=contract.FacePose(10.0, -5.0, 2.0, 1.5, (50.0, 60.0, 0.0), (1.0, 0.0, 0.0, 0.0)),
    )
    return contract.FacesResult((face,), (640, 480))


class RunningBackend(BackendClient):
    """A real server on a real port, in a thread."""

    def __init__(self, port: int, reconstructor: FakeReconstructor, stop: Callable[[], None]):
        super().__init__(port, TOKEN)
        self.reconstructor = reconstructor
        self.stop = stop


@contextmanager
def _running(
    load: Callable[[], Reconstructor] | None = None,
    limits: Limits | None = None,
    paths: ClipPaths | None = None,
) -> Iterator[RunningBackend]:
    from backend.server.app import create_app
    from backend.server.process import Server, listen

    reconstructor = FakeReconstructor()
    ready = threading.Event()
    app = create_app(load or (lambda: reconstructor), TOKEN, limits=limits, paths=paths)
    with listen(0) as listener:
        server = Server(app, on_ready=lambda _: ready.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(10)
            yield RunningBackend(listener.getsockname()[1], reconstructor, server.stop)
        finally:
            reconstructor.release.set()
            server.stop()
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def start_backend() -> Iterator[Callable[..., RunningBackend]]:
    """Start backends in the test's process; see `_running` for what may be given."""
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(_running(*args, **kwargs))


@pytest.fixture(scope="module")
def shared_backend() -> Iterator[RunningBackend]:
    """One backend for the tests of a module that leave nothing behind."""
    with _running(None, None) as running:
        yield running
