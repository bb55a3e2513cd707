const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const BLANK = 0x20

/**
 * Puts JSON on one line, as `_bulk` wants it; changes the bytes it is given. `json` columns keep the line breaks they were
 * written with, and `json_agg` adds its own; within JSON a raw one stands outside strings only, where a blank means the same.
 */
export function cleanJson(json: Buffer): Buffer {
  for (const lineBreak of [LINE_FEED, CARRIAGE_RETURN]) {
    for (let at = json.indexOf(lineBreak); at !== -1; at = json.indexOf(lineBreak, at + 1)) json[at] = BLANK
  }
  return json
}
