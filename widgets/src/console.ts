// The console: a terminal in the page, joined to the guest's by a Link; many views, one stream.

import type { AnyModel, RenderProps } from "@anywidget/types";
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { SerializeAddon } from "@xterm/addon-serialize";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import "./console.css";
import { Link, type Message } from "./link";
import { Receipts } from "./receipts";
import { Stream } from "./stream";
import { onTheme, theme } from "./theme";

const SCROLLBACK = 10_000; // lines
const KEYS_AT_ONCE = 4_096; // characters of a paste in one message
const MUCH = 1 << 16; // bytes shown of which the machine is told at once

const SNAPSHOT = 10_000; // milliseconds between two pictures of the console for the saved notebook
const SNAPSHOT_LINES = 200;

// By name: a terminal measures its font on a canvas, where the page's variables mean nothing.
const FONT = '"DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace';

const GONE = "The kernel does not answer: it is busy, or gone. This is the last of the console.";

interface Given {
  key: string;
  title: string;
  columns: number;
  rows: number;
}

/** What all views of one model share. */
class Session {
  readonly stream = new Stream();
  readonly link: Link;
  readonly views = new Set<View>();
  gone = false;
  private readonly receipts: Receipts;
  private pictured = 0;
  private readonly timer = setInterval(() => this.picture(), SNAPSHOT);

  constructor(readonly model: AnyModel<Given>) {
    this.link = new Link(model, this.receive, gone => {
      this.gone = gone;
      for (const view of this.views) view.showState();
    });
    this.receipts = new Receipts(MUCH, position => this.link.send("ack", { position }));
    this.ask();
  }

  /** Have the machine send everything that this page does not know. */
  ask(): void {
    this.link.send("ready", { position: this.stream.end });
  }

  /** Tell how much every view has shown, which is what the machine may forget about. */
  acknowledge(): void {
    const shown = [...this.views].map(view => view.shown);
    this.receipts.note(Math.min(this.stream.end, ...shown));
  }

  close(): void {
    clearInterval(this.timer);
    this.receipts.close();
    this.link.close();
  }

  /** Send what the console looks like, if it looks different: the saved notebook will have it. */
  private picture(): void {
    const [view] = this.views;
    if (view && this.stream.end !== this.pictured) {
      this.pictured = this.stream.end;
      this.link.send("picture", { html: view.picture() });
    }
  }

  private receive = (message: Message, buffers: DataView[]): void => {
    const [data] = buffers;
    if (message.kind !== "output" || !data) return;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    // A copy: the buffer belongs to the message, and what is kept must not keep it.
    const whole = this.stream.accept(
      message.position as number,
      bytes.slice(),
      message.lost as number,
    );
    if (!whole) this.ask();
    else if (this.views.size === 0) this.acknowledge();
  };
}

/** One terminal on the page. */
class View {
  /** The position up to which the terminal has drawn. */
  shown: number;
  private readonly terminal: Terminal;
  private readonly fit = new FitAddon();
  private readonly search = new SearchAddon();
  private readonly serializer = new SerializeAddon();
  private readonly banner = document.createElement("div");
  private readonly find = document.createElement("input");
  private readonly ends: (() => void)[] = [];

  constructor(
    private readonly session: Session,
    private readonly element: HTMLElement,
  ) {
    const { model, stream } = session;
    this.shown = stream.begin;
    this.terminal = new Terminal({
      allowProposedApi: true,
      cols: model.get("columns"),
      rows: model.get("rows"),
      scrollback: SCROLLBACK,
      fontFamily: FONT,
      fontSize: 13,
      cursorBlink: true,
    });
    this.paint();
    this.build(model.get("title"));
    this.connect();
  }

  close(): void {
    this.session.views.delete(this);
    for (const end of this.ends) end();
    this.terminal.dispose();
  }

  showState(): void {
    this.banner.textContent = this.session.gone ? GONE : "";
    this.element.classList.toggle("vnb-gone", this.session.gone);
  }

  /** The last lines as HTML, in colour, down to the last one that has anything in it. */
  picture(): string {
    const holder = document.createElement("template");
    holder.innerHTML = this.serializer.serializeAsHTML({
      scrollback: SNAPSHOT_LINES,
      includeGlobalBackground: true,
    });
    const lines = [...holder.content.querySelectorAll("pre > div > div")];
    while (lines.length > 1 && !lines.at(-1)?.textContent?.trim()) lines.pop()?.remove();
    return holder.innerHTML;
  }

  private build(title: string): void {
    this.element.classList.add("vnb-console");
    // Keys typed here are the guest's: the notebook must not take them for its commands.
    this.element.dataset.lmSuppressShortcuts = "true";
    const screen = document.createElement("div");
    screen.className = "vnb-console-screen";
    screen.setAttribute("role", "region");
    screen.setAttribute("aria-label", `${title}: the guest's console. Ctrl+Shift+F searches.`);
    this.find.className = "vnb-console-find";
    this.find.type = "search";
    this.find.placeholder = "search";
    this.find.setAttribute("aria-label", "search the console");
    this.find.hidden = true;
    this.banner.className = "vnb-console-banner";
    this.banner.setAttribute("role", "status");
    this.element.append(this.find, screen, this.banner);
    this.terminal.loadAddon(this.fit);
    this.terminal.loadAddon(this.search);
    this.terminal.loadAddon(this.serializer);
    this.terminal.loadAddon(new WebLinksAddon());
    this.terminal.loadAddon(new Unicode11Addon());
    this.terminal.unicode.activeVersion = "11";
    this.terminal.open(screen);
    this.showState();
  }

  private connect(): void {
    const { link, stream, views } = this.session;
    views.add(this);
    this.ends.push(
      stream.read(piece => this.show(piece)),
      onTheme(() => this.paint()),
    );
    this.terminal.onData(text => {
      for (let start = 0; start < text.length; start += KEYS_AT_ONCE) {
        link.send("input", { text: text.slice(start, start + KEYS_AT_ONCE) });
      }
    });
    this.terminal.onBinary(text => link.send("input", { binary: btoa(text) }));
    this.terminal.onResize(({ cols, rows }) => link.send("resize", { columns: cols, rows }));
    this.terminal.attachCustomKeyEventHandler(event => this.ours(event));
    this.find.addEventListener("keydown", event => this.seek(event));
    const observer = new ResizeObserver(() => this.fitColumns());
    observer.observe(this.element);
    this.ends.push(() => observer.disconnect());
  }

  /** Take on the colours of the page. */
  private paint(): void {
    const colours = theme();
    this.terminal.options.theme = colours;
    this.element.style.background = colours.background ?? "";
  }

  private show(piece: Uint8Array | number): void {
    if (typeof piece === "number") {
      this.shown += piece;
      this.terminal.write(`\r\n\x1b[2m… ${piece.toLocaleString()} bytes were lost …\x1b[0m\r\n`);
      return;
    }
    this.terminal.write(piece, () => {
      this.shown += piece.length;
      this.session.acknowledge();
    });
  }

  /** The width follows the page; the height is the console's own. */
  private fitColumns(): void {
    const size = this.fit.proposeDimensions();
    if (size && size.cols > 1 && size.cols !== this.terminal.cols) {
      this.terminal.resize(size.cols, this.terminal.rows);
    }
  }

  /** Whether the terminal may have this key: Ctrl+Shift+F opens the search instead. */
  private ours(event: KeyboardEvent): boolean {
    if (event.type === "keydown" && event.ctrlKey && event.shiftKey && event.code === "KeyF") {
      event.preventDefault();
      this.find.hidden = false;
      this.find.focus();
      return false;
    }
    return true;
  }

  private seek(event: KeyboardEvent): void {
    event.stopPropagation();
    if (event.key === "Enter") {
      if (event.shiftKey) this.search.findPrevious(this.find.value);
      else this.search.findNext(this.find.value);
    } else if (event.key === "Escape") {
      this.find.hidden = true;
      this.search.clearDecorations();
      this.terminal.focus();
    }
  }
}

/** By what the machine calls the widget: hosts hand out a new object for the same model each time. */
const sessions = new Map<string, Session>();

function session(model: AnyModel<Given>): Session {
  const key = model.get("key");
  let found = sessions.get(key);
  if (!found) {
    found = new Session(model);
    sessions.set(key, found);
  }
  return found;
}

export default {
  initialize({ model }: { model: AnyModel<Given> }) {
    const opened = session(model);
    return () => {
      opened.close();
      sessions.delete(model.get("key"));
    };
  },
  render({ model, el }: RenderProps<Given>) {
    const view = new View(session(model), el);
    return () => view.close();
  },
};
