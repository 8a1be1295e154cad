"""What came after DDPM, for lesson 10: preconditioning (`edm`) and consistency distillation (`consistency`).

The straight path of flow matching needs no module of its own: it is the objective "flow" and the schedule
"straight".
"""

from diffusion_lab.variants import consistency, edm

__all__ = ["consistency", "edm"]
