/**
 * ` (did you mean "name"?)` with the candidate that was probably meant, to be put after an error's text; or ''.
 * A name may differ by a third of its letters: `nmae` finds `name`, `foo` finds nothing. Case does not count, nor
 * does a schema that was left out.
 */
export function suggest(name: string, candidates: Iterable<string>): string {
  const wanted = name.toLowerCase()
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    const known = candidate.toLowerCase()
    const whole = distance(wanted, known)
    const bare = wanted.includes('.') ? whole : distance(wanted, known.slice(known.lastIndexOf('.') + 1))
    if (Math.min(whole, bare) < bestDistance) {
      best = candidate
      bestDistance = Math.min(whole, bare)
    }
  }
  return best === undefined ? '' : ` (did you mean "${best}"?)`
}

/** Edits between two words; two neighbours swapped count as one (optimal string alignment). */
function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1
      let edits = Math.min(at(current, column - 1) + 1, at(last, column) + 1, at(last, column - 1) + cost)
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        edits = Math.min(edits, at(beforeLast, column - 2) + 1)
      }
      current.push(edits)
    }
    beforeLast = last
    last = current
  }
  return at(last, b.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}
