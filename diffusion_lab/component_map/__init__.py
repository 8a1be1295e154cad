"""The component map: what our miniature and Stable Diffusion v1.5, SDXL, SD3 and FLUX.1 call the same things."""

from diffusion_lab.component_map.tables import Tables, compare, in_picture, ours, page

__all__ = ["Tables", "compare", "in_picture", "ours", "page"]
