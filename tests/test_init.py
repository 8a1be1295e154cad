"""What the package itself offers: names, sources to read, and the switch for quick runs."""

import pytest

import diffusion_lab as dl


@pytest.mark.parametrize(("value", "chosen"), [(None, "full"), ("", "full"), ("0", "full"), ("1", "quick")])
def test_quick_runs_are_asked_for_by_the_environment(monkeypatch, value, chosen):
    monkeypatch.delenv("DIFFUSION_LAB_QUICK", raising=False)
    if value is not None:
        monkeypatch.setenv("DIFFUSION_LAB_QUICK", value)
    assert dl.unless_quick("full", "quick") == chosen


def test_show_source_prints_what_is_used(capsys):
    dl.show_source(dl.DiffusionSchedule.add_noise)
    assert "return alpha * x_0 + sigma * noise" in capsys.readouterr().out


def test_every_public_name_is_there():
    assert [name for name in dl.__all__ if not hasattr(dl, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'sampels'"):
        dl.sampels  # noqa: B018
