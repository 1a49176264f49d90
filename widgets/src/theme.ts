// The colours of the page around us, for a terminal that belongs there.

import type { ITheme } from "@xterm/xterm";

// fmt: sixteen colours readable on the background of their theme
const LIGHT: ITheme = {
  background: "#fbfbfb",
  foreground: "#24292f",
  cursor: "#24292f",
  cursorAccent: "#fbfbfb",
  selectionBackground: "#b6d7ff",
  black: "#24292f",
  red: "#c2272d",
  green: "#1a7f37",
  yellow: "#8a6100",
  blue: "#0969da",
  magenta: "#8250df",
  cyan: "#116d7e",
  white: "#6e7781",
  brightBlack: "#57606a",
  brightRed: "#a40e26",
  brightGreen: "#116329",
  brightYellow: "#633c01",
  brightBlue: "#0550ae",
  brightMagenta: "#6639ba",
  brightCyan: "#0b5563",
  brightWhite: "#424a53",
};

const DARK: ITheme = {
  background: "#14171c",
  foreground: "#d7dce2",
  cursor: "#d7dce2",
  cursorAccent: "#14171c",
  selectionBackground: "#35517a",
  black: "#3b424c",
  red: "#f47067",
  green: "#6bc46d",
  yellow: "#daaa3f",
  blue: "#6cb6ff",
  magenta: "#dcbdfb",
  cyan: "#56d4dd",
  white: "#adbac7",
  brightBlack: "#7a8490",
  brightRed: "#ff938a",
  brightGreen: "#8ddb8c",
  brightYellow: "#eac55f",
  brightBlue: "#96d0ff",
  brightMagenta: "#f2cbff",
  brightCyan: "#9ae4ea",
  brightWhite: "#f4f7fa",
};

/** Whether the page is dark: as JupyterLab and VS Code say it, or else as the system does. */
export function isDark(): boolean {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === "false";
  if (vscodeThemeKind !== undefined) return !vscodeThemeKind.includes("light");
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

export function theme(): ITheme {
  return isDark() ? DARK : LIGHT;
}

/** Call `changed` whenever the page turns dark or light; returns how to stop. */
export function onTheme(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"],
  });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", changed);
  };
}
