"""What every benchmark shares: options, a description of the machine, timing, tables and the JSON file."""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from diffusion_lab.files import replacing
from diffusion_lab.shapes import check_range

PEERS = ("diffusers", "denoising-diffusion-pytorch", "smalldiffusion")
"""Packages that we are measured beside, by their names on PyPI: the extra ``benchmarks``."""
PACKAGES = ("diffusion-lab", "torch", "numpy", *PEERS)
PRIVATE = ("out", "force", "resume")
"""Options that say where results go, not what they are; they stay out of the JSON."""

Row = dict[str, Any]
Columns = Sequence[str] | Mapping[str, str]


def parser(description: str) -> argparse.ArgumentParser:
    """Make a parser with the options that every benchmark has; read it with `parse`."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    made.add_argument("--out", type=Path, help="JSON file to write; none is written without it")
    made.add_argument("--force", action="store_true", help="replace the JSON file if it is there")
    made.add_argument(
        "--repeats", type=int, default=5, help="timed repetitions of each measurement, after a warm-up"
    )
    made.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one run for each")
    made.add_argument(
        "--threads", type=int, default=1, help="CPU threads; with several, CPU-seconds count spinning"
    )
    made.add_argument(
        "--quick", action="store_true", help="a smoke run of seconds, whose numbers mean nothing"
    )
    return made


def parse(made: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, set torch's threads and refuse a file that is there.

    Exit code 2 names what is wrong.
    """
    options = made.parse_args(arguments)
    try:
        check_range("--repeats", options.repeats, 1)
        check_range("--threads", options.threads, 1)
        if len(set(options.seeds)) < len(options.seeds):
            raise ValueError(f"--seeds must differ, got {options.seeds}")
        refuse_overwrite(options)
    except (ValueError, OSError) as error:
        made.error(str(error))
    torch.set_num_threads(options.threads)
    return options


def refuse_overwrite(options: argparse.Namespace) -> None:
    """Raise `FileExistsError` if ``--out`` is there already, unless ``--force`` or ``--resume`` was given."""
    if options.out and options.out.exists() and not (options.force or getattr(options, "resume", False)):
        raise FileExistsError(f"--out {options.out} is there already: add --force to replace it")


def machine() -> dict[str, Any]:
    """Describe what the numbers were measured on: no host names, no paths."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str | None]:
    """Give the version of every package that takes part (None where it is not installed) and of this repository."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found | {"torch": str(torch.__version__), "commit": _commit()}  # torch says which build it is


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def cpu_seconds() -> float:
    """CPU-seconds that this process has used in all its threads.

    A difference of two measures what lies between.
    """
    return time.process_time()


def measure(fn: Callable[[], Any], repeats: int = 5) -> float:
    """Median CPU-seconds of ``fn()`` over `repeats` calls, after one call to warm up."""
    check_range("repeats", repeats, 1)
    fn()
    taken = []
    for _ in range(repeats):
        begin = cpu_seconds()
        fn()
        taken.append(cpu_seconds() - begin)
    return statistics.median(taken)


def medians(rows: Iterable[Row], by: Sequence[str], of: Sequence[str]) -> list[Row]:
    """Group rows that agree in the keys `by`, in order of appearance, and take the median of each key in `of`.

    Values that are None or not a number are left out; a median of none is None. ``runs`` counts the rows of a
    group.
    """
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in by), []).append(row)
    summary = []
    for values, members in groups.items():
        row = dict(zip(by, values, strict=True)) | {"runs": len(members)}
        for key in of:
            numbers = [v for m in members if (v := m.get(key)) is not None and not math.isnan(v)]
            row[key] = statistics.median(numbers) if numbers else None
        summary.append(row)
    return summary


def table(rows: Sequence[Row], columns: Columns | None = None) -> str:
    """Set rows as an aligned markdown table.

    Args:
        rows: dictionaries.
        columns: keys in order, or a mapping from key to format such as ``{"images_per_second": ",.0f"}``; all
            keys of the first row if None. Headings are the keys with blanks for underscores; "–" stands for
            None.
    """
    if not rows:
        return "(no rows)"
    formats = dict.fromkeys(columns or rows[0], "") | (dict(columns) if isinstance(columns, Mapping) else {})
    lines = [[key.replace("_", " ") for key in formats]]
    lines += [[_cell(row.get(key), form) for key, form in formats.items()] for row in rows]
    words = [all(isinstance(row.get(key), str | None) for row in rows) for key in formats]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(formats))]

    def line_of(cells: Sequence[str]) -> str:
        padded = (c.ljust(w) if word else c.rjust(w) for c, w, word in zip(cells, widths, words, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = [("-" * w) if word else ("-" * (w - 1) + ":") for w, word in zip(widths, words, strict=True)]
    return "\n".join([line_of(lines[0]), line_of(rule), *map(line_of, lines[1:])])


def _cell(value: Any, form: str) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if form:
        return format(value, form)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def write(options: argparse.Namespace, name: str, question: str, rows: Sequence[Row], **extra: Any) -> None:
    """Write what is known so far to ``--out``, whole or not at all; does nothing without ``--out``.

    Unlike `finish` it replaces the file, so a benchmark that takes hours may call it after every row.
    """
    if options.out is None:
        return
    chosen = {
        key: value for key, value in vars(options).items() if key not in PRIVATE and not callable(value)
    }
    content = {
        "benchmark": name,
        "question": question,
        "command": f"python -m benchmarks.{name}",
        "machine": machine(),
        "versions": versions(),
        "options": chosen,
        "rows": list(rows),
        **extra,
    }
    with replacing(options.out) as part:
        part.write_text(
            json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8"
        )


def _plain(value: Any) -> Any:
    """Turn what JSON does not know (not-a-number, infinity, paths, numbers of torch) into what it does."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | range):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    return _plain(value.item()) if hasattr(value, "item") else str(value)


def finish(
    options: argparse.Namespace,
    name: str,
    question: str,
    rows: Sequence[Row],
    *,
    medians: Sequence[Row] | None = None,
    columns: Columns | None = None,
    **extra: Any,
) -> None:
    """Print the table and write the JSON file.

    Args:
        options: from `parse`; ``options.out`` is the file.
        name, question: of the benchmark, such as "throughput".
        rows: one dictionary per measurement.
        medians: rows that sum up `rows`, from `medians`; they are printed instead of `rows` if there are any.
        columns: for `table`.
        **extra: further entries of the JSON file, such as fitted exponents.
    """
    print(f"{question}\n\n{table(medians or rows, columns)}")
    if options.quick:
        print("\n(a quick run: these numbers mean nothing)", file=sys.stderr)
    write(options, name, question, rows, medians=list(medians or []), **extra)
    if options.out:
        print(f"\nwrote {options.out}")
