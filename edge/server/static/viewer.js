/** The picture: a scene in tiles that can be zoomed and moved, with boxes drawn over it. */

import { send } from "./api.js";
import { Boxes } from "./boxes.js";
import { $, calm, script, svg } from "./dom.js";
import { number } from "./format.js";

const LIBRARY = "/static/vendor/openseadragon/openseadragon.min.js";
const FAR = 0.12; // share of the view that a vessel should take at least, and at most, for a jump to keep the scale
const NEAR = 0.6;
const WANTED = 0.22;
const LEAST_PX = 120; // of the scene, that a jump shows at least
const MOST_ZOOM = 8; // px of the screen to one of the scene

let library = null;

/** Load the viewer's library, once. It would add a style sheet of its own, which our policy forbids and our style.css
 * has: an element of that name, which is no style sheet, keeps it from that. */
function load() {
  const guard = document.createElementNS("urn:tanker-edge", "style");
  guard.setAttribute("data-openseadragon-mobile-css", "");
  document.head.append(guard);
  library ??= script(LIBRARY);
  return library;
}

/** A tile source that fetches with the page's token. */
function source(picture) {
  const { width, height, tile, levels, tiles } = picture;
  const made = new OpenSeadragon.TileSource({ width, height, tileSize: tile, minLevel: 0, maxLevel: levels - 1 });
  made.getTileUrl = (level, x, y) => tiles.replace("{level}", level).replace("{x}", x).replace("{y}", y);
  made.downloadTileStart = (job) => {
    const stop = new AbortController();
    job.userData.stop = stop;
    send(job.src, { signal: stop.signal })
      .then((response) => response.blob())
      .then((blob) => job.finish(blob, null, "rasterBlob"))
      .catch((error) => job.fail(error.message, null));
  };
  made.downloadTileAbort = (job) => job.userData.stop?.abort();
  return made;
}

/** The viewer of one scene. */
export class View {
  static async open(host, picture, on) {
    await load();
    return new View(host, picture, on);
  }

  /** `on` has select(x, y, slack), press, drag, drop, click and move(x, y), px of the scene; and failed(why). */
  constructor(host, picture, on) {
    this.host = host;
    this.picture = picture;
    this.on = on;
    this.drawing = false;
    host.replaceChildren();
    const gesture = { clickToZoom: false, dblClickToZoom: true };
    this.osd = new OpenSeadragon.Viewer({
      element: host,
      tileSources: source(picture),
      drawer: "canvas",
      showNavigationControl: false,
      animationTime: calm() ? 0 : 0.5,
      springStiffness: 8,
      immediateRender: true,
      visibilityRatio: 0.4,
      minZoomImageRatio: 0.7,
      maxZoomPixelRatio: MOST_ZOOM,
      zoomPerScroll: 1.25,
      gestureSettingsMouse: gesture,
      gestureSettingsPen: gesture,
      gestureSettingsTouch: { ...gesture, flickEnabled: !calm() },
    });
    const canvas = this.osd.canvas;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", "Picture of the scene. Arrow keys move it, plus and minus zoom, 0 shows all of it.");
    this.boxes = new Boxes(host);
    this.cross = svg("svg", { class: "cross", viewBox: "-20 -20 40 40", "aria-hidden": true },
      svg("path", { d: "M-20 0H-5M5 0H20M0-20V-5M0 5V20" }));
    host.append(this.cross);
    host.classList.add("loading");
    this.osd.addOnceHandler("tile-loaded", () => host.classList.remove("loading"));
    this.osd.addOnceHandler("tile-load-failed", (event) => on.failed(event.message));
    this.listen();
  }

  listen() {
    const { osd } = this;
    osd.addHandler("update-viewport", () => this.draw());
    osd.addHandler("open", () => this.draw());
    osd.addHandler("resize", () => this.draw());
    const at = (event) => this.toScene(event.position);
    osd.addHandler("canvas-click", (event) => {
      if (!event.quick || !osd.world.getItemAt(0)) return;
      const [x, y] = at(event);
      if (this.drawing) this.on.click(x, y);
      else this.on.select(x, y, 6 / this.scale);
    });
    // A finger moves the picture while one draws, too: it sets points by touching. A mouse or pen draws a line.
    const draws = (event) => this.drawing && event.pointerType !== "touch";
    osd.addHandler("canvas-press", (event) => { if (draws(event)) this.on.press(...at(event)); });
    osd.addHandler("canvas-drag", (event) => {
      if (!draws(event)) return;
      event.preventDefaultAction = true;
      this.on.drag(...at(event));
    });
    osd.addHandler("canvas-drag-end", (event) => {
      if (!draws(event)) return;
      event.preventDefaultAction = true;
      this.on.drop(...at(event));
    });
    // Letters belong to the review; the library would turn and flip the picture by them.
    osd.addHandler("canvas-key", (event) => { if (/^[a-z]$/i.test(event.originalEvent.key)) event.preventDefaultAction = true; });
    osd.addHandler("canvas-double-click", (event) => { if (this.drawing) event.preventDefaultAction = true; });
    this.host.addEventListener("pointermove", (event) => {
      if (!this.drawing) return;
      const box = this.host.getBoundingClientRect();
      const [x, y] = this.toScene({ x: event.clientX - box.left, y: event.clientY - box.top });
      this.on.move(x, y);
    });
  }

  /** Px of the screen to one of the scene, as drawn now. */
  get scale() {
    const item = this.osd.world.getItemAt(0);
    return item ? item.viewportToImageZoom(this.osd.viewport.getZoom(true)) : 1;
  }

  /** Px of the scene under a place of the viewer. */
  toScene({ x, y }) {
    const item = this.osd.world.getItemAt(0);
    const point = item.viewerElementToImageCoordinates(new OpenSeadragon.Point(x, y));
    return [point.x, point.y];
  }

  /** Px of the scene at the centre of the view, where it is going. */
  get centre() {
    const item = this.osd.world.getItemAt(0);
    const point = item.viewportToImageCoordinates(this.osd.viewport.getCenter(false));
    return [point.x, point.y];
  }

  /** Bring the boxes and the readout to where the picture is. */
  draw() {
    const item = this.osd.world.getItemAt(0);
    if (!item) return;
    const origin = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(0, 0));
    this.boxes.place(this.scale, origin.x, origin.y, this.host.clientWidth, this.host.clientHeight);
    const [x, y] = this.centre.map(Math.round);
    const percent = this.scale * 100;
    $("readout").textContent = `x ${number(x)}, y ${number(y)} px · ${percent.toFixed(percent < 10 ? 1 : 0)} %`;
  }

  /** Show a vessel: its corners in px of the scene. */
  jump(corners, { smooth = true } = {}) {
    const xs = corners.map((corner) => corner[0]);
    const ys = corners.map((corner) => corner[1]);
    const [left, top] = [Math.min(...xs), Math.min(...ys)];
    const side = Math.max(Math.max(...xs) - left, Math.max(...ys) - top);
    const centre = [left + (Math.max(...xs) - left) / 2, top + (Math.max(...ys) - top) / 2];
    const item = this.osd.world.getItemAt(0);
    const view = Math.min(this.host.clientWidth, this.host.clientHeight);
    const share = (side * this.scale) / view;
    const now = !smooth || calm();
    if (share >= FAR && share <= NEAR) {
      this.osd.viewport.panTo(item.imageToViewportCoordinates(...centre), now);
    } else {
      const shown = Math.max(side / WANTED, LEAST_PX);
      const rect = [centre[0] - shown / 2, centre[1] - shown / 2, shown, shown];
      this.osd.viewport.fitBounds(item.imageToViewportRectangle(...rect), now);
    }
  }

  zoom(factor) {
    this.osd.viewport.zoomBy(factor);
    this.osd.viewport.applyConstraints();
  }

  all() {
    this.osd.viewport.goHome(calm());
  }

  /** Begin or end to draw. */
  draws(on) {
    this.drawing = on;
    this.host.classList.toggle("draws", on);
  }

  focus() {
    this.osd.canvas.focus({ preventScroll: true });
  }

  close() {
    this.osd.destroy();
    this.host.replaceChildren();
  }
}
