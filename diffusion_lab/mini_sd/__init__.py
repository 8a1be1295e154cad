"""The mini Stable Diffusion of lessons 08 and 09: scenes with captions, a VAE, a text encoder, and what joins them."""
