"""A backend as small as the installer lets it be: a wheel with the commands that it calls.

Its version and its health are written into it.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from addon.installer.locks import Lock
from addon.installer.payload import Payload

NEEDED = "needed"
SOURCE = """
import hashlib, hmac, http.server, json, os, pathlib, sys

VERSION, STATE = {version!r}, {state!r}
data = pathlib.Path(os.environ["SYNERGYFACE_DATA"])

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/v1/session?nonce="):
            nonce, ours = self.path.rpartition("=")[2], "0" * 64
            self.expected = "Bearer " + nonce + "." + ours + "." + self.proof("client", nonce)
            proof = self.proof("backend", nonce)
            self.answer({{"nonce": ours, "port": self.server.server_port, "proof": proof}})
            return
        assert self.headers["Authorization"] == self.expected
        problem = {{"detail": "The weights are damaged.", "remedy": "Fetch them."}}
        health = {{"state": STATE, "version": VERSION, "device": "fake", "problem": problem}}
        self.answer(health)

    def proof(self, prover, nonce):
        said = f"synergyface session {{prover}} {{self.server.server_port}} {{nonce}} {{'0' * 64}}"
        token = os.environ["SYNERGYFACE_TOKEN"].encode()
        return hmac.digest(token, said.encode(), hashlib.sha256).hex()

    def answer(self, fields):
        body = json.dumps(fields).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

if sys.argv[1:2] == ["serve"]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(json.dumps({{"ready": True, "port": server.server_port}}), flush=True)
    server.serve_forever()
elif sys.argv[1:3] == ["assets", "register"]:
    record = {{"python": sys.executable, "version": VERSION}}
    (data / "installation.json").write_text(json.dumps(record))
else:
    assert sys.argv[1:3] == ["assets", "fetch"], sys.argv
    assert "--accept-bfm-license" in sys.argv and "--no-register" in sys.argv
"""


def payload(folder: Path, version: str = "1.0", state: str = "ready") -> Payload:
    """A payload of a version whose health check says `state`."""
    files = {
        "backend/__init__.py": "",
        "backend/cli.py": SOURCE.format(version=version, state=state),
    }
    wheel = _wheel(folder, "synergyface", version, files)
    needed = hashlib.sha256(_needed(folder).read_bytes()).hexdigest()
    locks: dict[Lock, str] = {
        "pip": "",
        "cpu": f"{NEEDED}==1.0 \\\n    --hash=sha256:{needed}\n",
        "gpu": "torch==1.0 \\\n    --hash=sha256:00\n",
    }
    return Payload(wheel, locks, version)


def wheels(folder: Path) -> Path:
    """A folder of wheels with all that the fake backend needs besides itself."""
    folder.mkdir()
    _needed(folder)
    return folder


def _needed(folder: Path) -> Path:
    return _wheel(folder, NEEDED, "1.0", {f"{NEEDED}.py": ""})


def _wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            # Without the time of day: the same version is the same file.
            archive.writestr(zipfile.ZipInfo(member), content)
    return path
