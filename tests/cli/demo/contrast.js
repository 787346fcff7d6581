// Returns the texts of a page that have too little contrast (WCAG 2.2, success criterion 1.4.3), as strings.
// What stands on a picture or a gradient is left out: its colours are not known here.
const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const parse = (colour) => {
  const srgb = colour.startsWith("color(srgb");
  const parts = colour.match(/[\d.]+/g).map(Number);
  const [red, green, blue] = parts.slice(0, 3).map((each) => (srgb ? each * 255 : each));
  return [red, green, blue, parts[3] ?? 1];
};
const over = (upper, lower) => [0, 1, 2].map((each) => upper[each] * upper[3] + lower[each] * (1 - upper[3])).concat(1);
const luminance = ([red, green, blue]) =>
  0.2126 * channel(red / 255) + 0.7152 * channel(green / 255) + 0.0722 * channel(blue / 255);

function ground(element) {
  const layers = [];
  for (let each = element; each; each = each.parentElement) {
    const style = getComputedStyle(each);
    if (style.backgroundImage !== "none") return null;
    const colour = parse(style.backgroundColor);
    if (colour[3] > 0) layers.push(colour);
    if (colour[3] === 1) break;
  }
  return layers.reverse().reduce((lower, upper) => over(upper, lower), [255, 255, 255, 1]);
}

const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim();
  const element = walker.currentNode.parentElement;
  if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
  const box = element.getBoundingClientRect();
  if (box.width < 2 || box.height < 2) continue;
  const behind = ground(element);
  if (!behind) continue;
  const style = getComputedStyle(element);
  const bright = luminance(over(parse(style.color), behind));
  const dark = luminance(behind);
  const ratio = (Math.max(bright, dark) + 0.05) / (Math.min(bright, dark) + 0.05);
  const size = Number.parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)}: ${text.slice(0, 60)}`);
}
return found;
