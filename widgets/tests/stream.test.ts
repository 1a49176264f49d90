import { expect, test } from "vitest";
import { Stream } from "../src/stream";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Everything that a reader of `stream` gets, as one text; lost bytes as [number]. */
function listen(stream: Stream): () => string {
  const found: string[] = [];
  stream.read(piece => {
    found.push(typeof piece === "number" ? `[${piece}]` : new TextDecoder().decode(piece));
  });
  return () => found.join("");
}

test("what arrives in order is shown in order", () => {
  const stream = new Stream();
  const shown = listen(stream);
  expect(stream.accept(0, bytes("hello "))).toBe(true);
  expect(stream.accept(6, bytes("world"))).toBe(true);
  expect(shown()).toBe("hello world");
  expect(stream.end).toBe(11);
});

test("what arrives twice is shown once", () => {
  const stream = new Stream();
  const shown = listen(stream);
  stream.accept(0, bytes("hello "));
  stream.accept(0, bytes("hello "));
  stream.accept(3, bytes("lo world"));
  expect(shown()).toBe("hello world");
});

test("a gap is refused, so that it can be asked for", () => {
  const stream = new Stream();
  const shown = listen(stream);
  stream.accept(0, bytes("one "));
  expect(stream.accept(8, bytes("three"))).toBe(false);
  expect(stream.end).toBe(4);
  expect(stream.accept(4, bytes("two three"))).toBe(true);
  expect(shown()).toBe("one two three");
});

test("bytes that nobody has any more are told, and the rest goes on", () => {
  const stream = new Stream();
  const shown = listen(stream);
  stream.accept(0, bytes("one "));
  expect(stream.accept(1004, bytes("later"), 1000)).toBe(true);
  expect(shown()).toBe("one [1000]later");
  expect(stream.begin).toBe(1004);
});

test("a view that opens late gets what is kept, and no more is kept than allowed", () => {
  const stream = new Stream(10);
  for (let n = 0; n < 5; n++) stream.accept(4 * n, bytes(`<${n}> `));
  expect(listen(stream)()).toBe("<3> <4> ");
  expect(stream.end).toBe(20);
});

test("a view that has closed hears no more", () => {
  const stream = new Stream();
  let pieces = 0;
  const stop = stream.read(() => {
    pieces += 1;
  });
  stream.accept(0, bytes("a"));
  stop();
  stream.accept(1, bytes("b"));
  expect(pieces).toBe(1);
});
