"""The blob: read back by a reader of our own, and by dtc where that is installed."""

import shutil
import subprocess

import pytest

from tests.platform.flat import unflatten
from vnb.platform.devicetree import Node, cells64, encode, flatten


def tree() -> Node:
    root = Node("", {"#address-cells": 2, "#size-cells": 2, "model": "a test"})
    soc = root.add("soc", {"compatible": ["x,y", "simple-bus"], "ranges": None})
    soc.add("device@1000", {"reg": cells64(0x1_0000_1000, 0x10), "seed": b"\1\2\3", "model": "b"})
    soc.add("device@2000", {"reg": cells64(0x2000, 0x10)})
    root.add("chosen", {})
    return root


def test_properties_are_encoded_by_their_type() -> None:
    assert encode(None) == b""
    assert encode(0x1234) == b"\0\0\x12\x34"
    assert encode("ab") == b"ab\0"
    assert encode(["ab", "", "c"]) == b"ab\0\0c\0"
    assert encode([1, 0xFFFF_FFFF]) == b"\0\0\0\1\xff\xff\xff\xff"
    assert encode([]) == b""
    assert encode(b"\1\2\3") == b"\1\2\3"
    assert cells64(0x1122_3344_5566_7788, 1) == [0x1122_3344, 0x5566_7788, 0, 1]


def test_a_tree_comes_back_as_it_was_written() -> None:
    root = unflatten(flatten(tree()))
    assert root.name == ""
    assert list(root.children) == ["soc", "chosen"]
    assert root.string("model") == "a test"
    assert root["soc"].strings("compatible") == ["x,y", "simple-bus"]
    assert root["soc"].properties["ranges"] == b""
    device = root["soc/device@1000"]
    assert device.cells("reg") == [1, 0x1000, 0, 0x10]
    assert device.properties["seed"] == b"\1\2\3"
    assert device.string("model") == "b"
    assert root["chosen"].properties == {}


def test_a_property_name_is_stored_once() -> None:
    blob = flatten(tree())
    assert blob.count(b"reg\0") == 1
    assert blob.count(b"model\0") == 1


@pytest.mark.skipif(not shutil.which("dtc"), reason="dtc is not installed")
def test_dtc_reads_the_same_tree() -> None:
    blob = flatten(tree())
    source = subprocess.run(
        ["dtc", "-q", "-I", "dtb", "-O", "dts"], input=blob, capture_output=True, check=True
    ).stdout
    again = subprocess.run(
        ["dtc", "-q", "-I", "dts", "-O", "dtb"], input=source, capture_output=True, check=True
    ).stdout
    assert unflatten(again) == unflatten(blob)
