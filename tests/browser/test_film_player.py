"""The film for the README: the slider of a stored player is dragged, and every stop is a frame."""

import pytest
from PIL import Image

from tools import film_player

pytestmark = pytest.mark.browser


def test_the_slider_moves_and_the_button_is_pressed(browser, tmp_path):
    frames = film_player.film(browser, film_player.stored_player(), [(0, 0), (1000, 4), (500, 2)])
    assert len(frames) == 1 + 4 + 2 + film_player.FRAMES_TO_BUTTON + 1
    assert {frame.size for frame in frames} == {(film_player.WIDTH, film_player.HEIGHT)}
    first, noise, back = (frame.tobytes() for frame in (frames[0], frames[4], frames[6]))
    assert len({first, noise, back}) == 3
    before, pressed = frames[-2], frames[-1]
    assert before.tobytes() != pressed.tobytes(), "the note of the guess appears"
    film_player.write_film(tmp_path / "a.gif", frames)
    with Image.open(tmp_path / "a.gif") as film:
        assert film.size == frames[0].size
        assert film.n_frames >= 7


def test_a_lesson_with_no_player_is_refused(tmp_path):
    with pytest.raises(ValueError, match="stores no player in a cell 01-other"):
        film_player.stored_player(cell_id="01-other")


def test_frames_begin_and_end_slowly_and_reach_their_times():
    times = list(film_player.eased([(0, 0), (100, 10), (40, 3)]))
    assert len(times) == 13
    assert times[9] == pytest.approx(100)
    assert times[-1] == pytest.approx(40)
    assert times == [*sorted(times[:10]), *times[10:]]
    assert times[0] < 100 / 10 < times[5] - times[4]
