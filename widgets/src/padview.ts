// A pad for a machine without a screen: a plain surface that draws what it sends.

import type { AnyModel, RenderProps } from "@anywidget/types";
import { Link } from "./link";
import type { Action } from "./pad";
import { Surface } from "./surface";

const WIDTH = 640;
const HEIGHT = 240;
const TRAIL = 60;

const HINT = "Click the pad to type and point at the guest.";
const GONE = "The kernel does not answer: it is busy, or gone.";

interface Given {
  title: string;
}

class View {
  private readonly canvas = document.createElement("canvas");
  private readonly surface: Surface;
  private readonly link: Link;
  private readonly held = new Set<string>();
  private readonly trail: [number, number, boolean][] = [];

  constructor(model: AnyModel<Given>, element: HTMLElement) {
    element.classList.add("vnb-pad");
    this.canvas.width = WIDTH;
    this.canvas.height = HEIGHT;
    const title = `${model.get("title")}: keyboard and pointer. ${HINT}`;
    this.surface = new Surface(element, title, this.canvas);
    this.link = new Link(
      model as AnyModel,
      () => {},
      gone => this.surface.showGone(gone, GONE),
    );
    this.surface.capture(this.link, HINT, action => {
      this.note(action);
      this.draw();
    });
    this.draw();
  }

  close(): void {
    this.surface.close();
    this.link.close();
  }

  private note(action: Action): void {
    if (action.kind === "key") {
      if (action.down) this.held.add(action.code);
      else this.held.delete(action.code);
    } else if (action.kind === "pointer") {
      this.trail.push([action.x, action.y, action.buttons > 0]);
    } else if (action.kind === "touch") {
      this.trail.push([action.x, action.y, action.down]);
    }
    if (this.trail.length > TRAIL) this.trail.shift();
  }

  private draw(): void {
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.fillStyle = "#14171c";
    context.fillRect(0, 0, WIDTH, HEIGHT);
    this.trail.forEach(([x, y, pressed], age) => {
      context.globalAlpha = (age + 1) / this.trail.length;
      context.fillStyle = pressed ? "#f47067" : "#6cb6ff";
      context.beginPath();
      context.arc(x * WIDTH, y * HEIGHT, pressed ? 5 : 3, 0, 2 * Math.PI);
      context.fill();
    });
    context.globalAlpha = 1;
    context.fillStyle = "#d7dce2";
    context.font = "14px sans-serif";
    context.fillText([...this.held].join(" + "), 12, HEIGHT - 14);
  }
}

export default {
  render({ model, el }: RenderProps<Given>) {
    const view = new View(model, el);
    return () => view.close();
  },
};
