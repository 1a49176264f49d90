// The machine's front panel: its state in words, what it is doing, and its buttons.

import type { AnyModel, RenderProps } from "@anywidget/types";
import { Link, type Message } from "./link";
import "./panel.css";

/** Milliseconds between two looks at the machine, while somebody can see them. */
const LOOK = 1_000;

interface Given {
  facts: Facts;
}

/** What the machine says of itself. */
export interface Facts {
  title: string;
  state: string;
  note: string;
  rows: [string, string][];
}

/** The buttons: what they ask for, what they say, their sign, and the states that allow them. */
const BUTTONS: { action: string; words: string; sign: string; states: string[] }[] = [
  { action: "start", words: "Start", sign: "M4 2.5v11l9-5.5z", states: ["new", "off", "paused"] },
  {
    action: "pause",
    words: "Pause",
    sign: "M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z",
    states: ["running"],
  },
  {
    action: "reset",
    words: "Reset",
    sign: "M8 2.2a5.8 5.8 0 1 0 5.8 5.8h-1.7A4.1 4.1 0 1 1 8 3.9v2.6l4-3.4L8 -.3z",
    states: ["running", "paused"],
  },
  {
    action: "stop",
    words: "Power off",
    sign: "M7.1 1h1.8v6.6H7.1zM5.2 3.1a5.8 5.8 0 1 0 5.6 0l-.9 1.6a4 4 0 1 1-3.8 0z",
    states: ["running", "paused"],
  },
];

function icon(path: string): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const shape = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

export class Panel {
  private readonly title = document.createElement("strong");
  private readonly state = document.createElement("span");
  private readonly facts = document.createElement("table");
  private readonly buttons = new Map<string, HTMLButtonElement>();
  private gone = false;

  constructor(
    private readonly element: HTMLElement,
    press: (action: string) => void,
  ) {
    element.classList.add("vnb-panel");
    const bar = document.createElement("div");
    bar.className = "vnb-panel-bar";
    bar.setAttribute("role", "toolbar");
    bar.setAttribute("aria-label", "machine");
    this.state.className = "vnb-panel-state";
    this.state.setAttribute("role", "status");
    for (const { action, words, sign } of BUTTONS) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(icon(sign));
      button.title = words;
      button.setAttribute("aria-label", words);
      button.addEventListener("click", () => press(action));
      this.buttons.set(action, button);
    }
    bar.append(this.title, this.state, ...this.buttons.values());
    element.append(bar, this.facts);
  }

  show({ title, state, note, rows }: Facts): void {
    this.title.textContent = title;
    this.state.textContent = note ? `${state} (${note})` : state;
    this.element.dataset.state = state;
    this.facts.replaceChildren(
      ...rows.map(([name, value]) => {
        const row = document.createElement("tr");
        const head = document.createElement("th");
        const cell = document.createElement("td");
        head.scope = "row";
        head.textContent = name;
        cell.textContent = value;
        row.append(head, cell);
        return row;
      }),
    );
    for (const { action, states } of BUTTONS) this.enable(action, states.includes(state));
  }

  /** Nobody answers the buttons, or somebody does again. */
  showGone(gone: boolean): void {
    this.gone = gone;
    this.element.classList.toggle("vnb-gone", gone);
    if (gone) for (const { action } of BUTTONS) this.enable(action, false);
  }

  private enable(action: string, possible: boolean): void {
    const button = this.buttons.get(action);
    if (button) button.disabled = !possible || this.gone;
  }
}

function visible(element: HTMLElement): boolean {
  return !document.hidden && element.isConnected && element.offsetParent !== null;
}

export default {
  render({ model, el }: RenderProps<Given>) {
    const panel = new Panel(el, action => link.send("press", { action }));
    const receive = (message: Message) => {
      if (message.kind === "facts") panel.show(message.facts as Facts);
    };
    const link = new Link(model as AnyModel, receive, gone => panel.showGone(gone));
    panel.show(model.get("facts"));
    link.send("look");
    const timer = setInterval(() => visible(el) && link.send("look"), LOOK);
    return () => {
      clearInterval(timer);
      link.close();
    };
  },
};
