// What is pointed at and typed at: a surface, a line of words below it, and a pad upon it.

import type { Link } from "./link";
import { type Action, Pad } from "./pad";
import "./screen.css";

const CAPTURED = "Keys and pointer go to the guest. Shift+Esc gives them back.";

export class Surface {
  readonly surface = document.createElement("div");
  private readonly bar = document.createElement("div");
  private readonly words = document.createElement("span");
  private pad: Pad | undefined;
  private hint = "";

  /** An empty surface in `element`, which is called `title` and holds `canvases`. */
  constructor(
    private readonly element: HTMLElement,
    title: string,
    ...canvases: HTMLCanvasElement[]
  ) {
    element.classList.add("vnb-screen");
    this.surface.className = "vnb-screen-surface";
    this.surface.setAttribute("role", "application");
    this.surface.setAttribute("aria-label", title);
    this.surface.append(...canvases);
    this.bar.className = "vnb-screen-bar";
    this.words.setAttribute("role", "status");
    this.bar.append(this.words);
    element.append(this.surface, this.bar);
  }

  /** Put something into the line below. */
  add(tool: HTMLElement): void {
    this.bar.append(tool);
  }

  /** Send what hands do here over `link`, and say `hint` while they do nothing. */
  capture(link: Link, hint: string, done: (action: Action) => void = () => {}): void {
    this.hint = hint;
    this.words.textContent = hint;
    this.pad = new Pad(
      this.surface,
      action => {
        link.send("hand", { action });
        done(action);
      },
      captured => {
        this.element.classList.toggle("vnb-captured", captured);
        this.words.textContent = captured ? CAPTURED : hint;
      },
    );
    this.add(this.pad.toolbar());
  }

  /** Say that nobody answers, in these words, or that somebody does again. */
  showGone(gone: boolean, words: string): void {
    this.element.classList.toggle("vnb-gone", gone);
    this.words.textContent = gone ? words : this.hint;
  }

  close(): void {
    this.pad?.close();
  }
}
