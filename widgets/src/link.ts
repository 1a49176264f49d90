// One widget's line to the machine: messages both ways, and whether anybody answers.

import type { AnyModel } from "@anywidget/types";

/** What a page calls itself, so that the machine can tell several browsers apart. */
const PAGE = crypto.randomUUID();

/** Milliseconds between two questions whether the kernel is there, and until it is missed. */
const PING = 5_000;
const MISSED = 12_000;

export interface Message {
  kind: string;
  [field: string]: unknown;
}

export type Handler = (message: Message, buffers: DataView[]) => void;

export class Link {
  private heard = Date.now();
  private timer: ReturnType<typeof setInterval> | undefined;
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
    this.model.send({ kind, page: PAGE, ...fields });
  }

  close(): void {
    clearInterval(this.timer);
    this.model.off("msg:custom", this.receive);
  }

  private receive = (message: Message, buffers: DataView[]): void => {
    this.heard = Date.now();
    this.tell(false);
    this.handler(message, buffers);
  };

  private look = (): void => {
    if (document.hidden) {
      this.heard = Date.now(); // a hidden page's timers are not to be relied on
    } else {
      this.send("ping");
      this.tell(Date.now() - this.heard > MISSED);
    }
  };

  private tell(gone: boolean): void {
    if (gone !== this.gone) this.onGone(gone);
    this.gone = gone;
  }
}
