import type { AnyModel } from "@anywidget/types";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AGAIN, Link, type Message } from "../src/link";

/** A model that records what is sent, and lets a test play the kernel. */
class Model {
  sent: Message[] = [];
  private hear: ((message: Message, buffers: DataView[]) => void) | undefined;

  on(_: string, handler: (message: Message, buffers: DataView[]) => void) {
    this.hear = handler;
  }
  off() {
    this.hear = undefined;
  }
  send(message: Message) {
    this.sent.push(message);
  }
  say(kind: string) {
    this.hear?.({ kind }, []);
  }
}

let model: Model;
let heard: string[];
let gone: boolean[];
let link: Link;

beforeEach(() => {
  vi.useFakeTimers();
  model = new Model();
  heard = [];
  gone = [];
  link = new Link(
    model as unknown as AnyModel,
    message => heard.push(message.kind),
    value => gone.push(value),
  );
});

afterEach(() => {
  link.close();
  delete document.documentElement.dataset.vnb;
  vi.useRealTimers();
});

test("every message says which page it is from, and which one it is", () => {
  link.send("input", { text: "x" });
  link.send("ack");
  const [first, second] = model.sent;
  expect(first).toMatchObject({ kind: "input", text: "x" });
  expect(first?.page).toBe(second?.page);
  expect(first?.page).toBeTruthy();
  expect([first?.n, second?.n]).toEqual([0, 1]);
});

test("what is said first is said once more, and nothing else is", () => {
  link.send("ready");
  vi.advanceTimersByTime(AGAIN - 1);
  link.send("input", { text: "x" });
  expect(model.sent).toHaveLength(2);
  vi.advanceTimersByTime(1);
  expect(model.sent).toHaveLength(4);
  expect(model.sent.slice(2)).toEqual(model.sent.slice(0, 2));
  link.send("input", { text: "y" });
  vi.advanceTimersByTime(2 * AGAIN);
  expect(model.sent).toHaveLength(5);
});

test("a closed link says nothing again", () => {
  link.send("visible", { visible: false });
  link.close();
  vi.advanceTimersByTime(AGAIN);
  expect(model.sent).toHaveLength(1);
});

test("a kernel that answers is not missed", () => {
  for (let n = 0; n < 10; n++) {
    vi.advanceTimersByTime(5_000);
    model.say("here");
  }
  expect(model.sent.filter(({ kind }) => kind === "ping")).toHaveLength(10);
  expect(gone).toEqual([]);
});

test("a kernel that says nothing is missed, and welcome again", () => {
  vi.advanceTimersByTime(20_000);
  expect(gone).toEqual([true]);
  model.say("here");
  expect(gone).toEqual([true, false]);
  expect(heard).toEqual(["here"]);
});

test("a closed link hears and asks no more, and says so", () => {
  link.close();
  vi.advanceTimersByTime(60_000);
  model.say("here");
  expect(model.sent).toEqual([]);
  expect(heard).toEqual([]);
  expect(gone).toEqual([true]);
});

test("a kernel to which there is no way is missed", () => {
  model.send = () => {
    throw new Error("this comm is closed");
  };
  vi.advanceTimersByTime(5_000);
  expect(gone).toEqual([true]);
});

test("a page that no kernel answers shows the pictures, until one does", () => {
  const root = document.documentElement.dataset;
  expect(root.vnb).toBeUndefined();
  vi.advanceTimersByTime(4_000);
  expect(root.vnb).toBe("silent");
  model.say("here");
  expect(root.vnb).toBe("answered");
});

test("a page that was answered once keeps its widgets", () => {
  model.say("here");
  vi.advanceTimersByTime(4_000);
  expect(document.documentElement.dataset.vnb).toBe("answered");
});
