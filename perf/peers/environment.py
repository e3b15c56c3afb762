# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""The virtual environment that the peers run in: made once, from PyPI.

PyTorch's wheel there brings CUDA's libraries and does not load without them, so the environment takes about 5 GB even
though only its CPU code runs."""

import subprocess
import sys
import venv

PACKAGES = {
    "pytorch": ["torch==2.15.0", "numpy"],
    "onnxruntime": ["onnxruntime==1.31.1", "onnx==1.23.2", "numpy"],
    "openvino": ["openvino==2026.4.1", "numpy"],
}


def prepare(folder, peers):
    """(its Python, the peers that could be installed); says why one could not."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    ready = []
    for peer in peers:
        note = folder / f"{peer}.txt"  # written last: it is there only if all packages are
        if not (note.is_file() and note.read_text().split() == PACKAGES[peer]):
            print(f"installing {peer} in {folder.name}, a few minutes ...", file=sys.stderr)
            command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES[peer]]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                print(f"{peer} is left out: {(done.stderr.strip() or 'pip failed').splitlines()[-1]}", file=sys.stderr)
                continue
            note.write_text("\n".join(PACKAGES[peer]) + "\n")
        ready.append(peer)
    return python, ready
