"""``python -m diffusion_lab`` is ``diffusion-lab``."""

import sys

from diffusion_lab.cli import main

sys.exit(main())
