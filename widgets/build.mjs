// Bundles each widget and its styles into the Python package, where anywidget finds them.

import { build } from "esbuild";

await build({
  entryPoints: ["src/console.ts", "src/panel.ts", "src/screen.ts", "src/padview.ts", "src/live.ts"],
  outdir: "../vnb/widgets/static",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "linked",
  logLevel: "info",
});
