"""The box: what a kernel in it can see and do, and that all of it ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient

import diffusion_lab
from diffusion_lab.grading import box as boxes

BEST = boxes.find_box()
boxed = pytest.mark.skipif(BEST.level != "namespaces", reason=BEST.reason)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


class Asked:
    """A kernel, and what it prints."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.client = BlockingKernelClient(connection_file=str(kernel.connection))
        self.client.load_connection_file()
        self.client.start_channels(stdin=False)
        self.client.wait_for_ready(timeout=60)

    def __call__(self, code: str) -> str:
        printed = []

        def hear(message):
            content = message["content"]
            printed.append(content.get("text") or content.get("ename") or "")

        self.client.execute_interactive(code, timeout=60, output_hook=hear, allow_stdin=False)
        return "".join(printed).strip()


@pytest.fixture(scope="module")
def inside():
    with BEST.start() as kernel:
        asked = Asked(kernel)
        yield asked
        asked.client.stop_channels()


@pytest.fixture(scope="module")
def outside():
    with boxes.find_box("none").start() as kernel:
        asked = Asked(kernel)
        yield asked
        asked.client.stop_channels()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_unknown_level_is_refused():
    with pytest.raises(ValueError, match="level must be 'namespaces' or 'none', got 'strong'"):
        boxes.find_box("strong")


def test_fallback_says_so_and_why(monkeypatch):
    monkeypatch.setattr(boxes, "_no_namespaces", lambda: "this is only a test")
    box = boxes.find_box()
    assert box.level == "none"
    assert "NOT isolated: this is only a test" in box.reason
    with pytest.raises(boxes.BoxError, match="only a test"):
        boxes.find_box("namespaces")


def test_what_does_not_start_says_why(monkeypatch):
    monkeypatch.setattr(boxes.sys, "executable", "/nowhere/python")
    with pytest.raises((boxes.BoxError, OSError), match=r"nowhere|ended"):
        boxes.find_box("none").start()


@linux
@pytest.mark.parametrize("level", ["namespaces", "none"])
def test_kernel_and_its_children_end_and_nothing_is_left(level):
    if level == "namespaces" and BEST.level != level:
        pytest.skip(BEST.reason)
    kernel = boxes.find_box(level).start()
    asked = Asked(kernel)
    asked(
        "import subprocess\nfor k in range(2): subprocess.Popen(['sleep', '500'], start_new_session=True,"
        " env={})"
    )
    time.sleep(0.3)
    members = kernel.members()
    assert len(members) == 4  # the maker, the kernel, two children
    assert kernel.is_alive()
    asked.client.stop_channels()
    kernel.kill()
    assert not [pid for pid in members if alive(pid)]
    assert not kernel.is_alive()
    assert not kernel.scratch.exists()


@linux
def test_death_is_seen_at_once():
    with BEST.start() as kernel:
        asked = Asked(kernel)
        asked.client.execute("import os; os._exit(3)")
        until = time.monotonic() + 10
        while kernel.is_alive() and time.monotonic() < until:
            time.sleep(0.02)
        assert not kernel.is_alive()
        asked.client.stop_channels()


@linux
def test_memory_of_all_processes_together_is_watched():
    with boxes.find_box(memory=400, warm=False).start() as kernel:  # too little for torch
        asked = Asked(kernel)
        asked(
            "import os, time\nfor _ in range(2):\n    if os.fork() == 0:\n        x = b'x' * (250 << 20)\n"
            "        time.sleep(60)\ntime.sleep(1)"
        )
        assert kernel.memory() > 400
        kernel.watch()
        assert "400 MiB" in kernel.killed
        assert not kernel.is_alive()
        asked.client.stop_channels()


@boxed
@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("import os; print(os.getuid(), os.getpid())", "1000 1"),
        ("print(sorted(p for p in os.listdir('/proc') if p.isdigit()))", "['1']"),
        ("print(open('/proc/self/status').read().split('CapEff:')[1].split()[0])", "0000000000000000"),
        ("print(open('/proc/self/status').read().split('CapBnd:')[1].split()[0])", "0000000000000000"),
        ("import socket; socket.create_connection(('1.1.1.1', 53), 2)", "OSError"),
        (
            (
                "import subprocess; print(subprocess.run(['unshare', '-U', 'true'],"
                " capture_output=True).returncode)"
            ),
            "1",
        ),
        (
            "print(os.path.exists('/dev/sda'), os.path.exists('/dev/vda'), os.path.exists('/sys'))",
            "False False False",
        ),
        ("print(os.environ.get('CUDA_VISIBLE_DEVICES'), os.environ.get('SECRET_OF_THE_GRADER'))", " None"),
        ("open('/tmp/own', 'w').write('x'); print(open('/tmp/own').read())", "x"),
    ],
)
def test_inside(inside, code, printed):
    inside("import os")
    assert inside(code) == printed.strip()


@boxed
@pytest.mark.parametrize("path", ["/", "/usr", str(Path(diffusion_lab.__file__).parent), sys.prefix])
def test_nothing_can_be_written(inside, path):
    assert inside(f"open({path!r} + '/written', 'w')") == "OSError"
    assert not Path(path, "written").exists()


@boxed
def test_not_even_where_the_sockets_are(inside):
    assert inside(f"open({str(inside.kernel.connection.parent)!r} + '/written', 'w')") == "OSError"
    assert inside(f"import os; os.remove({str(inside.kernel.connection)!r})") == "OSError"


@boxed
@pytest.mark.parametrize("name", ["solutions", "exercises", "tests", "pyproject.toml", ".git"])
def test_the_rest_of_the_course_is_not_there(inside, name):
    path = Path(__file__).parents[2] / name
    assert path.exists()
    assert inside(f"import os; print(os.path.lexists({str(path)!r}))") == "False"


@boxed
def test_package_and_torch_work(inside):
    assert (
        inside("import torch, diffusion_lab as dl; print(float(dl.DiffusionSchedule(10).alphas_cumprod[0]))")
        == "1.0"
    )


@boxed
def test_disk_is_limited(inside):
    code = "try:\n    for k in range(20):\n        open(f'/tmp/f{k}', 'wb').write(b'x' * (40 << 20))\n"
    assert inside(f"{code}except OSError as e:\n    print(k, e.strerror)") == "6 No space left on device"
    assert inside("import glob\nfor p in glob.glob('/tmp/f*'): os.remove(p)") == ""


@boxed
def test_processes_are_limited(inside):
    code = (
        "import os, signal\nborn = []\ntry:\n    for _ in range(200):\n        pid = os.fork()\n        if"
        " pid == 0:\n"
    )
    code += (
        "            import time; time.sleep(60); os._exit(0)\n        born.append(pid)\nexcept OSError:"
        " pass\n"
    )
    code += "for pid in born: os.kill(pid, 9), os.waitpid(pid, 0)\nprint(0 < len(born) < 64)"
    assert inside(code) == "True"


@linux
def test_fallback_sees_what_the_box_hides(outside):
    assert outside(f"import os; print(os.path.exists({str(Path(__file__))!r}))") == "True"
    assert outside("print(os.getpid() > 1)") == "True"
    assert os.environ.get("HOME") != outside("print(os.environ['HOME'])")


@linux
@pytest.mark.parametrize("level", ["namespaces", "none"])
def test_kernel_ends_when_the_grader_is_killed(level):
    if level == "namespaces" and BEST.level != level:
        pytest.skip(BEST.reason)
    code = "import time\nfrom diffusion_lab.grading import box\n"
    code += f"kernel = box.find_box({level!r}).start()\nprint(*kernel.members(), flush=True)\ntime.sleep(60)"
    grader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    members = [int(pid) for pid in grader.stdout.readline().split()]
    assert len(members) == 2
    grader.kill()
    grader.wait()
    until = time.monotonic() + 10
    while any(map(alive, members)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, members))


@boxed
def test_kernels_of_one_template_are_warm_and_strangers_to_each_other():
    with BEST.start() as one, BEST.start() as two:
        asked = Asked(one), Asked(two)
        assert [ask("import sys; print('torch' in sys.modules)") for ask in asked] == ["True"] * 2
        draws = [ask("import random, numpy; print(random.random(), numpy.random.rand())") for ask in asked]
        assert all(a != b for a, b in zip(*(draw.split() for draw in draws), strict=True))
        assert asked[0]("import torch; torch.mine = 1") == ""
        assert asked[1]("import torch; print(hasattr(torch, 'mine'))") == "False"
        for ask in asked:
            ask.client.stop_channels()


@boxed
def test_forked_kernel_holds_nothing_of_the_template(inside):
    code = (
        "import os\nprint([p for n in os.listdir('/proc/self/fd') if os.path.lexists(p :="
        " f'/proc/self/fd/{n}')"
    )
    code += (
        " and os.readlink(p).startswith('/') and not os.readlink(p).startswith(('/dev/', '/proc', '/tmp'))])"
    )
    assert inside(code) == "[]"
    assert inside("import __main__; print(hasattr(__main__, '_serve'))") == "False"
    assert inside("print(os.getppid(), 'NoNewPrivs:\\t1' in open('/proc/self/status').read())") == "0 True"


@boxed
def test_template_that_died_is_done_without(monkeypatch):
    template = boxes._Template(BEST)
    monkeypatch.setattr(boxes, "_template", lambda box: template)
    with BEST.start() as kernel:
        assert isinstance(kernel.process, boxes._Forked)
    template.close()
    with BEST.start() as kernel:
        assert isinstance(kernel.process, subprocess.Popen)
        assert kernel.is_alive()


def test_sweep_removes_only_what_dead_graders_left(tmp_path, monkeypatch):
    monkeypatch.setattr(boxes.tempfile, "gettempdir", lambda: str(tmp_path))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        f"dlbox{dead.pid}-old": 0,
        f"dlbox{dead.pid}-young": None,
        f"dlbox{os.getpid()}-mine": 0,
        "dlbox-x": 0,
    }
    for name, when in names.items():
        (tmp_path / name / "run").mkdir(parents=True)
        if when is not None:
            os.utime(tmp_path / name, (when, when))
    boxes.sweep()
    assert {path.name for path in tmp_path.iterdir()} == set(names) - {f"dlbox{dead.pid}-old"}
