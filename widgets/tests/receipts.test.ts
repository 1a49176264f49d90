import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LATER, Receipts } from "../src/receipts";

let told: number[];
let receipts: Receipts;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  receipts = new Receipts(100, position => told.push(position));
});

afterEach(() => {
  vi.useRealTimers();
});

test("little is told once, after a while, and only the last of it", () => {
  for (const position of [1, 2, 3]) receipts.note(position);
  vi.advanceTimersByTime(LATER - 1);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual([3]);
  vi.advanceTimersByTime(10 * LATER);
  expect(told).toEqual([3]);
});

test("much is told at once, and not again later", () => {
  receipts.note(60);
  receipts.note(100);
  expect(told).toEqual([100]);
  vi.advanceTimersByTime(LATER);
  expect(told).toEqual([100]);
});

test("what comes after it is counted from there", () => {
  for (const position of [100, 150, 199, 200]) receipts.note(position);
  expect(told).toEqual([100, 200]);
});

test("a closed one tells nothing", () => {
  receipts.note(5);
  receipts.close();
  vi.advanceTimersByTime(LATER);
  expect(told).toEqual([]);
});
