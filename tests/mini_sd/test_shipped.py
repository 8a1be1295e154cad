"""The shipped miniature does what its card says, on a sample small enough for a test."""

import hashlib
import re

import pytest
import torch

import diffusion_lab as dl
from diffusion_lab.mini_sd import judge, scenes, text, vae
from diffusion_lab.shipped import FOLDER
from diffusion_lab.shipped import shipped as manifest


@pytest.fixture(scope="module")
def shipped():
    return dl.load_pretrained("mini-sd")


@pytest.fixture(scope="module")
def asked(digits) -> scenes.Scenes:
    return judge.exam(40, digits, seed=11)


def test_files_are_whole_and_small_enough_to_ship():
    for name in ("mini-sd", "mini-sd-judge"):
        entry = manifest()[name]
        content = (FOLDER / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert len(content) <= 16e6


def test_card_names_the_commands_and_what_was_measured(shipped):
    assert shipped.card == (FOLDER / "mini-sd.md").read_text(encoding="utf-8")
    for stage in ("vae", "clip", "unet"):
        assert re.search(rf"`diffusion-lab train[- ]mini-sd {stage} --steps \d+ --seed \d+", shipped.card)
    assert "$ diffusion-lab evaluate mini-sd --num-samples 500\n" in shipped.card
    assert "$ diffusion-lab evaluate mini-sd --num-samples 500 --held-out\n" in shipped.card
    for colour, number in scenes.HELD_OUT.items():
        assert f"{colour} {scenes.NUMBERS[number]}" in shipped.card


def test_vae_gives_back_what_it_got_even_handwriting_of_another_kind(shipped, asked):
    images = asked.images
    assert vae.psnr(shipped.decode(shipped.encode(images)), images) > 30
    assert 0.8 < float(shipped.encode(images).std()) < 1.25


def test_pictures_find_their_captions(shipped, asked):
    with torch.no_grad():
        logits = shipped.clip(asked.images, text.tokenize(asked.captions))
    assert (logits.argmax(1) == torch.arange(40)).double().mean() > 0.6


def test_scenes_show_what_their_prompts_say(shipped, asked):
    pictures = shipped.sample(asked.captions, num_steps=12)
    found = judge.compare(asked.layout, asked.captions, judge.load_scene_judge().look(pictures))
    chance = judge.compare(asked.layout, asked.captions, judge.load_scene_judge().look(pictures.roll(1, 0)))
    assert found.share("colour") > 0.8 > chance.share("colour")
    assert found.share("digit") > 0.6 > chance.share("digit")
    assert found.share("position") > 0.6 > chance.share("position")
