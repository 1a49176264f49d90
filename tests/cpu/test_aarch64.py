"""Regions as AArch64 runs them: unicorn is the host, with the hart's own memory and state mapped.

What regions call of the engine, the engine of this host answers.
"""

import ctypes
from functools import cache
from io import BytesIO
from random import Random

import llvmlite.binding as llvm
import pytest
import streams
import unicorn
import unicorn.arm64_const as arm
from elftools.elf.elffile import ELFFile
from test_translator import MIXES, hart, loop, seen

from vnb.cpu.hart import Hart
from vnb.cpu.jit.graph import Graph, Lessons
from vnb.cpu.jit.growth import form
from vnb.cpu.jit.lines import Host
from vnb.cpu.jit.places import DecodedPages, Layout
from vnb.cpu.jit.text import Writer
from vnb.cpu.lower_llvm import CALLED_BY_REGIONS

REGION, ENTER, STUBS, STACK, END = (0x1000_0000 + n * 0x10_0000 for n in range(5))
SPACE = 0x10_0000
RET = 0xD65F03C0
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)
ENTRY = """
define i64 @enter(ptr %record, ptr %S, i64 %left, ptr %code) {
  %after = call preserve_nonecc i64 %code(ptr %record, ptr %S, i64 %left)
  ret i64 %after
}
"""
FLOATS_ON = 0b11 << 20  # CPACR_EL1


@cache
def machine() -> llvm.TargetMachine:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(opt=1)


def compiled(text: str, name: str) -> tuple[bytes, int]:
    """The code of a function that needs no relocation, and where in it that begins."""
    module = llvm.parse_assembly(text)
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    passes.run(module.get_function(name), llvm.create_pass_builder(machine(), options))
    elf = ELFFile(BytesIO(machine().emit_object(module)))
    assert elf.get_section_by_name(".rela.text") is None
    (symbol,) = elf.get_section_by_name(".symtab").get_symbol_by_name(name)
    return elf.get_section_by_name(".text").data(), symbol["st_value"]


class Arm:
    """Runs regions of one hart."""

    def __init__(self, hart: Hart) -> None:
        self.hart, state, memory = hart, hart.state, hart.memory
        self.uc = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        self.uc.reg_write(arm.UC_ARM64_REG_CPACR_EL1, FLOATS_ON)
        for address, size in ((state.address, state.block.nbytes), (memory.address, memory.size)):
            self.uc.mem_map_ptr(address, -(-size // 4096) * 4096, unicorn.UC_PROT_ALL, address)
        for address in (REGION, ENTER, STUBS, STACK, END):
            self.uc.mem_map(address, SPACE)
        code, start = compiled(ENTRY, "enter")
        self.uc.mem_write(ENTER, code)
        self.enter = ENTER + start
        for number, name in enumerate(sorted(CALLED_BY_REGIONS)):
            self.serve(STUBS + 16 * number, name)

    def serve(self, address: int, name: str) -> None:
        """Have a function of the engine at an address, and tell regions of it."""
        setattr(self.hart.state, name, address)
        self.uc.mem_write(address, RET.to_bytes(4, "little"))
        place = self.hart._run.linker.get_function_address(name)  # type: ignore[attr-defined]
        function = FUNCTION(place)

        def call(*_: object) -> None:
            arguments = [self.uc.reg_read(arm.UC_ARM64_REG_X0 + n) for n in range(4)]
            self.uc.reg_write(arm.UC_ARM64_REG_X0, function(*arguments))

        self.uc.hook_add(unicorn.UC_HOOK_CODE, call, begin=address, end=address)

    def run(self, graph: Graph, record: int, budget: int) -> int:
        """What the region retired of the budget."""
        code, start = compiled(Writer(graph, HOST).write(), "region")
        self.uc.mem_write(REGION, code)
        self.uc.ctl_remove_cache(REGION, REGION + SPACE)
        arguments = (record, self.hart.state.address, budget, REGION + start)
        for number, value in enumerate(arguments):
            self.uc.reg_write(arm.UC_ARM64_REG_X0 + number, value)
        self.uc.reg_write(arm.UC_ARM64_REG_SP, STACK + SPACE)
        self.uc.reg_write(arm.UC_ARM64_REG_LR, END)
        self.uc.emu_start(self.enter, END)
        return budget - int(self.uc.reg_read(arm.UC_ARM64_REG_X0))


HOST = Host("preserve_allcc", "preserve_nonecc", x86=False, fma=True)


def region_here(hart: Hart, decoded: DecodedPages) -> Graph | None:
    """The region that would begin at pc, its record filled in."""
    layout = Layout(decoded, decoded.fetch_tlb(), hart.pc)
    graph = form(layout.slot, hart.pc & 0xFFF, lambda _: False, Lessons())
    if graph is not None:
        first = hart.state.regions - hart.state.address >> 3
        for delta, index in graph.pages().items():
            number = layout.number(delta)
            assert number is not None
            hart.state.block[first + 2 + index] = decoded.base(number)
    return graph


@pytest.mark.parametrize("mix", MIXES)
def test_regions_on_aarch64_end_as_interpreted(mix: str, rng: Random) -> None:
    rows, compressed = MIXES[mix]
    given = streams.stream(rng, rows, compressed, 150)
    harts = hart("off", given, loop(given)), hart("off", given, loop(given))
    interpreted, translated = harts
    for one in harts:
        one.run(5000)
    host, decoded = Arm(translated), DecodedPages(translated.state, translated.memory)
    retired = 0
    for _ in range(10 if rows is streams.INTEGER else 40):  # floats have short regions
        graph, budget = region_here(translated, decoded), rng.randrange(1, 2000)
        done = host.run(graph, translated.state.regions, budget) if graph is not None else 0
        translated.state.horizon += done
        retired += done
        for one, count in ((interpreted, done), (interpreted, 1), (translated, 1)):
            one.run(count)
        assert seen(translated) == seen(interpreted)
    assert translated.memory.sha256() == interpreted.memory.sha256()
    print(f"{retired} instructions")
    assert retired > 100
