"""Images in [-1, 1] become bytes, files and figures."""

import base64
import io

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from PIL import Image

from diffusion_lab import figures
from diffusion_lab.figures import with_few_colours

mpl.use("Agg")


def constant(*values: float, channels: int = 1, height: int = 3, width: int = 4) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None, None, None].expand(-1, channels, height, width)


@pytest.mark.parametrize(
    ("value", "byte"), [(-1, 0), (1, 255), (0, 128), (-0.5, 64), (-7, 0), (1.01, 255), (1 - 2 / 255, 254)]
)
def test_to_uint8_maps_minus_one_to_0_and_one_to_255(value, byte):
    pixels = figures.to_uint8(constant(value))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (1, 3, 4)
    assert (pixels == byte).all()


def test_to_uint8_puts_colours_last():
    image = torch.stack([torch.full((3, 4), value) for value in (-1.0, 0.0, 1.0)])[None]
    pixels = figures.to_uint8(image)
    assert pixels.shape == (1, 3, 4, 3)
    assert pixels[0, 2, 3].tolist() == [0, 128, 255]


@pytest.mark.parametrize("shape", [(1, 2, 4, 4), (4, 4), (1, 4, 4)])
def test_to_uint8_refuses_other_shapes(unchecked, shape):
    with pytest.raises(ValueError, match=r"images must have shape"):
        figures.to_uint8(torch.zeros(shape))


@pytest.mark.parametrize(
    ("number", "columns", "shape"), [(1, 8, (3, 4)), (3, 8, (3, 16)), (4, 2, (8, 10)), (5, 3, (8, 16))]
)
def test_grid_geometry(number, columns, shape):
    canvas = figures.grid(constant(*[-1.0] * number), columns)
    assert canvas.shape == shape
    assert (canvas == 0).sum() == number * 3 * 4, "a picture is missing or overwritten"


def test_grid_runs_row_by_row_on_white():
    canvas = figures.grid(constant(-1, -0.5, 0), columns=2, gap=1)
    assert canvas[[0, 0, 4, 4], [0, 5, 0, 5]].tolist() == [0, 64, 128, 255]
    assert (canvas[3] == 255).all()
    assert (canvas[:, 4] == 255).all()


def test_grid_of_colour_images():
    assert figures.grid(constant(0, 1, channels=3), columns=1).shape == (8, 4, 3)


def test_enlarge_repeats_pixels():
    pixels = np.array([[0, 255]], np.uint8)
    assert np.array(figures.enlarge(pixels, 2)).tolist() == [[0, 0, 255, 255]] * 2


def test_save_picture_writes_a_png(tmp_path):
    frame = np.arange(12, dtype=np.uint8).reshape(3, 4)
    figures.save_picture(tmp_path / "one.png", [frame], scale=2)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == (8, 6)
        assert (np.array(picture)[::2, ::2] == frame).all()


def test_save_picture_writes_an_animation_that_rests_on_the_last_frame(tmp_path):
    frames = [np.full((3, 4), value, np.uint8) for value in (0, 100, 200)]
    figures.save_picture(tmp_path / "three.gif", frames, frame_ms=50)
    durations = []
    with Image.open(tmp_path / "three.gif") as picture:
        assert picture.format == "GIF"
        for index in range(picture.n_frames):
            picture.seek(index)
            durations.append(picture.info["duration"])
            assert picture.convert("L").getpixel((0, 0)) == frames[index][0, 0]
    assert durations == [50, 50, 2000]


def test_save_picture_keeps_the_old_file_when_it_fails(tmp_path):
    path = tmp_path / "old.png"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        figures.save_picture(path, [np.zeros((3, 4), np.complex64)])
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("old.png", b"old")]


# figures


def pixels_of(picture: figures.Picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB"))


@pytest.mark.parametrize(
    ("show", "alt"),
    [
        (
            lambda: figures.show_images(constant(-1, 0, 1), columns=2, title="three", labels=["a", "b"]),
            "three",
        ),
        (lambda: figures.show_images(constant(-1, 1, channels=3)), "2 pictures"),
        (lambda: figures.show_images(constant(0), title="one", alt="a grey square"), "a grey square"),
        (lambda: figures.show_histograms({"one": torch.randn(100)}, title="noise"), "noise"),
        (lambda: figures.show_histograms({"a": torch.randn(9, 2), "b": torch.zeros(5)}, alt="two"), "two"),
        (lambda: figures.show_points({"one": torch.zeros(5, 2)}, title="a spot"), "a spot"),
        (lambda: figures.show_points({"a": torch.randn(50, 2), "b": torch.randn(9, 2)}, alt="two"), "two"),
        (
            lambda: figures.show_curves([0, 1], {"a": [1, 2], "b": [2, 1]}, x_label="t", y_label="y"),
            "y over t: a, b",
        ),
        (
            lambda: figures.show_curves(
                [1, 2], {k: [0.1, 10] for k in "abcde"}, x_label="t", y_label="y", log=True, alt="flat"
            ),
            "flat",
        ),
    ],
)
def test_show_functions_return_a_picture_with_words(show, alt):
    picture = show()
    assert isinstance(picture.figure, mpl.figure.Figure)
    assert picture.alt == alt
    assert not pyplot.get_fignums(), "registered with pyplot, a notebook shows it twice"
    assert (pixels_of(picture) != 255).any(), "the figure is blank"


def test_show_curves_takes_tensors():
    x, y = torch.arange(3), torch.tensor([1.0, 4.0, 9.0])
    picture = figures.show_curves(x, {"squares": y}, x_label="t", y_label="y")
    (line,) = picture.figure.axes[0].lines
    assert line.get_xydata().tolist() == [[0, 1], [1, 4], [2, 9]]


def test_picture_is_a_png_with_words_in_a_notebook(tmp_path):
    picture = figures.show_points({"a": torch.zeros(5, 2)}, alt="a spot")
    shown, about = picture._repr_mimebundle_()
    assert base64.b64decode(shown["image/png"]) == picture.png
    assert shown["text/plain"] == about["image/png"]["alt"] == "a spot"
    picture.save(tmp_path / "new" / "spot.png")
    assert (tmp_path / "new" / "spot.png").read_bytes() == picture.png
    assert picture.png.startswith(b"\x89PNG")


def test_show_images_shows_paper_black_and_ink_white_as_given():
    pixels = pixels_of(figures.show_images(constant(-1, 1, height=28, width=28), columns=2))
    middle = pixels[pixels.shape[0] // 2]
    quarter = pixels.shape[1] // 4
    assert middle[[quarter, 3 * quarter]].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_panels_share_one_scale():
    figure = figures.show_points({"a": torch.zeros(2, 2), "b": torch.ones(2, 2)}, limit=1.5).figure
    assert [axes.get_xlim() for axes in figure.axes] == [(-1.5, 1.5)] * 2
    figure = figures.show_histograms({"a": torch.zeros(9), "b": torch.randn(99)}, limit=2.0).figure
    assert len({axes.get_ylim() for axes in figure.axes}) == 1


def test_histogram_is_a_density_beside_the_normal_one():
    axes = figures.show_histograms({"noise": torch.randn(2000)}).figure.axes[0]
    area = sum(bar.get_width() * bar.get_height() for bar in axes.patches)
    x, y = axes.lines[0].get_data()
    assert area == pytest.approx(1, abs=0.01)
    assert (y[1:] + y[:-1]) / 2 @ np.diff(x) == pytest.approx(1, abs=0.01)
    assert y.max() == pytest.approx(0.3989, abs=1e-3)


@pytest.mark.parametrize(
    ("point", "place"),
    [((0, 0), (60, 60)), ((-0.99, 0.99), (0, 0)), ((0.5, -0.5), (90, 90)), ((0.5, 0.5), (30, 90))],
)
def test_cloud_strip_puts_y_upwards(point, place):
    strip = np.array(figures.cloud_strip([torch.zeros(0, 2), torch.tensor([point])], limit=1.0))
    assert strip.shape == (120, 244)
    assert np.argwhere(strip < 255).tolist() == [[place[0], 124 + place[1]]]


def test_cloud_strip_leaves_out_what_is_outside():
    far = torch.tensor([[1.0, 0.0], [0.0, -1.0], [-5.0, 0.0], [0.0, 7.0], [3.0, 3.0]])
    assert (np.array(figures.cloud_strip([far], limit=1.0)) == 255).all()


def test_labelled_grid_stands_in_rows_and_columns_with_their_names():
    rows = {"dark": [np.zeros((8, 8), np.uint8)] * 3, "red": [np.full((4, 8, 3), (255, 0, 0), np.uint8)] * 3}
    picture = figures.labelled_grid(rows, ["a", "b", "c"], title="all", alt="black above red")
    axes = picture.figure.axes
    assert picture.alt == "black above red"
    assert [one.get_title() for one in axes[:3]] == ["a", "b", "c"]
    assert [axes[k].get_xlabel() for k in (0, 3)] == ["dark", "red"]
    assert (axes[0].images[0].get_clim(), axes[0].images[0].get_interpolation()) == ((0, 255), "nearest")
    pixels = np.array(Image.open(io.BytesIO(picture.png)).convert("RGB"))
    middle = [pixels[:, int(pixels.shape[1] * share)] for share in (1 / 6, 1 / 2, 5 / 6)]
    for column in middle:
        black, red = ((column == colour).all(axis=1).nonzero()[0] for colour in ((0, 0, 0), (255, 0, 0)))
        assert len(black) > 100
        assert 40 < len(red) < len(black)
        assert black[0] < red[0]


def test_pictures_have_a_palette_and_up_to_256_colours_stay_exact():
    rng = np.random.default_rng(0)
    grey = np.repeat(rng.integers(0, 256, (40, 40, 1), dtype=np.uint8), 3, axis=2)
    few = rng.integers(0, 6, (40, 40, 3), dtype=np.uint8) * 51
    for pixels in (grey, few):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        again = Image.open(io.BytesIO(with_few_colours(buffer.getvalue())))
        assert again.mode == "P"
        assert (np.array(again.convert("RGB")) == pixels).all()


def test_a_few_coloured_strokes_among_many_shades_keep_their_colours():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60, (200, 200, 3), dtype=np.uint8)  # a dark ground of very many shades
    strokes = [(250, 230, 30), (190, 50, 230), (255, 40, 40), (60, 100, 255), (30, 200, 50), (255, 255, 255)]
    for k, colour in enumerate(strokes):
        pixels[30 * k + 5 : 30 * k + 7, 20:40] = colour  # 40 pixels of 40,000
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    again = np.array(Image.open(io.BytesIO(with_few_colours(buffer.getvalue()))).convert("RGB"))
    for k, colour in enumerate(strokes):
        assert np.abs(again[30 * k + 5, 30].astype(int) - colour).max() < 25, colour


def test_dark_greys_take_no_tint_from_the_palette():
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(8, 40, (200, 200, 1), dtype=np.uint8), 3, axis=2)
    pixels[:40] = rng.integers(0, 256, (40, 200, 3), dtype=np.uint8)  # very many colours besides
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    again = np.array(Image.open(io.BytesIO(with_few_colours(buffer.getvalue()))).convert("RGB"))[40:].astype(
        int
    )
    assert (again.max(axis=2) - again.min(axis=2)).mean() < 4


def test_a_picture_of_curves_is_small_and_looks_the_same():
    figure, (axes,) = figures.new_figure()
    for k in range(5):
        axes.plot(range(10), [j * k for j in range(10)])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    picture = figures.Picture(figure, "lines")
    assert len(picture.png) < 0.5 * len(buffer.getvalue())
    pngs = buffer.getvalue(), picture.png
    before, after = (np.array(Image.open(io.BytesIO(png)).convert("RGB"), float) for png in pngs)
    assert np.abs(before - after).mean() < 1


@pytest.mark.parametrize(("row", "column"), [(1, 2), (0, 0), (4, 5)])
def test_a_marked_pixel_has_a_frame_and_is_itself_unchanged(row, column):
    images = torch.linspace(-1, 1, 30).reshape(1, 1, 5, 6)
    large = figures.mark_pixel(images, row, column, zoom=6)
    assert large.shape == (1, 3, 30, 36)
    plain = images.repeat(1, 3, 1, 1).repeat_interleave(6, 2).repeat_interleave(6, 3)
    changed = (large != plain).any(dim=1)[0]
    frame = torch.zeros(34, 40, dtype=torch.bool)  # two pixels more on each side
    frame[6 * row : 6 * row + 10, 6 * column : 6 * column + 10] = True
    frame[6 * row + 2 : 6 * row + 8, 6 * column + 2 : 6 * column + 8] = False
    assert torch.equal(changed, frame[2:-2, 2:-2])
    assert figures.to_uint8(large)[0][changed.numpy()].tolist() == [[0xD5, 0x5E, 0x00]] * int(changed.sum())


def test_thumbnails_stand_left_of_a_large_picture_on_white():
    large = constant(-0.5, channels=3, height=8, width=8)
    whole = figures.with_thumbnails(
        large, [constant(0.0, channels=3, height=8, width=8), constant(-1.0)], 4, 2
    )
    assert whole.shape == (1, 3, 33, 20 + 2 + 32)  # the second is enlarged from (3, 4) to (15, 20)
    assert (whole[:, :, :32, 22:] == -0.5).all()
    assert (whole[:, :, :16, :16] == 0).all()
    assert (whole[:, :, 18:33, :20] == -1).all()
    for gap in (
        whole[:, :, 16:18, :20],
        whole[:, :, :, 20:22],
        whole[:, :, :16, 16:20],
        whole[:, :, 32:, 22:],
    ):
        assert (gap == 1).all()
