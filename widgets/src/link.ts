// One widget's line to the machine: messages both ways, and whether anybody answers.

import type { AnyModel } from "@anywidget/types";
import "./link.css";

/** Milliseconds between two questions whether the kernel is there, and until it is missed. */
const PING = 5_000;
const MISSED = 12_000;

/** Milliseconds until a page that no kernel has ever answered shows the pictures instead. */
const SILENT = 3_000;

export interface Message {
  kind: string;
  [field: string]: unknown;
}

/** What the links of this page have in common, each of which may come from a bundle of its own. */
const root = document.documentElement.dataset;

/** Milliseconds after which everything that was said in the meantime is said once more. */
export const AGAIN = 1_000;

export type Handler = (message: Message, buffers: DataView[]) => void;

export class Link {
  /** What this end calls itself, so that the machine can tell several browsers apart. */
  private readonly page = crypto.randomUUID();
  /** Messages sent so far: on their way they may overtake each other. */
  private sent = 0;
  private heard = Date.now();
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly silence = setTimeout(() => {
    root.vnb ??= "silent";
  }, SILENT);
  /** The first messages: a host may send them to where they wait until the running cell ends. */
  private first: object[] | undefined = [];
  private readonly repeat = setTimeout(() => {
    for (const message of this.first ?? []) this.model.send(message);
    this.first = undefined;
  }, AGAIN);
  private gone = false;

  constructor(
    private readonly model: AnyModel,
    private readonly handler: Handler,
    private readonly onGone: (gone: boolean) => void,
  ) {
    model.on("msg:custom", this.receive);
    this.timer = setInterval(this.look, PING);
  }

  send(kind: string, fields: Record<string, unknown> = {}): void {
    const message = { kind, page: this.page, n: this.sent++, ...fields };
    this.first?.push(message);
    this.model.send(message);
  }

  /** The model has ended, as all do when their kernel is restarted: nobody will answer any more. */
  close(): void {
    clearInterval(this.timer);
    clearTimeout(this.silence);
    clearTimeout(this.repeat);
    this.model.off("msg:custom", this.receive);
    this.tell(true);
  }

  private receive = (message: Message, buffers: DataView[]): void => {
    this.heard = Date.now();
    root.vnb = "answered";
    this.tell(false);
    this.handler(message, buffers);
  };

  private look = (): void => {
    if (document.hidden) {
      this.heard = Date.now(); // a hidden page's timers are not to be relied on
      return;
    }
    try {
      this.send("ping");
    } catch {
      this.heard = 0; // there is no way left to the kernel
    }
    this.tell(Date.now() - this.heard > MISSED);
  };

  private tell(gone: boolean): void {
    if (gone !== this.gone) this.onGone(gone);
    this.gone = gone;
  }
}
