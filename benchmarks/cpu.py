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


def report(kernels: list[str], present: list[Target], measured: Measured) -> str:
    """Milliseconds for each target; then the first one's rate, and the others' times against it."""
    ours, *others = present
    header = ["kernel", "M instr.", *(f"{target.name}, ms" for target in present)]
    header += [f"{ours.name}, MIPS", *(f"× {target.name}" for target in others)]
    rows, ratios = [], []
    for kernel in kernels:
        runs = [measured[kernel, target.name] for target in present]
        medians = [statistics.median(run.seconds for run in series) for series in runs]
        instructions = runs[0][0].instructions / 1e6
        ratios.append([median / medians[0] for median in medians[1:]])
        rows.append([kernel, f"{instructions:.0f}"])
        rows[-1] += [spread([1e3 * run.seconds for run in series]) for series in runs]
        rows[-1] += [f"{instructions / medians[0]:.0f}", *(f"{r:.2f}" for r in ratios[-1])]
    means = [f"{statistics.geometric_mean(column):.2f}" for column in zip(*ratios, strict=True)]
    rows.append(["geometric mean", *[""] * (len(present) + 2), *means])
    return table(header, rows)


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured.")
@click.option("--kernel", "kernels", multiple=True, type=click.Choice(KERNELS), default=KERNELS)
def main(rounds: int, kernels: tuple[str, ...]) -> None:
    """Print a table of our kernels on vnb's engines, other emulators and the host."""
    wanted, everyone = list(kernels), targets()
    present = [target for target in everyone if target.missing is None]
    measured = measure(wanted, present, rounds)
    print(f"\n{host()}; {rounds} rounds: median (best)\n")
    print(report(wanted, present, measured))
    print(f"\n× is the other's time divided by {present[0].name}'s: over 1, vnb is the faster.")
    for target in everyone:
        if target.missing:
            print(f"Not measured: {target.name}, because {target.missing}.")
    if wrong := disagreements(wanted, present, measured):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
