// Keys and pointers, captured from an element of the page and sent as what hands do to a machine.

/** Milliseconds between two reports of motion: 30 in a second. */
const MOTION = 33;

/** Keys that browsers keep to themselves: what to show, and what to press together. */
const SPECIAL: [string, string[]][] = [
  ["Esc", ["Escape"]],
  ["Tab", ["Tab"]],
  ["Ctrl+Alt+Del", ["ControlLeft", "AltLeft", "Delete"]],
  ["Ctrl+C", ["ControlLeft", "KeyC"]],
  ["Alt+F4", ["AltLeft", "F4"]],
  ["Alt+Tab", ["AltLeft", "Tab"]],
  ["Super", ["MetaLeft"]],
  ...Array.from({ length: 12 }, (_, n): [string, string[]] => [`F${n + 1}`, [`F${n + 1}`]]),
];

/** What hands did; x and y go from 0 to 1 over the element, buttons are a browser's. */
export type Action =
  | { kind: "key"; code: string; down: boolean }
  | { kind: "pointer"; x: number; y: number; dx: number; dy: number; buttons: number }
  | { kind: "wheel"; dz: number }
  | { kind: "touch"; finger: number; x: number; y: number; down: boolean };

const clamp = (value: number) => Math.min(1, Math.max(0, value));

export class Pad {
  private readonly keys = new Set<string>();
  private readonly fingers = new Map<number, number>();
  private pending: Extract<Action, { kind: "pointer" }> | undefined;
  private buttons = 0;
  private wheel = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly surface: HTMLElement,
    private readonly act: (action: Action) => void,
    private readonly onCapture: (captured: boolean) => void,
  ) {
    surface.tabIndex = 0;
    // Here and not around it: a notebook's shortcuts that ask for `:focus` look no further up.
    surface.dataset.lmSuppressShortcuts = "true";
    surface.style.touchAction = "none";
    surface.addEventListener("keydown", event => this.key(event, true));
    surface.addEventListener("keyup", event => this.key(event, false));
    surface.addEventListener("focus", () => onCapture(true));
    surface.addEventListener("blur", () => this.release());
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"] as const) {
      surface.addEventListener(kind, event => this.point(event));
    }
    surface.addEventListener("contextmenu", event => event.preventDefault());
    surface.addEventListener("wheel", event => this.turn(event), { passive: false });
  }

  /** Buttons for what browsers swallow. */
  toolbar(): HTMLElement {
    const select = document.createElement("select");
    select.setAttribute("aria-label", "send keys that the browser keeps to itself");
    for (const words of ["", ...SPECIAL.map(([words]) => words)]) {
      const option = document.createElement("option");
      option.value = words;
      option.textContent = words || "Send keys…";
      select.append(option);
    }
    select.addEventListener("change", () => {
      const codes = SPECIAL.find(([words]) => words === select.value)?.[1] ?? [];
      for (const code of codes) this.act({ kind: "key", code, down: true });
      for (const code of [...codes].reverse()) this.act({ kind: "key", code, down: false });
      select.value = "";
      this.surface.focus();
    });
    return select;
  }

  close(): void {
    clearTimeout(this.timer);
    this.release();
  }

  /** Nothing is held any more: what is pressed elsewhere would never be released here. */
  private release(): void {
    for (const code of this.keys) this.act({ kind: "key", code, down: false });
    this.keys.clear();
    for (const finger of this.fingers.values()) {
      this.act({ kind: "touch", finger, x: 0, y: 0, down: false });
    }
    this.fingers.clear();
    this.onCapture(false);
  }

  private key(event: KeyboardEvent, down: boolean): void {
    if (event.code === "Escape" && event.shiftKey) {
      this.surface.blur(); // the way out
    } else if (!event.repeat && event.code) {
      // The guest repeats keys itself.
      if (down) this.keys.add(event.code);
      else this.keys.delete(event.code);
      this.act({ kind: "key", code: event.code, down });
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private point(event: PointerEvent): void {
    event.preventDefault();
    if (event.type === "pointerdown") {
      this.surface.focus();
      this.surface.setPointerCapture?.(event.pointerId);
    }
    const box = this.surface.getBoundingClientRect();
    const x = clamp((event.clientX - box.left) / box.width);
    const y = clamp((event.clientY - box.top) / box.height);
    if (event.pointerType === "touch") {
      this.touch(event, x, y);
      return;
    }
    const before = this.pending;
    this.pending = {
      kind: "pointer",
      x,
      y,
      dx: (before?.dx ?? 0) + event.movementX,
      dy: (before?.dy ?? 0) + event.movementY,
      buttons: event.buttons,
    };
    if (event.buttons !== this.buttons) this.flush();
    else this.later();
  }

  private touch(event: PointerEvent, x: number, y: number): void {
    const ended = event.type === "pointerup" || event.type === "pointercancel";
    let finger = this.fingers.get(event.pointerId);
    if (finger === undefined) {
      if (event.type !== "pointerdown") return;
      const taken = new Set(this.fingers.values());
      finger = 0;
      while (taken.has(finger)) finger += 1;
      this.fingers.set(event.pointerId, finger);
    }
    if (ended) this.fingers.delete(event.pointerId);
    this.act({ kind: "touch", finger, x, y, down: !ended });
  }

  private turn(event: WheelEvent): void {
    if (document.activeElement !== this.surface) return; // the page scrolls, until it is captured
    event.preventDefault();
    this.wheel -= Math.sign(event.deltaY);
    this.later();
  }

  private later(): void {
    this.timer ??= setTimeout(() => this.flush(), MOTION);
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.pending) {
      this.buttons = this.pending.buttons;
      this.act(this.pending);
      this.pending = undefined;
    }
    if (this.wheel) {
      this.act({ kind: "wheel", dz: this.wheel });
      this.wheel = 0;
    }
  }
}
