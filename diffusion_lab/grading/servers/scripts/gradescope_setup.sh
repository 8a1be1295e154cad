#!/usr/bin/env bash
# Gradescope runs this once, when it builds the image.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
apt-get update
apt-get install -y --no-install-recommends python3 python3-venv
python3 -m venv /opt/diffusion-lab
pip=(/opt/diffusion-lab/bin/python -m pip install --no-cache-dir)
"${pip[@]}" --index-url https://download.pytorch.org/whl/cpu torch torchvision
"${pip[@]}" --requirement "$here/requirements.txt"
