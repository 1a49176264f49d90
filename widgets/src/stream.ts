// The output of one console by position: bounded, without gaps or repetitions, for any number of
// views, those that are open and those to come.

/** Bytes that are kept for views to come; the machine keeps as many. */
export const KEPT = 1 << 20;

/** What a view gets: bytes to show, or the number of bytes that were lost before the next. */
export type Reader = (data: Uint8Array | number) => void;

export class Stream {
  /** The position of the first byte that is kept, and of the next one to come. */
  begin = 0;
  end = 0;
  private chunks: Uint8Array[] = [];
  private readonly readers = new Set<Reader>();

  constructor(private readonly limit = KEPT) {}

  /**
   * Take `data`, whose first byte is at `position`, after `lost` bytes that nobody has any more.
   *
   * False if bytes are missing that could still be had: ask for them from `end` on. What is known
   * already is skipped, so that hearing anything twice does no harm.
   */
  accept(position: number, data: Uint8Array, lost = 0): boolean {
    if (position - lost > this.end) return false;
    if (position > this.end) this.skip(position);
    const fresh = data.subarray(Math.min(this.end - position, data.length));
    if (fresh.length > 0) this.append(fresh);
    return true;
  }

  /** Hand everything kept, and everything to come, to `reader`; returns how to stop. */
  read(reader: Reader): () => void {
    for (const chunk of this.chunks) reader(chunk);
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  }

  private skip(position: number): void {
    const missing = position - this.end;
    this.chunks = [];
    this.begin = this.end = position;
    for (const reader of this.readers) reader(missing);
  }

  private append(data: Uint8Array): void {
    this.chunks.push(data);
    this.end += data.length;
    while (this.end - this.begin > this.limit && this.chunks.length > 1) {
      this.begin += this.chunks.shift()?.length ?? 0;
    }
    for (const reader of this.readers) reader(data);
  }
}
