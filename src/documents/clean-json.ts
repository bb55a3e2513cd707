/**
 * JSON text on one line, as `_bulk` wants it. `json` columns keep the line breaks they were written with, and
 * `json_agg` adds its own; within JSON a raw one stands outside strings only, where a blank means the same.
 */
export function cleanJson(text: string): string {
  return text.includes('\n') || text.includes('\r') ? text.replaceAll(/[\n\r]/g, ' ') : text
}
