"""The guest shell with Debian: what it keeps, shows, completes and interrupts."""

import base64
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from tests.kernel.client import Cell, Client

pytestmark = [pytest.mark.debian, pytest.mark.xdist_group("kernel")]

PNG = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture(scope="module")
def kernel() -> Iterator[Client]:
    client = Client()
    client.run("%machine image=debian memory=192M")
    yield client
    client.close()


def test_directory_and_variables_go_from_cell_to_cell(kernel: Client) -> None:
    assert kernel.run("cd /usr/lib; x='a  b'; export Y=2; exit 3").reply["evalue"] == "3"
    assert kernel.run('pwd; echo "$x"; sh -c "echo $Y"').text == "/usr/lib\na  b\n2\n"


def test_an_interrupt_reaches_the_guest_s_processes_whose_last_words_are_shown(
    kernel: Client,
) -> None:
    answered = []

    def meanwhile(ran: Cell) -> None:
        if "64 bytes" in ran.text and not answered:
            answered.append(kernel.interrupt())

    ran = kernel.run("ping 127.0.0.1", meanwhile)
    assert answered[0] < 2 and ran.seconds < 20
    assert ran.text.endswith("packet loss\n") or "round-trip" in ran.text
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert "ping" not in kernel.run("ps -o comm").text


def test_a_flood_is_interrupted_and_was_never_too_much_for_a_page(kernel: Client) -> None:
    answered = []

    def meanwhile(ran: Cell) -> None:
        if ran.messages[-1][0] > 3 and not answered:
            answered.append(kernel.interrupt())

    ran = kernel.run("yes", meanwhile)
    assert answered[0] < 2
    count = sum(kind == "stream" for _, kind, _ in ran.messages)
    assert 0 < count <= 35 * ran.seconds and 0 < len(ran.text) < 1_000_000 * ran.seconds


def test_a_picture_that_the_guest_prints_is_shown_between_the_lines(
    kernel: Client, tmp_path: Path
) -> None:
    (tmp_path / "it.png").write_bytes(PNG)
    ran = kernel.run(f"%put {tmp_path}/it.png /tmp\necho before; imgcat /tmp/it.png; echo after")
    assert ran.shown()[-1]["image/png"] == base64.b64encode(PNG).decode()
    assert ran.text == "before\n\nafter\n"
    kinds = [kind for _, kind, _ in ran.messages]
    picture = len(kinds) - 1 - kinds[::-1].index("display_data")
    assert "stream" in kinds[:picture] and "stream" in kinds[picture:]
    assert kernel.run("%get --show /tmp/it.png").shown()[0]["image/png"]
    kernel.run(f"%get /tmp/it.png {tmp_path}/back.png")
    assert (tmp_path / "back.png").read_bytes() == PNG


def test_commands_and_paths_of_the_guest_are_completed(kernel: Client) -> None:
    kernel.run("mkdir -p '/tmp/it is'/a /tmp/itself; rm -f /tmp/it.png; touch /tmp/its; cd /tmp")
    assert kernel.complete("ls it") == (["it\\ is/", "its", "itself/"], "it")
    assert kernel.complete(r"ls it\ is/") == ([r"it\ is/a/"], r"it\ is/")
    assert kernel.complete("cat </etc/passw") == (["/etc/passwd"], "/etc/passw")
    assert kernel.complete("ls ~/nothing") == ([], "~/nothing")
    assert kernel.complete("cd ..; hexdu") == (["hexdump"], "hexdu")
    assert kernel.complete("if grep x y; then unse") == (["unset"], "unse")
    assert kernel.complete("for f in x; do imgc") == (["imgcat"], "imgc")
    kernel.run("touch ~/here")
    assert kernel.complete("ls ~/he") == (["~/here"], "~/he")


def test_debian_is_the_guest_that_a_kernel_starts_with_and_its_building_is_watched(
    tmp_path: Path, kernel: Client
) -> None:
    kernel.run("true")  # so that all that is needed has been fetched
    cache = platformdirs.user_cache_path("vnb")
    (tmp_path / "vnb").mkdir()
    for folder in ("packages", "compiled"):
        (tmp_path / "vnb" / folder).symlink_to(cache / folder)
    new = Client(XDG_CACHE_HOME=str(tmp_path))
    try:
        ran = new.run("uname")
    finally:
        new.close()
    assert "unpacking linux-image" in ran.text and ran.text.endswith("Linux\n")
    assert "not started" in ran.shown("update_display_data")[0]["text/plain"]


def test_a_machine_can_be_made_anew_in_a_cell(kernel: Client, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    asked = f"%machine image=debian memory=160M disk=4M share={folder}:rw transport=pci\n"
    ran = kernel.run(asked + "cat /proc/partitions; cd /mnt/data; echo written >there")
    assert "vda" in ran.text and ran.reply["status"] == "ok"
    assert (folder / "there").read_text() == "written\n"
