/** A straight line through points. Pure. */

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Line {
  readonly slope: number
  /** Standard error of the slope, where what is left of each point is by chance and owes nothing to its neighbour. */
  readonly error: number
}

/**
 * Least squares: slope = Σ(x - x̄)(y - ȳ) / Σ(x - x̄)², error² = Σ(y - line)² / (n - 2) / Σ(x - x̄)². Null below three
 * points, or where they have one x.
 */
export function fitLine(points: readonly Point[]): Line | null {
  const n = points.length
  if (n < 3) return null
  const sum = (of: (point: Point) => number) => points.reduce((total, point) => total + of(point), 0)
  const x̄ = sum(({ x }) => x) / n
  const ȳ = sum(({ y }) => y) / n
  const spread = sum(({ x }) => (x - x̄) ** 2)
  if (spread === 0) return null
  const slope = sum(({ x, y }) => (x - x̄) * (y - ȳ)) / spread
  const left = sum(({ x, y }) => (y - ȳ - slope * (x - x̄)) ** 2)
  return { slope, error: Math.sqrt(left / (n - 2) / spread) }
}
