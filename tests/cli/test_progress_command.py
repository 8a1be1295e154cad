"""The command progress prints the page."""

from diffusion_lab import progress
from diffusion_lab.progress_page import progress_page


def test_it_prints_the_page_and_what_is_next(command, monkeypatch, tmp_path):
    monkeypatch.setenv(progress.SWITCH, str(tmp_path / "progress.json"))
    progress.note_opened(0)
    code, out, err = command("progress")
    assert (code, err) == (0, "")
    assert out == f"{progress_page()}\n"
    assert "Next: lesson 01 · Forward noising" in out


def test_a_half_written_file_is_one_line_and_kept(command, monkeypatch, tmp_path):
    file = tmp_path / "progress.json"
    monkeypatch.setenv(progress.SWITCH, str(file))
    file.write_text('{"about": "half')
    code, out, err = command("progress")
    assert code == 0
    assert "0 of " in out
    assert err.count("\n") == 1
    assert (tmp_path / "progress.damaged.json").read_text() == '{"about": "half'
