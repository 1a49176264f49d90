"""Debian's own driver on our shares: trees copied both ways, changes seen at once, and the rest."""

import hashlib
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from vnb import Console, Machine, Share, images
from vnb.config import Transport
from vnb.host.files import Tree

pytestmark = [pytest.mark.debian, pytest.mark.xdist_group("share"), pytest.mark.timeout(300)]

TRANSPORTS: tuple[Transport, ...] = ("mmio", "pci")
FILES = {"mmio": 10_000, "pci": 1_000}
"""What takes minutes on one transport need not take them on the other: the device is the same."""

SEED = 9


@pytest.fixture(scope="module")
def python() -> images.Image:
    return images.debian(packages=("python3-minimal",), progress=False)


class World:
    """A machine with a writable folder, one that is not, and a tree, at /mnt/NAME."""

    def __init__(self, machine: Machine, root: Path) -> None:
        self.machine = machine
        self.folder = root / "folder"
        self.still = root / "still"
        self.tree: Tree = machine.devices["tree"]

    def run(self, command: str) -> str:
        return self.machine.shell(command, timeout=1000, check=True).stdout

    def python(self, program: str) -> str:
        return self.run(f"cat >/tmp/program.py <<'END'\n{program}\nEND\npython3 /tmp/program.py")


@pytest.fixture(scope="module", params=TRANSPORTS)
def world(
    request: pytest.FixtureRequest, python: images.Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    root = tmp_path_factory.mktemp("shares")
    for name in ("folder", "still"):
        (root / name).mkdir()
        (root / name / "hello.txt").write_text("hello from the host\n")
    devices = [
        Console(),
        Share(root / "folder", tag="folder", write=True),
        Share(root / "still", tag="still"),
        Share({"hello.txt": "hello from the cell\n"}, tag="tree"),
        Share(f"memory://{root.name}", tag="remote", write=True),
    ]
    with Machine(python, memory="320M", devices=devices, transport=request.param) as machine:
        yield World(machine, root)


def many(dice: random.Random, count: int) -> dict[str, bytes]:
    """Files of all sizes in some directories."""
    sizes = (0, 1, 100, 1000, 4096, 4097, 9000)
    return {
        f"d{number % 17}/file {number}": dice.randbytes(dice.choice(sizes))
        for number in range(count)
    }


def content(folder: Path) -> dict[str, str]:
    """The hash of every file in there, by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_drivers_are_linuxs_own_and_the_tags_are_where_they_are_mounted(world: World) -> None:
    mounts = world.run("grep 9p /proc/mounts")
    for name in ("folder", "still", "tree", "remote"):
        assert f"{name} /mnt/{name} 9p rw" in mounts
    assert world.run("cat /mnt/folder/hello.txt /mnt/still/hello.txt /mnt/tree/hello.txt") == (
        "hello from the host\nhello from the host\nhello from the cell\n"
    )
    drivers = world.run(
        "for i in /sys/bus/virtio/drivers/9pnet_virtio/virtio*; do readlink -f $i; done"
    )
    assert len(drivers.splitlines()) == 4
    assert ("pci" in drivers) == (world.machine.config.transport == "pci")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_thousand_files_are_copied_both_ways_and_are_the_same(world: World) -> None:
    files = many(random.Random(SEED), FILES[world.machine.config.transport])
    source = world.folder / "many"
    for name, data in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    expected = content(source)
    world.tree.clear()
    world.run("cp -r /mnt/folder/many /mnt/tree/many")
    assert {path.removeprefix("many/"): data for path, data in world.tree.items()} == files
    shutil.rmtree(source)
    # And back again; the guest agrees about what is there.
    world.run("mkdir /mnt/folder/back && cp -r /mnt/tree/many/d1 /mnt/folder/back")
    back = {name: data for name, data in expected.items() if name.startswith("d1/")}
    assert content(world.folder / "back") == back
    sums = world.run("cd /mnt/folder/back && find . -type f -print0 | xargs -0 sha256sum")
    assert {line[68:]: line[:64] for line in sums.splitlines()} == back
    world.run("rm -r /mnt/folder/back /mnt/tree/many/d1")
    assert not (world.folder / "back").exists()
    assert len(world.tree) == len(files) - sum(name.startswith("d1/") for name in files)
    world.tree.clear()


def test_what_host_and_guest_change_the_other_sees_at_once(world: World) -> None:
    def put(name: str, data: bytes) -> None:
        (world.folder / name).write_bytes(data)
        world.tree[name] = data

    readers: dict[str, Callable[[str], bytes]] = {
        "folder": lambda name: (world.folder / name).read_bytes(),
        "tree": lambda name: world.tree[name],
    }
    for place, read in readers.items():
        put("ours", b"1")
        assert world.run(f"cat /mnt/{place}/ours") == "1"
        put("ours", b"longer")
        assert world.run(f"cat /mnt/{place}/ours; stat -c %s /mnt/{place}/ours") == "longer6\n"
        put("ours", b"2")
        assert world.run(f"cat /mnt/{place}/ours") == "2"
        world.run(f"mkdir -p /mnt/{place}/dir && echo guest > /mnt/{place}/dir/theirs")
        assert read("dir/theirs") == b"guest\n"
        world.run(f"echo more >> /mnt/{place}/dir/theirs; echo x > /mnt/{place}/ours")
        assert read("dir/theirs") == b"guest\nmore\n"
        assert read("ours") == b"x\n"
    (world.folder / "ours").unlink()
    del world.tree["ours"]
    for place in ("folder", "tree"):
        assert world.machine.shell(f"cat /mnt/{place}/ours").status == 1
        assert "theirs" in world.run(f"ls /mnt/{place}/dir; rm -r /mnt/{place}/dir")
    assert not (world.folder / "dir").exists()


def test_what_is_appended_is_read_by_who_has_it_open(world: World) -> None:
    log = world.folder / "log"
    log.write_text("one\n")
    told = world.run("exec 3</mnt/folder/log; cat <&3; echo two >>/mnt/folder/log; cat <&3")
    assert told == "one\ntwo\n"
    assert log.read_text() == "one\ntwo\n"


@pytest.mark.parametrize("place", ["folder", "tree"])
def test_a_program_on_the_share_is_mapped_and_runs(world: World, place: str) -> None:
    world.run(f"cp /bin/busybox /mnt/{place}/busybox")
    assert world.run(f"/mnt/{place}/busybox echo it runs") == "it runs\n"
    assert world.run(f"cmp /bin/busybox /mnt/{place}/busybox; rm /mnt/{place}/busybox") == ""


WORK = """
import errno, fcntl, os, random
os.chdir("/mnt/PLACE")
os.mkdir("work")
os.chdir("work")
dice, model, opened = random.Random(SEED), {}, {}
for step in range(1500):
    name, other = (f"{dice.randrange(12)}" for _ in range(2))
    deed = dice.randrange(10)
    if deed < 3:
        data = dice.randbytes(dice.choice((0, 1, 5000, 70000)))
        flags, mode = dice.choice(((os.O_TRUNC, "w"), (os.O_APPEND, "a")))
        fd = os.open(name, os.O_CREAT | os.O_WRONLY | flags, 0o644)
        assert os.write(fd, data) == len(data)
        os.close(fd)
        model[name] = (model.get(name, b"") if mode == "a" else b"") + data
    elif deed == 3 and name in model and name != other:
        os.rename(name, other)
        model[other] = model.pop(name)
    elif deed == 4 and name in model:
        fd, data = os.open(name, os.O_RDWR), model.pop(name)
        os.unlink(name)
        assert os.fstat(fd).st_size == len(data)
        os.ftruncate(fd, 3)
        assert os.pread(fd, 100, 0) == data[:3].ljust(3, b"\\0")
        os.close(fd)
    elif deed == 5 and name in model:
        size = dice.choice((0, 7, 6000))
        os.truncate(name, size)
        model[name] = model[name][:size].ljust(size, b"\\0")
    elif deed == 6 and name in model:
        fd, place = os.open(name, os.O_RDWR), dice.randrange(9000)
        assert os.pwrite(fd, b"patch", place) == 5
        os.fsync(fd)
        os.close(fd)
        model[name] = model[name].ljust(place, b"\\0")
        model[name] = model[name][:place] + b"patch" + model[name][place + 5:]
    elif deed == 7:
        assert sorted(os.listdir(".")) == sorted(model), step
    elif name in model:
        with open(name, "rb") as file:
            assert file.read() == model[name], step
        os.chmod(name, 0o600 + step % 64)
        assert os.stat(name).st_mode & 0o777 == 0o600 + step % 64
        os.utime(name, ns=(step, 10**9 * step))
        assert os.stat(name).st_mtime_ns == 10**9 * step
    elif deed == 9:
        try:
            os.stat(name)
        except FileNotFoundError:
            continue
        raise SystemExit(f"{name} is there")
for name, value in (("user.a", b"1"), ("user.b", b"2" * 3000)):
    os.setxattr(".", name, value)
    assert os.getxattr(".", name) == value
assert sorted(os.listxattr(".")) == ["user.a", "user.b"]
os.removexattr(".", "user.a")
assert os.listxattr(".") == ["user.b"]
one, two = (os.open("lock", os.O_CREAT | os.O_RDWR) for _ in range(2))
fcntl.flock(one, fcntl.LOCK_EX)
try:
    fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    pass
else:
    raise SystemExit("locked twice")
fcntl.flock(one, fcntl.LOCK_UN)
fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.flock(two, fcntl.LOCK_UN)  # to Linux both kinds of lock are one, on 9P
fcntl.lockf(one, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)
os.close(one)
os.close(two)
os.unlink("lock")
for name in os.listdir("."):
    os.unlink(name)
os.chdir("..")
os.rmdir("work")
print("done")
"""


@pytest.mark.parametrize("place", ["folder", "tree"])
def test_a_mix_of_everything_agrees_with_what_a_file_system_does(world: World, place: str) -> None:
    program = WORK.replace("PLACE", place).replace("SEED", str(SEED))
    assert world.python(program) == "done\n"


def test_links_and_nodes_are_for_a_tree_and_not_for_the_host(world: World) -> None:
    make = "mkdir w; cd w; echo 1 >a; ln -s a s; ln a h; mkfifo f; mknod n c 1 3"
    listing = world.run(
        f"cd /mnt/tree; {make}; cat s; echo lost >n; chown 5:6 a; stat -c '%h %u %g' h; ls"
    )
    assert listing == "1\n2 5 6\na\nf\nh\nn\ns\n"
    refused = world.machine.shell(f"cd /mnt/folder; {make}; chown 5 a")
    assert refused.stdout.count("not permitted") == 5
    assert os.listdir(world.folder / "w") == ["a"]
    world.run("rm -r /mnt/folder/w /mnt/tree/w")


def test_a_folder_that_may_only_be_read_says_so(world: World) -> None:
    result = world.machine.shell(
        "cd /mnt/still; echo x >new; echo x >hello.txt; rm hello.txt; mkdir d"
    )
    assert result.stdout.count("Read-only file system") == 4
    assert os.listdir(world.still) == ["hello.txt"]


def test_a_link_of_the_host_is_followed_in_the_guest_and_nowhere_else(world: World) -> None:
    (world.folder / "out").symlink_to("/etc/hostname-of-nobody")
    (world.folder / "up").symlink_to("..")
    assert world.machine.shell("cat /mnt/folder/out").status == 1
    assert "hello.txt" not in world.run("ls /mnt/folder/up/")  # the guest's own /mnt
    for name in ("out", "up"):
        (world.folder / name).unlink()


def test_a_full_tree_says_so_and_works_on(world: World) -> None:
    result = world.machine.shell("dd if=/dev/zero of=/mnt/tree/big bs=1M count=100")
    assert "No space left" in result.stdout
    assert (
        world.run("rm /mnt/tree/big; echo fits >/mnt/tree/small; cat /mnt/tree/small") == "fits\n"
    )
    del world.tree["small"]


def test_files_that_are_far_away_are_read_and_written_while_the_machine_runs_on(
    world: World,
) -> None:
    files = world.machine.devices["remote"]
    where = world.folder.parent.name
    files.fs.pipe_file(f"/{where}/dir/far", b"from far away\n")
    assert world.run("cat /mnt/remote/dir/far; ls /mnt/remote") == "from far away\ndir\n"
    world.run("cp /bin/busybox /mnt/remote/busybox && cmp /bin/busybox /mnt/remote/busybox")
    world.run("mkdir /mnt/remote/new && cp -r /mnt/remote/dir /mnt/remote/new && sync")
    world.run("echo more >>/mnt/remote/new/dir/far; mv /mnt/remote/new/dir/far /mnt/remote/near")
    assert files.fs.cat_file(f"/{where}/near") == b"from far away\nmore\n"
    world.run("rm -r /mnt/remote/*")
    assert world.run("ls /mnt/remote") == ""


def test_two_machines_share_one_tree_and_its_locks(python: images.Image) -> None:
    tree = Tree({"shared": "0"})
    count = (
        "import fcntl, sys\n"
        "for _ in range(100):\n"
        "    with open('/mnt/tree/shared', 'r+') as file:\n"
        "        while True:\n"
        "            try:\n"
        "                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "                break\n"
        "            except BlockingIOError:\n"
        "                pass\n"
        "        number = int(file.read())\n"
        "        file.seek(0)\n"
        "        file.write(str(number + 1))\n"
        "        file.flush()\n"
    )
    tree["count.py"] = count
    devices = [Console(), Share(tree, tag="tree")]
    with Machine(python, devices=devices) as one, Machine(python, devices=devices) as two:
        both = [
            Thread(
                target=machine.shell, args=("python3 /mnt/tree/count.py",), kwargs={"timeout": 200}
            )
            for machine in (one, two)
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert tree["shared"] == b"200"
        one.shell("echo from one >/mnt/tree/note", check=True)
        assert two.shell("cat /mnt/tree/note").stdout == "from one\n"
