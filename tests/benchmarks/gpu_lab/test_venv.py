"""An environment that sees packages of several places."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from benchmarks.gpu_lab import venv


def test_the_standard_library_and_the_current_folder_are_not_packages(tmp_path: Path) -> None:
    packages, stdlib = tmp_path / "site-packages", Path(json.__file__).parents[1]
    packages.mkdir()
    path = ["", str(Path.cwd()), str(stdlib), f"{stdlib}/lib-dynload", str(packages), str(tmp_path / "gone")]
    assert venv.package_folders(path) == [str(packages)]


def test_a_program_runs_under_the_new_python() -> None:
    text = venv.program(Path("/opt/x"), EntryPoint("vllm", "vllm.cli.main:main", "console_scripts"))
    assert text.splitlines()[0] == "#!/opt/x/bin/python"
    assert "from vllm.cli.main import main" in text


def test_a_program_may_spawn_itself(tmp_path: Path) -> None:
    """The engine of vLLM is a spawned process, which imports its parent's program anew."""
    (tmp_path / "pack.py").write_text(
        "import multiprocessing\n"
        "def main():\n"
        "    child = multiprocessing.get_context('spawn').Process(target=print, args=('spawned',))\n"
        "    child.start(); child.join(); return child.exitcode\n"
    )
    path = tmp_path / "program"
    path.write_text(venv.program(tmp_path, EntryPoint("pack", "pack:main", "console_scripts")))
    environment = {"PYTHONPATH": str(tmp_path)}
    argv = [sys.executable, str(path)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "spawned\n"), done.stderr


def test_it_sees_what_this_python_sees_in_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, version in (("first", 1), ("second", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pack.py").write_text(f"VERSION = {version}\n")
        (tmp_path / name / f"pack-{version}.dist-info").mkdir()
        (tmp_path / name / f"pack-{version}.dist-info/METADATA").write_text(f"Name: pack\nVersion: {version}\n")
    (tmp_path / "second/more.pth").write_text(f"{tmp_path}/third\n")
    (tmp_path / "third").mkdir()
    (tmp_path / "third/extra.py").write_text("")
    (tmp_path / "ninja").write_text("")
    (tmp_path / "ninja").chmod(0o755)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second")])
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    venv.create(tmp_path / "made")
    look = "import extra, pack; from importlib.metadata import version; print(pack.VERSION, version('pack'))"
    argv = [str(tmp_path / "made/bin/python"), "-c", look]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("1 1\n", "")
    assert (tmp_path / "made/bin/ninja").resolve() == tmp_path / "ninja"
