/** How counts look to people, wherever they are told. */

/** `171,075`: English whatever the locale, as all of our text is. */
export function count(n: number): string {
  return n.toLocaleString('en-US')
}

/** `1 index`, `1,204 indices`. */
export function plural(n: number, one: string, many: string): string {
  return `${count(n)} ${n === 1 ? one : many}`
}
