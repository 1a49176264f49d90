import { beforeEach, expect, test } from "vitest";
import { type Facts, Panel } from "../src/panel";

const RUNNING: Facts = {
  title: "vnb · labos",
  state: "running",
  note: "",
  rows: [["memory", "<256M>"]],
};

let element: HTMLElement;
let pressed: string[];
let panel: Panel;

beforeEach(() => {
  element = document.createElement("div");
  pressed = [];
  panel = new Panel(element, action => pressed.push(action));
});

const button = (words: string) =>
  element.querySelector<HTMLButtonElement>(`button[aria-label="${words}"]`);

test("it shows what the machine says, as text and never as markup", () => {
  panel.show(RUNNING);
  expect(element.querySelector("strong")?.textContent).toBe("vnb · labos");
  expect(element.querySelector('[role="status"]')?.textContent).toBe("running");
  expect(element.querySelector("th")?.textContent).toBe("memory");
  expect(element.querySelector("td")?.textContent).toBe("<256M>");
});

test("only what the state allows can be pressed", () => {
  panel.show(RUNNING);
  expect(button("Start")?.disabled).toBe(true);
  button("Pause")?.click();
  panel.show({ ...RUNNING, state: "paused" });
  button("Start")?.click();
  expect(pressed).toEqual(["pause", "start"]);
});

test("nothing can be pressed while nobody answers", () => {
  panel.show(RUNNING);
  panel.showGone(true);
  expect(button("Pause")?.disabled).toBe(true);
  panel.showGone(false);
  panel.show(RUNNING);
  expect(button("Pause")?.disabled).toBe(false);
});
