/**
 * A URL, or several separated by commas, without its passwords: `postgres://app:***@db/shop`. Works on text and not
 * on a parsed URL, because a password with unescaped characters is the most common reason why a URL cannot be parsed.
 */
export function redactUrl(url: string): string {
  return url
    .split(/,(?=[a-z]+:\/\/)/i)
    .map((one) =>
      one
        .replace(/(\/\/[^:/@]*):.*@/s, '$1:***@')
        .replace(/([?&](?:\w*password|\w*token|\w*key)=)[^&]*/gi, '$1***'),
    )
    .join(',')
}
