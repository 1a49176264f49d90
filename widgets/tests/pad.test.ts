import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Action, Pad } from "../src/pad";

let surface: HTMLElement;
let done: Action[];
let captured: boolean[];
let pad: Pad;

beforeEach(() => {
  vi.useFakeTimers();
  surface = document.createElement("div");
  surface.getBoundingClientRect = () =>
    ({ left: 100, top: 50, width: 200, height: 100 }) as DOMRect;
  document.body.replaceChildren(surface);
  done = [];
  captured = [];
  pad = new Pad(
    surface,
    action => done.push(action),
    value => captured.push(value),
  );
  surface.focus();
});

afterEach(() => {
  pad.close();
  vi.useRealTimers();
});

function key(type: string, code: string, more: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent(type, { code, bubbles: true, cancelable: true, ...more });
  surface.dispatchEvent(event);
  return event;
}

function point(type: string, x: number, y: number, more: PointerEventInit = {}): void {
  const event = new PointerEvent(type, { clientX: x, clientY: y, bubbles: true, ...more });
  surface.dispatchEvent(event);
}

test("keys are sent by their place, once, and the page does nothing with them", () => {
  let heard = 0;
  document.body.addEventListener("keydown", () => {
    heard += 1;
  });
  expect(key("keydown", "KeyA").defaultPrevented).toBe(true);
  key("keydown", "KeyA", { repeat: true });
  key("keyup", "KeyA");
  expect(done).toEqual([
    { kind: "key", code: "KeyA", down: true },
    { kind: "key", code: "KeyA", down: false },
  ]);
  expect(heard).toBe(0);
});

test("what has the focus takes no shortcuts of the notebook's", () => {
  expect((document.activeElement as HTMLElement).dataset.lmSuppressShortcuts).toBe("true");
});

test("keys that are held are released when the surface loses the focus", () => {
  key("keydown", "ShiftLeft");
  surface.blur();
  expect(done.at(-1)).toEqual({ kind: "key", code: "ShiftLeft", down: false });
  expect(captured).toEqual([true, false]);
});

test("Shift and Escape are the way out", () => {
  key("keydown", "Escape", { shiftKey: true });
  expect(document.activeElement).not.toBe(surface);
  expect(done).toEqual([]);
});

test("positions are shares of the surface, and end at its edges", () => {
  point("pointermove", 150, 75);
  vi.advanceTimersByTime(50);
  point("pointermove", 999, 0);
  vi.advanceTimersByTime(50);
  expect(done).toMatchObject([
    { kind: "pointer", x: 0.25, y: 0.25 },
    { kind: "pointer", x: 1, y: 0 },
  ]);
});

test("motion is told thirty times a second, buttons at once", () => {
  for (let n = 0; n < 100; n++) point("pointermove", 100 + n, 60);
  expect(done).toEqual([]);
  point("pointerdown", 200, 60, { buttons: 1 });
  expect(done).toMatchObject([{ kind: "pointer", x: 0.5, buttons: 1 }]);
});

test("a finger keeps its number from its touch to its end", () => {
  point("pointerdown", 100, 50, { pointerType: "touch", pointerId: 7 });
  point("pointerdown", 300, 150, { pointerType: "touch", pointerId: 9 });
  point("pointerup", 100, 50, { pointerType: "touch", pointerId: 7 });
  point("pointermove", 200, 100, { pointerType: "touch", pointerId: 9 });
  expect(done).toEqual([
    { kind: "touch", finger: 0, x: 0, y: 0, down: true },
    { kind: "touch", finger: 1, x: 1, y: 1, down: true },
    { kind: "touch", finger: 0, x: 0, y: 0, down: false },
    { kind: "touch", finger: 1, x: 0.5, y: 0.5, down: true },
  ]);
});

test("the wheel turns once the surface is captured", () => {
  surface.dispatchEvent(new WheelEvent("wheel", { deltaY: 120, cancelable: true }));
  vi.advanceTimersByTime(50);
  expect(done).toEqual([{ kind: "wheel", dz: -1 }]);
});

test("keys that browsers keep to themselves can be chosen", () => {
  const select = pad.toolbar() as HTMLSelectElement;
  select.value = "Ctrl+Alt+Del";
  select.dispatchEvent(new Event("change"));
  expect(done.map(action => action.kind === "key" && [action.code, action.down])).toEqual([
    ["ControlLeft", true],
    ["AltLeft", true],
    ["Delete", true],
    ["Delete", false],
    ["AltLeft", false],
    ["ControlLeft", false],
  ]);
});
