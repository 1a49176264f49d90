"""From the graph of a region to LLVM text: one function, guest registers in its variables.

    i64 region(ptr record, ptr S, i64 left)   stores pc and returns what is left of the budget

Every address is `origin`, the virtual address of the entry's page, plus an offset known now. A way
out stores the registers that the region may have changed; the way out of an instruction that the
engine has to do leaves everything as it was before that instruction.
"""

from vnb.cpu.jit.access import groups, kept_names
from vnb.cpu.jit.boxes import boxed
from vnb.cpu.jit.floats import Floats, computes, depends_on_frm, is_float
from vnb.cpu.jit.graph import ENDS, Block, Graph, Instruction, Place, budget
from vnb.cpu.jit.lines import LIKELY, METADATA, Host
from vnb.cpu.jit.loops import innermost, steady
from vnb.cpu.jit.meaning import meaning
from vnb.cpu.jit.nans import unsettled
from vnb.cpu.jit.strict import HEAD
from vnb.cpu.state import OFFSETS, SINK, TLB_ENTRIES

MOST_COMPARED = 3
"""Places of an indirect jump that are compared one by one."""


class Writer(Floats):
    """Writes the function of one region, block by block."""

    def __init__(self, graph: Graph, host: Host) -> None:
        super().__init__(host, host.x86 and any(map(computes, graph.instructions())))
        self.graph = graph
        self.labels = {place: f"b{number}" for number, place in enumerate(graph.blocks)}
        self.needs = budget(graph).needs
        self.pages = graph.pages()
        self.steady_in = steady(graph)
        self.boxed_in = boxed(graph)
        self.unsettled_in = unsettled(graph) if self.strict else {}
        around = innermost(graph, graph.entry) or [graph.entry]
        blocks = [graph.blocks[place] for place in around]
        self.assured = {self.float_word_of(b) for b in blocks if any(map(is_float, b.instructions))}
        self.groups_of = {
            p: groups(block, graph.lessons.apart) for p, block in graph.blocks.items()
        }
        self.kept = self.sizes_kept()

    def float_word_of(self, block: Block) -> str:
        """What must hold for the floats of a block: strict arithmetic wants frm to be RNE."""
        nearest = self.strict and any(map(depends_on_frm, block.instructions))
        return "float_nearest" if nearest else "float_on"

    def sizes_kept(self) -> dict[tuple[int, int], int]:
        """The size of the largest group by its key, of those that keep their page."""
        sizes: dict[tuple[int, int], int] = {}
        for place, registers in self.steady_in.items():
            for group in self.groups_of[place].values():
                if group.base in registers:
                    sizes[group.key] = max(sizes.get(group.key, 0), group.size)
        return sizes

    # the ways between blocks ------------------------------------------------------------------

    def go(self, at: int, target: Place) -> None:
        """Go on at a place, in another block or outside."""
        if target not in self.labels:
            self.leave(self.address(target[0]), self.after)
            return
        if target[0] >> 12 != at >> 12:
            self.cross(target)
        self.settle_aside(but=self.unsettled_in.get(target, ()))
        self.emit(f"br label %{self.labels[target]}")

    def cross(self, target: Place) -> None:
        """Another page: the fetch TLB must say that it still is the one that was translated."""
        delta = target[0] >> 12
        page = self.address(delta << 12)
        shifted = self.value(f"lshr i64 {page}, 8")
        index = self.value(f"and i64 {shifted}, {(TLB_ENTRIES - 1) << 4}")
        entry = self.value(f"getelementptr i8, ptr %fetch_tlb, i64 {index}")
        tag = self.value(f"load i64, ptr {entry}")
        data = self.value(f"getelementptr i8, ptr {entry}, i64 8")
        data = self.value(f"load i64, ptr {data}")
        place = self.value(f"getelementptr i8, ptr %record, i64 {16 + 8 * self.pages[delta]}")
        expected = self.value(f"load i64, ptr {place}")
        slots = self.value(f"shl i64 {page}, 2")
        found = self.value(f"add i64 {data}, {slots}")
        known = self.value(f"icmp eq i64 {tag}, {page}")
        same = self.value(f"icmp eq i64 {found}, {expected}")
        both = self.value(f"and i1 {known}, {same}")
        yes, no = self.new("p"), self.new("x")
        self.emit(f"br i1 {both}, label %{yes}, label %{no}, {LIKELY}")
        self.label(no)
        self.leave(self.address(target[0]), self.after)
        self.label(yes)

    # blocks -----------------------------------------------------------------------------------

    def block(self, block: Block) -> None:
        place, count = block.place, len(block.instructions)
        self.begin_block()
        self.label(self.labels[place])
        self.left = self.value("load i64, ptr %left")
        self.unsettled = set(self.unsettled_in.get(place, ()))
        if place in self.needs:
            enough = self.value(f"icmp uge i64 {self.left}, {self.needs[place]}")
            self.demand(enough, self.way_out(block.instructions[0], starved=True))
        self.after = self.value(f"sub i64 {self.left}, {count}")
        self.emit(f"store i64 {self.after}, ptr %left")
        self.groups, self.found = self.groups_of[place], {}
        self.boxed = set(self.boxed_in[place])
        self.float_word = self.float_word_of(block)
        self.steady = self.steady_in.get(place, frozenset())
        for i in block.instructions:
            if i.row.kind in ENDS:
                self.end(i, block)
                return
            self.instruction(i)
            self.done += 1
        self.go(i.at, block.successors[0])

    def instruction(self, i: Instruction) -> None:
        kind = i.row.kind
        if kind == "d":
            if i.rd != SINK:
                self.set_register(i.rd, self.fill(meaning(i.row), self.operands(i)))
        elif kind in ("load", "fload"):
            self.load(i)
        elif kind in ("store", "fstore"):
            self.store(i)
        elif kind in ("lr", "sc", "amo"):
            self.atomic(i)
        elif kind == "csr":
            self.csr(i)
        else:
            self.float(i)

    def csr(self, i: Instruction) -> None:
        """A read, by the engine; it traps outside the region."""
        left = self.value(f"sub i64 {self.left}, {self.done}")
        function = self.word("region_csr", "ptr")
        arguments = f"i64 %state, i64 {i.immediate & 0xFFF}, i64 {left}"
        allowed = self.value(f"call {self.on.sparing} i64 {function}({arguments})")
        self.demand(self.value(f"icmp ne i64 {allowed}, 0"), self.way_out(i))
        if i.rd != SINK:
            self.set_register(i.rd, self.word("csr_value"))

    def end(self, i: Instruction, block: Block) -> None:
        if i.row.kind == "if":
            condition = self.fill(meaning(i.row), self.operands(i))
            taken, other = self.new("y"), self.new("n")
            self.emit(f"br i1 {condition}, label %{taken}, label %{other}")
            for label, successor in zip((taken, other), block.successors, strict=True):
                self.label(label)
                self.go(i.at, successor)
            return
        if i.is_direct:
            self.set_register(i.rd, self.address(i.after))
            self.go(i.at, block.successors[0])
            return
        target = self.fill(meaning(i.row), self.operands(i))
        self.set_register(i.rd, self.address(i.after))
        self.jump(i, block, target)

    def jump(self, i: Instruction, block: Block, target: str) -> None:
        """An indirect jump: to a place that is known, else the run loop finds out."""
        pending = block.place[1]
        known = block.successors if i.is_return and pending else self.graph.known(i)
        places = [place for place in known if place in self.labels and (i.is_return or not pending)]
        if len(places) > MOST_COMPARED:
            self.switch(i, places, target)
            return
        for place in places:
            same = self.value(f"icmp eq i64 {target}, {self.address(place[0])}")
            yes, no = self.new("y"), self.new("n")
            self.emit(f"br i1 {same}, label %{yes}, label %{no}")
            self.label(yes)
            self.go(i.at, place)
            self.label(no)
        self.leave(target, self.after)

    def switch(self, i: Instruction, places: list[Place], target: str) -> None:
        """One of many places."""
        at = self.value(f"sub i64 {target}, %origin")
        labels = [self.new("y") for _ in places]
        other = self.new("n")
        cases = " ".join(
            f"i64 {place[0]}, label %{label}" for place, label in zip(places, labels, strict=True)
        )
        self.emit(f"switch i64 {at}, label %{other} [ {cases} ]")
        for place, label in zip(places, labels, strict=True):
            self.label(label)
            self.go(i.at, place)
        self.label(other)
        self.leave(target, self.after)

    # the whole --------------------------------------------------------------------------------

    def write(self) -> str:
        """The whole function."""
        for block in self.graph.blocks.values():
            self.block(block)
        body = self.lines + self.cold
        self.lines = []
        self.begin_block()
        self.prologue()
        self.lines += body
        self.epilogue()
        declares = "\n".join(sorted(self.declares | (HEAD if self.strict else set())))
        return f"{declares}\n" + "\n".join(self.lines) + "\n" + METADATA

    def prologue(self) -> None:
        attribute = " #0" if self.strict else ""
        parameters = "ptr %record, ptr noalias %S, i64 %budget"
        self.emit(f"define {self.on.chained} i64 @region({parameters}){attribute} {{")
        self.emit("entry:\n%left = alloca i64\n%next = alloca i64\n%state = ptrtoint ptr %S to i64")
        pc = self.word("pc")
        self.emit(f"%origin = sub i64 {pc}, {self.graph.entry[0]}")
        for tlb in ("load_tlb", "store_tlb", "fetch_tlb"):
            place = self.value(f"getelementptr i8, ptr %S, i64 {OFFSETS[tlb]}")
            self.emit(f"%{tlb} = load ptr, ptr {place}")
        self.emit("store i64 %budget, ptr %left")
        for register in self.used:
            kind = self.kind(register)
            self.emit(f"%r{register} = alloca {kind}")
            value = self.value(f"load {kind}, ptr {self.state(register)}")
            self.emit(f"store {kind} {value}, ptr %r{register}")
        for key in self.kept:
            for name in kept_names(key):
                self.emit(f"{name} = alloca i64\nstore i64 0, ptr {name}")
        if self.strict:
            self.emit("%mxcsr = alloca i64")
            self.emit(f"store i64 {self.word('mxcsr')}, ptr %mxcsr")
            self.emit("call void @llvm.x86.sse.ldmxcsr(ptr %mxcsr) #0")
        for register in sorted(self.boxed_in[self.graph.entry]):
            self.demand(self.is_boxed(register), "refused")
        for register in sorted(self.unsettled_in.get(self.graph.entry, ())):
            self.demand(self.is_settled(register), "refused")
        for word in sorted(self.assured):
            self.demand(self.value(f"icmp ne i64 {self.word(word)}, 0"), "refused")
        self.emit(f"br label %{self.labels[self.graph.entry]}")

    def epilogue(self) -> None:
        self.label("refused")
        self.emit("ret i64 %budget")
        self.label("leave")
        for register in self.changed:
            kind = self.kind(register)
            value = self.value(f"load {kind}, ptr %r{register}")
            self.emit(f"store {kind} {value}, ptr {self.state(register)}")
        if self.strict:
            self.hand_flags_over()
        pc = self.value("load i64, ptr %next")
        place = self.value(f"getelementptr i8, ptr %S, i64 {OFFSETS['pc']}")
        self.emit(f"store i64 {pc}, ptr {place}")
        self.chain(pc, self.value("load i64, ptr %left"))
        self.emit("}")

    def chain(self, pc: str, left: str) -> None:
        """Go over to the region that begins at pc; one that did nothing must not."""
        spent = self.value(f"sub i64 %budget, {left}")
        self.emit(f"br i1 {self.value(f'icmp eq i64 {spent}, 0')}, label %quit, label %onward")
        self.label("onward")
        function = self.word("region_next", "ptr")
        record = self.value("ptrtoint ptr %record to i64")
        arguments = f"i64 %state, i64 {record}, i64 {pc}, i64 {spent}"
        following = self.value(f"call i64 {function}({arguments})")
        self.emit(f"br i1 {self.value(f'icmp eq i64 {following}, 0')}, label %quit, label %chain")
        self.label("chain")
        place = self.value(f"inttoptr i64 {following} to ptr")
        code = self.value(f"load ptr, ptr {place}")
        arguments = f"ptr {place}, ptr noalias %S, i64 {left}"
        after = self.value(f"musttail call {self.on.chained} i64 {code}({arguments})")
        self.emit(f"ret i64 {after}")
        self.label("quit")
        self.emit(f"ret i64 {left}")
