// A figure that is drawn again and again, as long as somebody looks at it.

import type { AnyModel, RenderProps } from "@anywidget/types";
import { Link, type Message } from "./link";
import "./live.css";

/** Milliseconds between two looks. */
const LOOK = 1_000;

interface Given {
  title: string;
}

export default {
  render({ model, el }: RenderProps<Given>) {
    const image = document.createElement("img");
    image.alt = model.get("title");
    el.classList.add("vnb-live");
    el.append(image);
    const show = (message: Message, [data]: DataView[]) => {
      if (message.kind !== "figure" || !data) return;
      const before = image.src;
      image.src = URL.createObjectURL(new Blob([data as DataView<ArrayBuffer>]));
      if (before) URL.revokeObjectURL(before);
    };
    const link = new Link(model as AnyModel, show, gone => el.classList.toggle("vnb-gone", gone));
    link.send("look", { again: false });
    const timer = setInterval(() => {
      if (!document.hidden && el.isConnected) link.send("look", { again: true });
    }, LOOK);
    return () => {
      clearInterval(timer);
      link.close();
      if (image.src) URL.revokeObjectURL(image.src);
    };
  },
};
