"""A JupyterLab of its own, for the browser tests and benchmarks/widgets.py.

It serves notebooks from an empty home, with settings that make it quiet.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nbformat

SETTINGS = {
    "apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "notebook-extension/tracker": {"autoStartDefaultKernel": True, "windowingMode": "none"},
}
KERNEL_IS_IDLE = """async () => {
  const widget = window.jupyterapp && window.jupyterapp.shell.currentWidget;
  if (!widget || !widget.context) return false;
  await widget.context.ready; await widget.sessionContext.ready;
  const kernel = widget.sessionContext.session && widget.sessionContext.session.kernel;
  return !!kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle'; }"""
RUN_ALL = """() => { window.ran = null; window.jupyterapp.commands.execute('notebook:run-all-cells')
  .then(ok => window.ran = {ok}, error => window.ran = {ok: false, error: String(error)}) }"""
NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"


@contextmanager
def jupyterlab(
    home: Path, notebooks: Mapping[str, nbformat.NotebookNode], trusted: bool = False
) -> Iterator[str]:
    """Serve notebooks from `home`; gives the address. Stored players move at once if the notebooks are `trusted`."""
    for name, notebook in notebooks.items():
        nbformat.write(notebook, home / name)
    for name, values in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run"}
    folders |= {
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "spaces",
        "IPYTHONDIR": "ipython",
    }
    environment = os.environ | {"HOME": str(home), "DIFFUSION_LAB_QUICK": "1", "DIFFUSION_LAB_CARDS": "on"}
    environment |= {variable: str(home / folder) for variable, folder in folders.items()}
    if trusted:
        trust = [sys.executable, "-m", "jupyter", "trust", *(str(home / name) for name in notebooks)]
        subprocess.run(trust, env=environment, check=True, capture_output=True)
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
    ]
    command += [
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=test",
        "--LabApp.expose_app_in_browser=True",
    ]
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token=test", timeout=1)
                break
            except OSError:
                assert server.poll() is None, (home / "lab.log").read_text()
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(15)


def open_notebook(page, address: str, name: str) -> None:
    """Open a notebook in a workspace of its own."""
    place = f"{address}/lab/workspaces/w{time.time_ns()}/tree/{name}?token=test&reset"
    page.goto(place, wait_until="domcontentloaded")
    page.locator(f"{NOTEBOOK} .jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)


def run_all(page) -> None:
    """Run every cell, once the kernel is there."""
    page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)
    page.evaluate(RUN_ALL)
    page.wait_for_function("() => window.ran", timeout=240_000)
    assert page.evaluate("() => window.ran.ok") is True
