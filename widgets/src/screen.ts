// The guest's screen: parts of its picture as they change, its pointer, and hands upon it.

import type { AnyModel, RenderProps } from "@anywidget/types";
import { Link, type Message } from "./link";
import { Surface } from "./surface";

const HINT = "Click the screen to type and point there.";
const GONE = "The kernel does not answer: it is busy, or gone. This is the last picture.";

interface Given {
  title: string;
  width: number;
  height: number;
  hands: boolean;
}

class View {
  private readonly canvas = document.createElement("canvas");
  private readonly pointer = document.createElement("canvas");
  private readonly surface: Surface;
  private readonly link: Link;
  private readonly observer: IntersectionObserver;
  private drawing = Promise.resolve();

  constructor(model: AnyModel<Given>, element: HTMLElement) {
    this.canvas.width = model.get("width");
    this.canvas.height = model.get("height");
    this.pointer.className = "vnb-screen-pointer";
    const title = `${model.get("title")}: the guest's screen. ${HINT}`;
    this.surface = new Surface(element, title, this.canvas, this.pointer);
    this.link = new Link(
      model as AnyModel,
      (message, buffers) => {
        // One after another: a small picture decodes faster than a large one before it.
        this.drawing = this.drawing.then(() => this.hear(message, buffers));
      },
      gone => this.showGone(gone),
    );
    this.surface.add(this.saver());
    if (model.get("hands")) this.surface.capture(this.link, HINT);
    this.observer = new IntersectionObserver(() => this.tellVisible());
    this.observer.observe(this.canvas);
    document.addEventListener("visibilitychange", this.tellVisible);
  }

  close(): void {
    this.observer.disconnect();
    document.removeEventListener("visibilitychange", this.tellVisible);
    this.surface.close();
    this.link.send("visible", { visible: false });
    this.link.close();
  }

  private tellVisible = (): void => {
    const box = this.canvas.getBoundingClientRect();
    const seen = box.bottom > 0 && box.top < innerHeight && box.width > 0;
    this.link.send("visible", { visible: seen && !document.hidden });
  };

  private async hear(message: Message, buffers: DataView[]): Promise<void> {
    const [data] = buffers;
    if (message.kind === "frame" && data) {
      await this.draw(message as unknown as Frame, data);
      this.link.send("ack", { frame: message.frame });
    } else if (message.kind === "pointer") {
      await this.point(message as unknown as Pointer, data);
    }
  }

  private async draw(frame: Frame, data: DataView): Promise<void> {
    const [width, height] = frame.size;
    if (width !== this.canvas.width || height !== this.canvas.height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const picture = await createImageBitmap(new Blob([data as DataView<ArrayBuffer>]));
    this.canvas.getContext("2d")?.drawImage(picture, frame.x, frame.y);
    picture.close();
  }

  private async point({ x, y, shape }: Pointer, data: DataView | undefined): Promise<void> {
    const { pointer, canvas } = this;
    if (shape === "none") pointer.width = pointer.height = 0;
    if (shape === "new" && data) {
      const picture = await createImageBitmap(new Blob([data as DataView<ArrayBuffer>]));
      pointer.width = picture.width;
      pointer.height = picture.height;
      pointer.getContext("2d")?.drawImage(picture, 0, 0);
      picture.close();
    }
    pointer.style.left = `${(100 * x) / canvas.width}%`;
    pointer.style.top = `${(100 * y) / canvas.height}%`;
    pointer.style.width = `${(100 * pointer.width) / canvas.width}%`;
  }

  private saver(): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Save PNG";
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = this.canvas.toDataURL("image/png");
      link.download = "screen.png";
      link.click();
    });
    return button;
  }

  private showGone(gone: boolean): void {
    this.surface.showGone(gone, GONE);
    if (!gone) this.tellVisible();
  }
}

/** A part of the picture, in the guest's pixels. */
interface Frame {
  frame: number;
  x: number;
  y: number;
  size: [number, number];
}

/** Where the guest's pointer is: with a new shape, the one it had, or none. */
interface Pointer {
  x: number;
  y: number;
  shape: "new" | "same" | "none";
}

export default {
  render({ model, el }: RenderProps<Given>) {
    const view = new View(model, el);
    return () => view.close();
  },
};
