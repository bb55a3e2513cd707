import { expect, test } from 'vitest'
import { fitLine } from '../bench/line.ts'
import { beyondLimits, growthOf, LOAD_LIMITS, type Look, memoryIsFlat } from '../chaos/growth.ts'
import { createRandom } from '../chaos/random.ts'

/** What the soak and the proof row `load` say about memory, open files and the queue. */

const HOUR = 3_600_000

/** An hour of looks, every two seconds: a garbage collector's teeth over a base. */
function looks(change: (share: number) => Partial<Look>, teethMb = 20): Look[] {
  const random = createRandom(1)
  return Array.from({ length: 1_800 }, (_, n) => {
    const teeth = teethMb * ((n % 37) / 37) + random.next()
    const { memoryMb = 0, ...others } = change(n / 1_800)
    return {
      atMs: (n / 1_800) * HOUR,
      handles: 30,
      queueMb: 0.5,
      ...others,
      memoryMb: 100 + teeth + memoryMb,
    }
  })
}

test('a line goes through its points, and says how sure that is', () => {
  const exact = fitLine([0, 1, 2, 3].map((x) => ({ x, y: 2 * x + 1 })))
  expect(exact?.slope).toBeCloseTo(2)
  expect(exact?.error).toBeCloseTo(0)
  // By hand: x̄ 1, ȳ 2/3, Σ(x - x̄)² 2, slope 1/2; left over 1/6, -1/3, 1/6: error² = (1/6) / 1 / 2.
  const around = fitLine([
    { x: 0, y: 0 },
    { x: 1, y: 1 },
    { x: 2, y: 1 },
  ])
  expect(around?.slope).toBeCloseTo(0.5)
  expect(around?.error).toBeCloseTo(Math.sqrt(1 / 12))
  expect(
    fitLine([
      { x: 0, y: 0 },
      { x: 1, y: 1 },
    ]),
  ).toBeNull()
  expect(fitLine([1, 1, 1].map((x) => ({ x, y: x })))).toBeNull()
})

test('what does not grow is within all limits, and an hour can tell', () => {
  const growth = growthOf(looks(() => ({})))
  for (const limits of [undefined, LOAD_LIMITS]) expect(beyondLimits(growth, limits)).toEqual([])
  expect(memoryIsFlat(growth)).toBe(true)
})

test('what is taken at the beginning is no growth', () => {
  const growth = growthOf(looks((share) => ({ memoryMb: 30 * Math.min(1, share / 0.15) })))
  expect(memoryIsFlat(growth)).toBe(true)
})

test('what is given back for a moment hides nothing', () => {
  const dips = (share: number) => ((share * 20) % 3 < 0.3 ? -5 : 0)
  const growth = (perHour: number) =>
    memoryIsFlat(growthOf(looks((share) => ({ memoryMb: perHour * share + dips(share) }), 1)))
  expect([growth(0), growth(3)]).toEqual([true, false])
})

test('how long the beginning lasts is for the run to say', () => {
  const rising = looks((share) => ({ memoryMb: 30 * Math.min(1, share / 0.45) }))
  expect(beyondLimits(growthOf(rising))).toEqual([expect.stringMatching(/^memory grows/)])
  expect(beyondLimits(growthOf(rising, 0.5))).toEqual([])
})

test.each([
  [
    'memory, by 5 MB an hour',
    (share: number) => ({ memoryMb: 5 * share }),
    /^memory grows by [45]\.\d+ ± 0\.\d+ MB an hour$/,
  ],
  ['open files', (share: number) => ({ handles: Math.round(30 + 10 * share) }), /^open files: /],
  ['the queue', (share: number) => ({ queueMb: 1 + 12 * share }), /^the queue took /],
])('%s: what grows is told', (_, change, told) => {
  expect(beyondLimits(growthOf(looks(change)), LOAD_LIMITS)).toEqual([expect.stringMatching(told)])
})

test('a queue that faults have made long is none', () => {
  expect(beyondLimits(growthOf(looks((share) => ({ queueMb: share > 0.9 ? 12 : 1 }))))).toEqual([])
})

test('a few minutes cannot tell five megabytes an hour from none', () => {
  const few = looks((share) => ({ memoryMb: 5 * share })).slice(0, 100)
  expect(memoryIsFlat(growthOf(few))).toBeNull()
  expect(beyondLimits(growthOf(few))).toEqual([])
})

test('the stretches are told: their ceilings, which the line goes through, and their most', () => {
  const { memoryCeilingsMb, memoryPeaksMb } = growthOf(looks((share) => ({ memoryMb: 16 * share })))
  expect(memoryCeilingsMb).toHaveLength(16)
  expect(memoryPeaksMb).toHaveLength(16)
  // A fifth was for warming up; a stretch is a twentieth of the run.
  const [first = 0] = memoryCeilingsMb
  expect(first).toBeGreaterThan(120)
  expect(first).toBeLessThan(124)
  for (const stretches of [memoryCeilingsMb, memoryPeaksMb]) {
    const grown = (stretches.at(-1) ?? 0) - (stretches[0] ?? 0)
    expect(grown).toBeGreaterThan(11)
    expect(grown).toBeLessThan(13)
  }
})

test('a look or two say nothing of memory', () => {
  const growth = growthOf(looks(() => ({})).slice(0, 3))
  expect(growth.memorySlopeMbPerHour).toBeNull()
  expect(growth.memoryCeilingsMb).toEqual([])
  expect(memoryIsFlat(growth)).toBeNull()
})
