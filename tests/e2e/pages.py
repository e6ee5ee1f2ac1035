"""Report pages in a real browser: at desktop and phone width, light and dark, on screen and on paper.

usage: pages.py [--shots FOLDER] PAGE.html…

Needs the playwright package of this Python and a Chromium: its own, one on the path, or the one that
REBAL_CHROMIUM names. Without them the checks are skipped, said aloud. `REBAL_PAGES=FOLDER cargo test
--lib write_the_pages -- --ignored` writes every sample of the tests as a page.
"""
import os
import pathlib
import shutil
import sys

from harness import Checks

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
# A4 between usual margins, in pixels.
PAPER = 718
# Smaller letters than this are not read on a phone; pixels of the page.
LEAST_LETTERS = 9
# What is drawn must be told from what it is drawn on; WCAG 2.2 asks this of graphics.
LEAST_CONTRAST = 3

# Everything that is wrong with the page as it is laid out, as a list of sentences.
FAULTS = """([leastLetters, leastContrast]) => {
  const faults = [];
  const root = document.documentElement;
  const over = root.scrollWidth - root.clientWidth;
  if (over > 0) faults.push(`the page scrolls sideways by ${over} px`);
  const rgb = (color) => (color.match(/[\\d.]+/g) || []).slice(0, 3).map(Number);
  const light = (color) => {
    const [r, g, b] = rgb(color).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  for (const figure of document.querySelectorAll('figure')) {
    const svg = figure.querySelector('svg');
    const name = figure.querySelector('h2').textContent;
    const box = svg.getBoundingClientRect();
    if (box.width < 100 || box.height < 40) faults.push(`${name}: ${box.width} x ${box.height} px`);
    const texts = [...svg.querySelectorAll('text')].filter((text) => text.textContent.trim());
    if (!texts.length) faults.push(`${name}: no text`);
    if (!svg.querySelector('title')?.textContent) faults.push(`${name}: no title`);
    const card = getComputedStyle(figure).backgroundColor;
    const boxes = [];
    for (const text of texts) {
      const at = text.getBoundingClientRect();
      const said = `${name}: ${text.textContent.trim()}`;
      if (at.left < box.left - 1 || at.right > box.right + 1 || at.top < box.top - 1 || at.bottom > box.bottom + 1)
        faults.push(`${said} is cut off`);
      const letters = parseFloat(getComputedStyle(text).fontSize) * box.width / svg.viewBox.baseVal.width;
      if (letters < leastLetters) faults.push(`${said} has letters of ${letters.toFixed(1)} px`);
      if (contrast(getComputedStyle(text).fill, card) < 4.5) faults.push(`${said} is too pale`);
      // What a line leaves free above and below its letters is no overlap.
      const lost = at.height * 0.25;
      for (const other of boxes)
        if (at.left < other.right - 1 && other.left < at.right - 1
            && at.top + lost < other.bottom - lost && other.top + lost < at.bottom - lost)
          faults.push(`${said} lies on ${other.said}`);
      boxes.push({said, left: at.left, right: at.right, top: at.top, bottom: at.bottom});
    }
    for (const key of figure.querySelectorAll('.key'))
      if (contrast(getComputedStyle(key).backgroundColor, card) < leastContrast)
        faults.push(`${name}: a colour of the legend is too pale`);
  }
  for (const cell of document.querySelectorAll('.heat td')) {
    const style = getComputedStyle(cell);
    const said = `cell ${cell.textContent || cell.title}`;
    const filled = !/rgba\\(.*, 0\\)/.test(style.backgroundColor);
    const behind = filled ? style.backgroundColor : getComputedStyle(cell.closest('section')).backgroundColor;
    if (cell.textContent && contrast(style.color, behind) < 4.5) faults.push(`${said} is too pale`);
    if (cell.textContent && parseFloat(style.fontSize) < leastLetters) faults.push(`${said} is too small`);
    if (cell.scrollWidth > cell.clientWidth + 1) faults.push(`${said} is cut off`);
  }
  const lights = [...document.querySelectorAll('.swatch')].map((key) => light(getComputedStyle(key).backgroundColor));
  const steps = lights.slice(1).map((one, index) => Math.sign(one - lights[index]));
  if (new Set(steps).size > 1) faults.push(`the scale is not read in grey: ${lights}`);
  for (const part of document.querySelectorAll('h1, h2, p, dd, figcaption, section, figure'))
    if (part.getBoundingClientRect().right > root.clientWidth + 1)
      faults.push(`${part.tagName} goes beyond the page: ${part.textContent.slice(0, 40)}`);
  return faults;
}"""


def skip(why):
    print(f"skipped: {why}")
    raise SystemExit(0)


def browser_of(playwright):
    """Whichever Chromium starts; what kept the others from it is said if none does."""
    named = [os.environ.get("REBAL_CHROMIUM")] if os.environ.get("REBAL_CHROMIUM") else []
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    refused = []
    for path in [*named, None, *filter(None, found)]:
        # Chromium refuses its sandbox to root, as which containers run.
        args = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        try:
            return playwright.chromium.launch(executable_path=path, args=args)
        except Exception as error:
            refused.append(str(error).splitlines()[0])
    skip(f"no browser starts: {'; '.join(refused)}")


def look(browser, page_file, width, scheme, shots):
    """What a reader with this screen sees: faults, messages of the browser, requests."""
    size = WIDTHS[width]
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    messages, requests = [], []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    address = page_file.as_uri()
    page.goto(address)
    faults = page.evaluate(FAULTS, [LEAST_LETTERS, LEAST_CONTRAST])
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    if shots:
        page.screenshot(path=str(shots / f"{page_file.stem}-{width}-{scheme}.png"), full_page=True)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER, "height": 1000})
    on_paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if beyond > 0:
        on_paper = f"{beyond} px are beyond the edge"
    context.close()
    return faults, messages, [url for url in requests if url != address], background, on_paper


def main():
    arguments = sys.argv[1:]
    shots = None
    if arguments[:1] == ["--shots"]:
        shots = pathlib.Path(arguments[1])
        shots.mkdir(parents=True, exist_ok=True)
        arguments = arguments[2:]
    if not arguments:
        raise SystemExit(__doc__)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip("this Python has no playwright package")
    checks = Checks()
    with sync_playwright() as playwright:
        browser = browser_of(playwright)
        for page_file in (pathlib.Path(argument).resolve() for argument in arguments):
            seen = {}
            for width in WIDTHS:
                for scheme in SCHEMES:
                    faults, messages, requests, seen[scheme], on_paper = look(
                        browser, page_file, width, scheme, shots)
                    name = f"{page_file.name}, {width}, {scheme}"
                    checks.that(f"{name}: laid out well", not faults, "; ".join(faults[:5]))
                    checks.that(f"{name}: the browser has no complaint", not messages, messages[:3])
                    checks.that(f"{name}: nothing is asked of anybody", not requests, requests[:3])
                    checks.that(f"{name}: whole and white on paper", on_paper == "rgb(255, 255, 255)", on_paper)
            checks.that(f"{page_file.name}: dark is another page than light", seen["light"] != seen["dark"])
        browser.close()
    checks.end()


if __name__ == "__main__":
    main()
