"""Which modules go into the guest, in which order, and the tables that modprobe reads."""

import lzma

import pytest

from tests.images import fakes
from vnb.errors import HostError
from vnb.images import modules


def tree(**depends: str) -> dict[str, bytes]:
    """Modules by path, each saying what it depends on."""
    return {
        f"kernel/{name}.ko": fakes.module(f"depends={needs}", f"alias=for-{name}")
        for name, needs in depends.items()
    }


def test_a_module_says_what_it_needs_and_what_it_drives() -> None:
    facts = ("license=GPL", "alias=virtio:d00000004v*", "alias=other", "depends=a-b,c")
    found = modules.read("kernel/virtio-rng.ko.xz", lzma.compress(fakes.module(*facts)))
    assert (found.name, found.path) == ("virtio_rng", "kernel/virtio-rng.ko")
    assert found.depends == ("a_b", "c")
    assert found.aliases == ("virtio:d00000004v*", "other")
    assert found.content == fakes.module(*facts)


def test_each_module_comes_after_all_that_it_needs() -> None:
    files = tree(top="middle,side", middle="bottom", side="bottom", bottom="", stranger="")
    assert list(modules.closure(files, {"top": ()})) == ["bottom", "middle", "side", "top"]


def test_a_module_brings_what_it_wants_beside_it() -> None:
    files = tree(virtio_input="", evdev="helper", helper="")
    found = modules.closure(files, {"virtio_input": ("evdev",)})
    assert list(found) == ["helper", "evdev", "virtio_input"]


def test_names_with_dashes_and_underscores_are_the_same() -> None:
    files = {
        "kernel/virtio-gpu.ko": fakes.module("depends=drm-helper"),
        "kernel/drm_helper.ko": fakes.module("depends="),
    }
    assert list(modules.closure(files, {"virtio_gpu": ()})) == ["drm_helper", "virtio_gpu"]


def test_a_module_that_is_missing_is_named_with_who_needs_it() -> None:
    with pytest.raises(HostError, match="no module gone, which middle needs"):
        modules.closure(tree(top="middle", middle="gone"), {"top": ()})
    with pytest.raises(HostError, match=r"has no module top$"):
        modules.closure({}, {"top": ()})


def test_modules_that_need_each_other_in_a_circle_are_refused() -> None:
    with pytest.raises(HostError, match="a → b → c → a"):
        modules.closure(tree(a="b", b="c", c="a"), {"a": ()})


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n", fakes.module()[:100]])
def test_a_file_that_is_no_module_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(HostError, match=r"kernel/odd\.ko is no kernel module"):
        modules.read("kernel/odd.ko", content)
    with pytest.raises(HostError, match=r"kernel/odd\.ko\.xz is no kernel module"):
        modules.read("kernel/odd.ko.xz", b"not xz")


def test_a_line_of_modules_dep_ends_with_what_must_be_loaded_first() -> None:
    wanted = {"top": ("beside",)}
    files = tree(top="left,right", left="right", right="bottom", bottom="", beside="")
    table = modules.dependency_table(modules.closure(files, wanted), wanted).decode()
    lines = {line.partition(":")[0]: line.partition(":")[2].split() for line in table.splitlines()}
    needed = lines["kernel/top.ko"]
    order = [path.removeprefix("kernel/").removesuffix(".ko") for path in reversed(needed)]
    assert sorted(order) == ["beside", "bottom", "left", "right"]
    assert order.index("bottom") < order.index("right") < order.index("left")
    assert lines["kernel/bottom.ko"] == []


def test_modules_alias_leads_from_a_device_to_its_module() -> None:
    found = modules.closure(tree(a="b", b=""), {"a": ()})
    assert modules.alias_table(found) == b"alias for-b b\nalias for-a a\n"
