"""How fast the processor is: our own kernels on vnb, others and the host, in one run.

    python benchmarks/cpu.py [--rounds 3] [--kernel sieve --kernel fib …]

Each round runs every kernel on every target before the next round begins, so that a busy minute on
the host touches all of them alike. All results must agree, or the run fails.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict

import click
from tables import host, spread, table
from targets import KERNELS, Run, Target, targets
from tqdm import tqdm

Measured = dict[tuple[str, str], list[Run]]  # (kernel, target) → one run a round


def measure(kernels: list[str], present: list[Target], rounds: int) -> Measured:
    measured: Measured = defaultdict(list)
    steps = [(kernel, target) for _ in range(rounds) for kernel in kernels for target in present]
    for kernel, target in (progress := tqdm(steps, leave=False)):
        progress.set_description(f"{kernel} on {target.name}")
        measured[kernel, target.name].append(target.run(kernel))
    return measured


def disagreements(kernels: list[str], present: list[Target], measured: Measured) -> list[str]:
    """One line for each kernel whose result or count of instructions is not the same everywhere."""
    lines = []
    for kernel in kernels:
        seen = [(target, run) for target in present for run in measured[kernel, target.name]]
        results = {run.result for _, run in seen}
        counts = {run.instructions for target, run in seen if target.counts}
        if len(results) > 1 or len(counts) > 1:
            told = "; ".join(
                f"{t.name} {run.result:#x} after {run.instructions} instructions" for t, run in seen
            )
            lines.append(f"{kernel}: the targets disagree: {told}")
    return lines


def times(kernels: list[str], present: list[Target], measured: Measured) -> str:
    """Milliseconds of each kernel on each target."""
    rows = []
    for kernel in kernels:
        runs = [measured[kernel, target.name] for target in present]
        instructions = runs[0][0].instructions / 1e6
        cells = [spread([1e3 * run.seconds for run in series]) for series in runs]
        rows.append([kernel, f"{instructions:.0f}", *cells])
    return table(["ms", "M instr.", *(target.name for target in present)], rows)


def rates(kernels: list[str], present: list[Target], measured: Measured) -> str:
    """How fast the first target is, and how much longer the others take."""
    ours, *others = present
    rows, ratios = [], []
    for kernel in kernels:
        median, *medians = (
            statistics.median(run.seconds for run in measured[kernel, target.name])
            for target in present
        )
        rate = measured[kernel, ours.name][0].instructions / median / 1e6
        ratios.append([other / median for other in medians])
        rows.append([kernel, f"{rate:.0f}", *(f"{ratio:.2f}" for ratio in ratios[-1])])
    means = [f"{statistics.geometric_mean(column):.2f}" for column in zip(*ratios, strict=True)]
    rows.append(["geometric mean", "", *means])
    return table(["", f"{ours.name}, MIPS", *(f"× {target.name}" for target in others)], rows)


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured.")
@click.option("--kernel", "kernels", multiple=True, type=click.Choice(KERNELS), default=KERNELS)
def main(rounds: int, kernels: tuple[str, ...]) -> None:
    """Print a table of our kernels on vnb's engines, other emulators and the host."""
    wanted, everyone = list(kernels), targets()
    present = [target for target in everyone if target.missing is None]
    measured = measure(wanted, present, rounds)
    print(f"\n{host()}; {rounds} rounds: median (best)\n")
    print(times(wanted, present, measured))
    print()
    print(rates(wanted, present, measured))
    print(f"\n× is the other's time divided by {present[0].name}'s: over 1, vnb is the faster.")
    for target in everyone:
        if target.missing:
            print(f"Not measured: {target.name}, because {target.missing}.")
    if wrong := disagreements(wanted, present, measured):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
