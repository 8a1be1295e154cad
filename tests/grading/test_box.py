"""The box: what a kernel in it can see and do, and that all of it ends."""

import dataclasses
import os
import platform
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient

import diffusion_lab
from diffusion_lab.grading import box as boxes
from diffusion_lab.grading import scopes
from diffusion_lab.grading.walls import landlock_version

BEST = boxes.find_box()
boxed = pytest.mark.skipif(BEST.level != "namespaces", reason=BEST.reason)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def why_killed(kernel, seconds: float) -> str:
    """Watch a kernel as the grader does until it is killed; gives the reason, "" if it still lives after so long."""
    until = time.monotonic() + seconds
    while not kernel.killed and time.monotonic() < until:
        time.sleep(0.3)
        kernel.watch()
    return kernel.killed


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


CALLS = {
    "add_key": "248, b'user', b'name', b'x', 1, -3",
    "keyctl": "250, 0, -3, 0",
    "io_uring_setup": "425, 4, room",
    "bpf": "321, 0, room, 64",
    "perf_event_open": "298, room, 0, -1, -1, 0",
    "userfaultfd": "323, 1",
    "unshare": "272, 0x10000000",
    "clone for a new user": "56, 0x10000011, 0, 0, 0, 0",
    "ptrace": "101, 0, 0, 0, 0",
    "memfd_create": "319, b'name', 0",
    "shmget": "29, 0, 4096, 0o1600",
    "personality": "135, 0x40000",
    "kcmp": "312, os.getpid(), os.getpid(), 0, 0, 0",
    "kill everybody": "62, -1, 0",
    "kill everybody, with other upper bits": "62, ctypes.c_long(0x5FFFFFFFF), 0",
    "mmap of huge pages": "9, 0, 1 << 21, 3, 0x40022, -1, 0",
}
LATER = {"clone3": "435, room, 64", "statmount": "457, 0, 0, 0, 0", "one of tomorrow": "700"}
PREPARED = "import ctypes, errno, os, mmap\nlibc = ctypes.CDLL(None, use_errno=True)\n"
PREPARED += "room = ctypes.create_string_buffer(256)\n"
filtered = pytest.mark.skipif(
    not BEST.filtered or platform.machine() != "x86_64",
    reason="numbers are those of x86_64; no filter otherwise",
)


@linux
@filtered
@pytest.mark.parametrize("where", ["inside", "outside"])
@pytest.mark.parametrize(
    ("arguments", "error"),
    [*((call, "EPERM") for call in CALLS.values()), *((call, "ENOSYS") for call in LATER.values())],
    ids=[*CALLS, *LATER],
)
def test_system_calls_are_refused(request, where, arguments, error):
    if where == "inside" and BEST.level != "namespaces":
        pytest.skip(BEST.reason)
    ask = request.getfixturevalue(where)
    ask(PREPARED)
    code = f"done = libc.syscall({arguments}); print(done, errno.errorcode[ctypes.get_errno()])"
    assert ask(code) == f"-1 {error}"


@linux
@filtered
def test_calls_of_other_families_of_sockets_are_refused(outside):
    code = "import socket\nfor family in (17, 38, 40):\n    try: socket.socket(family, 3)\n"
    assert outside(code + "    except OSError as error: print(error.errno)").split() == ["97"] * 3


@linux
@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers are those of x86_64")
@pytest.mark.parametrize("level", ["namespaces", "none"])
def test_the_keyring_of_the_grader_is_out_of_reach_even_without_a_filter(level, tmp_path):
    if level == "namespaces" and BEST.level != level:
        pytest.skip(BEST.reason)
    find = "import ctypes\ncall = ctypes.CDLL(None).syscall\n"
    script = (
        find + "print(call(250, 1, b'of the grader') > 0 and call(248, b'user', b'secret', b'x', 1, -3))\n"
    )
    script += "import sys\nsys.path.insert(0, sys.argv[1])\nfrom test_box import Asked, boxes\n"
    script += f"import dataclasses\nbox = dataclasses.replace(boxes.find_box({level!r}), filtered=False)\n"
    script += f"with box.start() as kernel:\n    print(Asked(kernel)({find!r} + "
    script += '\'print(call(250, 10, -3, b"user", b"secret", 0))\'))\n'
    script += "    print(call(250, 10, -3, b'user', b'secret', 0) > 0)"
    command = [sys.executable, "-c", script, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    added, found, found_here = done.stdout.split()
    if int(added) <= 0:
        pytest.skip("this system has no keyrings")
    assert (found, found_here) == ("-1", "True")


@linux
@pytest.mark.parametrize("level", ["namespaces", "none"])
@pytest.mark.parametrize("source", ["mmap.mmap(-1, size)", "mmap.mmap(os.open('/dev/zero', 2), size)"])
def test_shared_memory_counts(level, source):
    if level == "namespaces" and BEST.level != level:
        pytest.skip(BEST.reason)
    with boxes.find_box(level, memory=1024).start() as kernel:
        asked = Asked(kernel)
        code = f"import mmap, os, time\nsize = 1800 << 20\nheld = {source}\n"
        asked.client.execute(code + "for k in range(0, size, 4096): held[k] = 1\ntime.sleep(60)")
        assert "1024 MiB" in why_killed(kernel, 30)
        asked.client.stop_channels()


@linux
def test_memory_that_processes_share_counts_once():
    with BEST.start() as kernel:
        asked = Asked(kernel)
        before = kernel.memory()
        code = "import mmap, os, time\nheld = mmap.mmap(-1, 300 << 20)\nheld[:] = bytes(300 << 20)\n"
        asked(
            code
            + "for _ in range(3):\n    if os.fork() == 0: sum(held[::4096]); time.sleep(60)\ntime.sleep(1)"
        )
        assert 250 < kernel.memory() - before < 500
        asked.client.stop_channels()


@linux
def test_cpu_time_of_all_processes_together_is_watched():
    with boxes.find_box(cpu=4).start() as kernel:
        asked = Asked(kernel)
        asked.client.execute("import os\nfor _ in range(3): os.fork()\nwhile True: pass")
        assert "4 CPU-seconds" in why_killed(kernel, 60)
        asked.client.stop_channels()


@boxed
@pytest.mark.parametrize(
    "name",
    [
        "kallsyms",
        "keys",
        "key-users",
        "kcore",
        "kmsg",
        "sysrq-trigger",
        "timer_list",
        "config.gz",
        "cmdline",
        "iomem",
    ],
)
def test_proc_tells_nothing_of_the_machine(inside, name):
    code = f"try: print(len(open('/proc/{name}', 'rb').read(1)))\nexcept OSError: print(0)"
    assert inside(code) == "0"


@boxed
def test_the_table_of_mounts_shows_no_path_that_the_box_does_not_show(inside):
    code = "import os\nlines = [line.split() for line in open('/proc/self/mountinfo')]\n"
    code += "print([at for _, _, _, _, at, *_ in lines if not os.path.lexists(at)], len(lines) > 5)"
    assert inside(code) == "[] True"
    scratch = str(inside.kernel.scratch / "root")
    assert inside(f"print({scratch!r} in open('/proc/self/mountinfo').read())") == "False"
    assert inside("import socket; print(socket.gethostname())") == "box"


@boxed
def test_files_in_memory_are_limited_together(inside):
    code = "total = 0\ntry:\n    for k in range(20):\n        for folder in ('/tmp', '/dev/shm'):\n"
    code += "            open(f'{folder}/f{k}', 'wb').write(bytes(20 << 20)); total += 20\n"
    code += "except OSError as error: print(total, error.strerror)"
    assert inside(code) == "240 No space left on device"
    code = "import glob, os\nfor path in glob.glob('/tmp/f*') + glob.glob('/dev/shm/f*'): os.remove(path)"
    assert inside(code) == ""


@boxed
def test_honest_work_runs(inside):
    train = "import torch\nnet = torch.nn.Conv2d(1, 8, 3)\nstep = torch.optim.AdamW(net.parameters())\n"
    train += "net(torch.randn(64, 1, 28, 28)).square().mean().backward(); step.step()\n"
    loader = (
        "from torch.utils.data import DataLoader\nlists = DataLoader(list(range(64)), 8, num_workers=2)\n"
    )
    loader += "print(sum(int(batch.sum()) for batch in lists))\n"
    plot = "import io, matplotlib.pyplot as plt\nplt.plot([1, 2])\nfile = io.BytesIO()\n"
    plot += "plt.savefig(file)\nplt.close()\nprint(file.tell() > 1000)\n"
    pool = "import multiprocessing, threading, subprocess, psutil\n"
    pool += "print(multiprocessing.get_context('fork').Pool(2).map(abs, [-1, -2]))\n"
    pool += "print(subprocess.run(['echo', 'hello'], capture_output=True, text=True).stdout.strip())\n"
    pool += (
        "threading.Thread(target=print, args=('thread',)).start()\nprint(psutil.virtual_memory().total > 0)"
    )
    assert inside(train + loader + plot + pool).split("\n") == [
        "2016",
        "True",
        "[1, 2]",
        "hello",
        "thread",
        "True",
    ]


@boxed
@pytest.mark.parametrize("kind", ["environment", "data", "folder of temporary files"])
def test_links_on_the_way_keep_no_box_away(kind, tmp_path):
    """The grader's paths lead through links, as on a machine whose /home or /tmp lies on another disk."""
    real, link = tmp_path / "disk", tmp_path / "home"
    real.mkdir()
    link.symlink_to(real)
    python, environment = sys.executable, dict(os.environ)
    package = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = package
    if kind == "environment":
        venv.create(real / "env", symlinks=True, with_pip=False)
        (real / "here").symlink_to("env")
        python = str(link / "here" / "bin" / "python")
        pure = sysconfig.get_path("purelib")
        site_packages = next((real / "env").glob("lib/python*/site-packages"))
        for entry in Path(pure).iterdir():  # as `uv --link-mode symlink` does
            if not (site_packages / entry.name).exists():
                (site_packages / entry.name).symlink_to(entry)
    elif kind == "data":
        (real / "elsewhere").mkdir()
        (real / "elsewhere" / "images").write_text("data")
        (real / "data").mkdir()
        (real / "data" / "link").symlink_to(real / "elsewhere")
        environment["DIFFUSION_LAB_DATA"] = str(link / "data")
    else:
        environment["TMPDIR"] = str(link)
    script = "import sys\nsys.path.insert(0, sys.argv[1])\nfrom test_box import Asked, boxes\n"
    script += "box = boxes.find_box(warm=False)\nprint(box.level)\nwith box.start() as kernel:\n"
    script += "    print(Asked(kernel)('import os, sys, torch; print(sys.prefix)\\n'"
    script += '        \'folder = os.environ.get("DIFFUSION_LAB_DATA", "")\\n\''
    script += "        'print(os.path.exists(folder + \"/link/images\"))'))"
    command = [python, "-c", script, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=200)
    level, prefix, found = done.stdout.split()
    assert level == "namespaces"
    assert Path(prefix).name == ("here" if kind == "environment" else Path(sys.prefix).name)
    assert found == str(kind == "data")


@linux
@pytest.mark.skipif(not landlock_version(), reason="this system has no Landlock")
def test_without_a_box_the_disk_is_out_of_reach(outside, tmp_path):
    row = tmp_path / "rows.jsonl"
    row.write_text("another student's")
    for code in (f"open({str(row)!r})", f"open({str(row)!r}, 'w')", f"os.remove({str(row)!r})"):
        assert outside(f"import os\n{code}") == "PermissionError"
    assert outside(f"os.listdir({str(tmp_path)!r})") == "PermissionError"
    assert row.read_text() == "another student's"
    assert outside("open('own', 'w').write('x'); print(open('own').read())") == "x"
    code = "import torch, diffusion_lab; print(float(torch.ones(1)), diffusion_lab.__file__)"
    assert outside(code) == f"1.0 {diffusion_lab.__file__}"


@linux
@pytest.mark.skipif(landlock_version() < 6, reason="this system's Landlock knows no signals")
def test_without_a_box_the_grader_cannot_be_killed(outside):
    other = subprocess.Popen(["sleep", "60"])
    try:
        assert outside(f"import os\nos.kill({os.getpid()}, 9)") == "PermissionError"
        assert outside(f"import os\nos.kill({other.pid}, 9)") == "PermissionError"
        assert outside(f"open('/proc/{os.getpid()}/mem', 'rb')") == "PermissionError"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_absence_of_the_filter_is_told(monkeypatch):
    monkeypatch.setattr(boxes, "_no_filter", lambda level: "this is only a test")
    box = boxes.find_box()
    assert "NO filter of system calls (this is only a test)" in box.reason
    assert not box.filtered


@pytest.fixture
def standing_in(tmp_path, monkeypatch) -> Path:
    """A folder in the place of control groups, and a program in that of systemd-run: neither limits anything."""
    line = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    groups = tmp_path / "groups"
    scope = Path(f"{groups}{line.removeprefix('0::')}")
    scope.mkdir(parents=True)
    walls = tmp_path / "walls.py"
    source = Path(boxes.WALLS).read_text(encoding="utf-8")
    walls.write_text(
        source.replace('GROUPS = "/sys/fs/cgroup"', f"GROUPS = {str(groups)!r}"), encoding="utf-8"
    )
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "systemd-run"
    program.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(boxes, "WALLS", str(walls))
    return scope


@boxed
@pytest.mark.parametrize("warm", [True, False])
def test_a_box_joins_a_control_group_of_its_own(standing_in, monkeypatch, warm):
    box = dataclasses.replace(BEST, grouped=True, warm=warm, memory=1000, processes=50)
    templates: dict = {}
    monkeypatch.setattr(boxes, "_TEMPLATES", templates)
    with box.start() as kernel:
        assert isinstance(kernel.process, boxes._Forked) == warm
        written = {path.name: path.read_text() for path in (standing_in / kernel.name).iterdir()}
        assert written == {
            "memory.max": str((1000 + box.tmp) << 20),
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": "50",
            "cgroup.procs": "0",
        }
        assert (standing_in / "makers" / "cgroup.procs").read_text() == "0"
        assert (standing_in / "cgroup.subtree_control").read_text() == "+memory +pids"
    for template in templates.values():
        template.close()


@boxed
@pytest.mark.skipif(not BEST.grouped, reason=BEST.reason)
def test_a_control_group_ends_a_box_that_takes_too_much():
    with boxes.find_box(memory=1024).start() as kernel:
        asked = Asked(kernel)
        asked.client.execute(
            "import mmap\nheld = mmap.mmap(-1, 4 << 30)\nfor k in range(0, 4 << 30, 4096): held[k] = 1"
        )
        until = time.monotonic() + 30
        while kernel.is_alive() and time.monotonic() < until:
            time.sleep(0.1)
        assert not kernel.is_alive()
        asked.client.stop_channels()


def test_absence_of_control_groups_is_told(monkeypatch, tmp_path):
    (tmp_path / "some").write_text("cpu pids")
    monkeypatch.setattr(scopes, "CONTROLLERS", tmp_path / "none")
    assert scopes.no_scope() == "version 2 of control groups is not mounted"
    monkeypatch.setattr(scopes, "CONTROLLERS", tmp_path / "some")
    assert scopes.no_scope() == "control groups limit no memory here"
    (tmp_path / "some").write_text("cpu memory pids")
    monkeypatch.setattr(scopes, "RUNS", tmp_path / "none")
    assert scopes.no_scope() == "systemd does not run here"


@linux
@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or not boxes._others_can_run_python(),
    reason="this is not root, or no other user can run this Python",
)
def test_without_a_box_root_gives_a_kernel_a_user_of_its_own(outside):
    user = int(outside("import os; print(os.getuid())"))
    assert user in range(*boxes.UNUSED_USERS)
    assert outside("import os; print(os.getgroups(), os.access('/etc/shadow', os.R_OK))") == "[] False"
    assert outside("print(open('/proc/self/status').read().split('CapEff:')[1].split()[0])") == "0" * 16


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
