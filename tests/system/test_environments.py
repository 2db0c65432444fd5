"""Programs that say what they need get it, once on each host where they run."""

import json
import re
import select
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.namespaces import no_name_space
from tests.support.packages import npm_package, wheel
from tests.system.support import HOME, Cluster, Host, wait_until

PROGRAM = "import greet\nprint(greet.hello())\n"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """One host alone."""
    cluster = Cluster(1)
    yield cluster[1]
    cluster.close()


@pytest.fixture
def place(host: Host, request: pytest.FixtureRequest) -> Iterator[str]:
    """A directory of the tree for one test, and none of the environments of another."""
    path = f"{HOME}/{re.sub(r'[^a-z_]', '-', request.node.name)}"
    host.sh(f"mkdir {path}").ok()
    yield path
    assert host.run("env", "rm", "--all").status == 0


def hello(directory: Path, text: str, version: str = "1.0") -> Path:
    return wheel(directory, "greet", f"def hello(): return {text!r}\n", version=version)


def environments(host: Host) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(host.run("env", "ls", "--json").ok())
    return found


def test_requirements_beside_a_program_are_installed_once(
    host: Host, place: str, tmp_path: Path
) -> None:
    hello(tmp_path, "from the wheel")
    host.put(f"{place}/main.py", PROGRAM.encode())
    lines = f"# ours\n--no-index\n--find-links {tmp_path}\ngreet==1.0  # the newest\n"
    host.put(f"{place}/requirements.txt", lines.encode())
    first = host.sh(f"python3 {place}/main.py")
    assert (first.text, first.status) == ("from the wheel\n", 0), first
    assert first.err == f"oneos: installing greet for {place}/main.py ...\n"
    # Nothing is fetched any more, and nothing said.
    shutil.rmtree(tmp_path)
    assert host.sh(f"cd {place} && python3 main.py").ok() == "from the wheel\n"
    (about,) = environments(host)
    assert (about["kind"], about["packages"], about["in_use"]) == ("python", ["greet"], False)


def test_inline_metadata_wins_over_files_beside(host: Host, place: str, tmp_path: Path) -> None:
    path = hello(tmp_path, "inline")
    block = f"# /// script\n# dependencies = ['greet @ file://{path}']\n# ///\n"
    host.put(f"{place}/main.py", (block + PROGRAM).encode())
    host.put(f"{place}/requirements.txt", b"not-this-one\n")
    assert host.sh(f"python3 {place}/main.py").text == "inline\n"


def test_the_dependencies_of_a_project_are_installed(
    host: Host, place: str, tmp_path: Path
) -> None:
    path = hello(tmp_path, "project")
    project = f"[project]\nname = 'x'\ndependencies = ['greet @ file://{path}']\n"
    host.put(f"{place}/main.py", PROGRAM.encode())
    host.put(f"{place}/pyproject.toml", project.encode())
    assert host.sh(f"python3 {place}/main.py").text == "project\n"


def test_a_program_finds_its_own_packages_and_cannot_change_them(
    host: Host, place: str, tmp_path: Path
) -> None:
    path = hello(tmp_path, "x")
    block = f"# /// script\n# dependencies = ['greet @ file://{path}']\n# ///\n"
    program = (
        "import sys, greet, importlib.metadata as m, os\n"
        "print(m.version('greet'), [p for p in sys.path if '-packages' in p.split('/')[-1]])\n"
        "try: open(greet.__file__, 'w')\nexcept OSError as e: print(e.strerror)\n"
    )
    host.put(f"{place}/main.py", (block + program).encode())
    out = host.sh(f"python3 {place}/main.py").text
    assert out == "1.0 []\nRead-only file system\n"


def test_two_programs_at_once_make_one_environment(host: Host, place: str, tmp_path: Path) -> None:
    path = hello(tmp_path, "both")
    host.put(f"{place}/requirements.txt", f"greet @ file://{path}\n".encode())
    host.put(f"{place}/main.py", PROGRAM.encode())
    out: list[str] = []
    threads = [
        threading.Thread(target=lambda: out.append(host.sh(f"python3 {place}/main.py").text))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert out == ["both\n"] * 3
    assert len(environments(host)) == 1


@pytest.mark.parametrize("locked", [False, True])
def test_packages_beside_a_javascript_program(
    host: Host, place: str, tmp_path: Path, locked: bool
) -> None:
    common = npm_package(tmp_path, "common", {"lib/x.js": "exports.a = 'cjs'"}, main="lib/x")
    modern = npm_package(
        tmp_path, "modern", {"index.mjs": "export default 'esm'"}, exports="./index.mjs"
    )
    wanted = {"common": f"file:{common}", "modern": f"file:{modern}"}
    package = {
        "name": "app",
        "version": "1.0.0",
        "dependencies": wanted,
        "devDependencies": {"not-to-be-had": "file:/nowhere.tgz"},
    }
    host.put(f"{place}/package.json", json.dumps(package).encode())
    if locked:
        entries = {
            f"node_modules/{name}": {"version": "1.0.0", "resolved": where}
            for name, where in wanted.items()
        }
        entries["node_modules/not-to-be-had"] = {
            "version": "1.0.0",
            "resolved": "file:/nowhere.tgz",
            "dev": True,
        }
        lock = {
            "name": "app",
            "version": "1.0.0",
            "lockfileVersion": 3,
            "requires": True,
            "packages": {"": package, **entries},
        }
        host.put(f"{place}/package-lock.json", json.dumps(lock).encode())
    program = """
        import modern from 'modern';
        import { a } from 'common';
        import { createRequire } from 'module';
        import fs from 'fs';
        const require = createRequire(import.meta.url);
        console.log(modern, a, require('common').a, require.resolve('common'));
        try { fs.writeFileSync(require.resolve('common'), ''); } catch (e) { console.log(e.code); }
    """
    host.put(f"{place}/main.mjs", program.encode())
    first = host.sh(f"node {place}/main.mjs")
    assert first.text == f"esm cjs cjs {place}/node_modules/common/lib/x.js\nEROFS\n", first
    assert first.err == f"oneos: installing common, modern for {place}/main.mjs ...\n"
    shutil.rmtree(tmp_path)
    assert host.sh(f"cd {place}; node main.mjs").ok() == first.text


def test_install_scripts_do_not_run(host: Host, place: str, tmp_path: Path) -> None:
    path = npm_package(
        tmp_path, "eager", {"index.js": ""}, scripts={"postinstall": f"touch {tmp_path}/ran"}
    )
    package = {"dependencies": {"eager": f"file:{path}"}}
    host.put(f"{place}/package.json", json.dumps(package).encode())
    host.put(f"{place}/main.js", b"require('eager'); console.log('ok')")
    assert host.sh(f"node {place}/main.js").text == "ok\n"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("requirements.txt", "-r other.txt\n", "requirements.txt: -r is not possible here"),
        ("requirements.txt", "--no-index\nnothing-of-that-name\n", "cannot install what"),
        ("pyproject.toml", "[project\n", "pyproject.toml: not TOML"),
        ("pyproject.toml", "[project]\nrequires-python = '>=4'\n", "asks for Python >=4"),
    ],
)
def test_what_cannot_be_had_is_one_line_and_126(
    host: Host, place: str, name: str, text: str, what: str
) -> None:
    host.put(f"{place}/main.py", b"print('never')\n")
    host.put(f"{place}/{name}", text.encode())
    outcome = host.sh(f"python3 {place}/main.py")
    assert (outcome.status, outcome.text) == (126, "")
    lines = [line for line in outcome.err.splitlines() if "installing" not in line]
    assert what in lines[0] and len(lines) <= 2
    assert environments(host) == []


@pytest.mark.parametrize("when", ["asked for", "awaited"])
def test_a_program_can_be_ended_while_its_packages_are(host: Host, place: str, when: str) -> None:
    host.put(f"{place}/main.py", b"print('never')\n")
    # An index that never answers.
    with socket.create_server(("127.0.0.1", 0)) as index:
        lines = f"--index-url http://127.0.0.1:{index.getsockname()[1]}/\ngreet\n"
        host.put(f"{place}/requirements.txt", lines.encode())
        with host.shell(f"python3 {place}/main.py; echo $?") as shell:
            found = wait_until(
                lambda: host.running(f"python3 {place}/main.py"), 10, "the program is in the table"
            )
            if when == "awaited":
                assert select.select([index], [], [], 10)[0]
            host.ask("kill", found[0]["pid"], 15)
            assert shell.stdout is not None
            assert shell.stdout.read() == b"143\n"
    envs = host.directory / "envs"
    wait_until(lambda: not list(envs.iterdir()), 60, "nothing half made is left")


def test_an_environment_in_use_is_not_removed(host: Host, place: str, tmp_path: Path) -> None:
    path = hello(tmp_path, "x")
    host.put(f"{place}/requirements.txt", f"greet @ file://{path}\n".encode())
    host.put(f"{place}/main.py", b"import sys; print('up', flush=True); sys.stdin.read()\n")
    with host.shell(f"python3 {place}/main.py") as shell:
        assert shell.stdout is not None and shell.stdin is not None
        assert shell.stdout.readline() == b"up\n"
        (about,) = environments(host)
        assert about["in_use"] is True
        refused = host.run("env", "rm", str(about["key"]))
        assert refused.status == 1
        assert "uses environment" in refused.err
        shell.stdin.close()
        assert shell.wait(30) == 0
    assert host.run("env", "rm", str(about["key"])).status == 0
    assert environments(host) == []


@pytest.mark.skipif(bool(no_name_space()), reason=f"no name space: {no_name_space()}")
def test_packages_are_found_in_a_name_space_too(tmp_path: Path) -> None:
    cluster = Cluster(1, {"host1": 'context = "namespace"\n'})
    try:
        host = cluster[1]
        host.sh("mkdir p").ok()
        python = hello(tmp_path, "inside")
        host.put(f"{HOME}/p/requirements.txt", f"greet @ file://{python}\n".encode())
        host.put(f"{HOME}/p/main.py", PROGRAM.encode())
        node = npm_package(tmp_path, "plain", {"index.js": "module.exports = 'inside'"})
        package = {"dependencies": {"plain": f"file:{node}"}}
        host.put(f"{HOME}/p/package.json", json.dumps(package).encode())
        host.put(f"{HOME}/p/main.js", b"console.log(require('plain'))")
        assert host.sh("python3 p/main.py").text == "inside\n"
        assert host.sh("node p/main.js").text == "inside\n"
        assert host.sh("python3 p/main.py; node p/main.js").ok() == "inside\n" * 2
    finally:
        cluster.close()


@pytest.mark.nightly
def test_packages_come_from_the_registries(host: Host, place: str) -> None:
    host.put(f"{place}/requirements.txt", b"six>=1.16\n")
    host.put(f"{place}/main.py", b"import six; print(six.PY3)\n")
    assert host.sh(f"python3 {place}/main.py").text == "True\n"
    host.put(f"{place}/package.json", b'{"dependencies": {"is-number": "^7"}}')
    host.put(f"{place}/main.js", b"console.log(require('is-number')('5'))")
    assert host.sh(f"node {place}/main.js").text == "true\n"


def test_children_of_a_program_find_its_packages(host: Host, place: str, tmp_path: Path) -> None:
    path = hello(tmp_path, "child")
    host.put(f"{place}/requirements.txt", f"greet @ file://{path}\n".encode())
    program = (
        "import subprocess, sys\n"
        "line = 'import greet; print(greet.hello())'\n"
        "print(subprocess.run([sys.executable, '-c', line], capture_output=True, text=True))\n"
    )
    host.put(f"{place}/main.py", program.encode())
    out = host.sh(f"python3 {place}/main.py").text
    assert "stdout='child\\n'" in out, out
