// Stands for string-width in the bundle (lib/launch.cjs), which takes 20 ms to load: its patterns of all emoji are only
// needed for text that is not plain ASCII, and the widths are asked for by help and spinners alone.
let whole;

/** How many columns a text takes on a terminal; the same answers as string-width's. */
export default function stringWidth(text, options) {
  if (typeof text === 'string' && /^[ -~]*$/.test(text)) return text.length;
  return (whole ??= require('../../node_modules/string-width/index.js').default)(text, options);
}
