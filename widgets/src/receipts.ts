// How far a page has come is told to the machine: at once where that keeps it waiting, else later.

/** Milliseconds until the machine is told of little. */
export const LATER = 250;

/**
 * Tells the machine how far a page has come, after every `much` of it or after a while.
 *
 * A kernel says "busy" and "idle" for each message that it gets: so a letter that was echoed would
 * be followed by three messages about it, which stand in the way of the next one.
 */
export class Receipts {
  private told = 0;
  private position = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly much: number,
    private readonly tell: (position: number) => void,
  ) {}

  /** The page has come so far. */
  note(position: number): void {
    this.position = position;
    if (position - this.told >= this.much) this.now();
    else this.timer ??= setTimeout(() => this.now(), LATER);
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private now(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.told = this.position;
    this.tell(this.position);
  }
}
