"""The component map: what our miniature and Stable Diffusion v1.5, SDXL, SD3 and FLUX.1 call the same things."""

from diffusion_lab.component_map.tables import (
    Tables,
    compare,
    in_picture,
    of_mini_sd,
    ours,
    page,
    shipped_column,
)

__all__ = ["Tables", "compare", "in_picture", "of_mini_sd", "ours", "page", "shipped_column"]
