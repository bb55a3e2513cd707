import { expect } from 'vitest'
import { inspectJson } from '../../src/answers/json/inspect.ts'
import { previewJson } from '../../src/answers/json/preview.ts'
import { statusJson } from '../../src/answers/json/status.ts'
import type { CommandWorld } from './cli-support.ts'

/**
 * Two tables, their documents, and the commands that look at them. `world` is asked for whenever something is done: a hook
 * makes it.
 */
export function looks(world: () => CommandWorld) {
  const config = (city: string) => `export default { documents: {
    city: { table: 'geo.city', index: '${world().search.prefix}city', ${city} },
    pair: { table: 'pair', index: '${world().search.prefix}pair' },
  } }`
  const installed = `omit: ['secret'], where: 'active'`

  /** The tables anew, nothing of ours in the database, the configuration that the tests begin with. */
  async function begin(): Promise<void> {
    await world().search.drop()
    await world().db.pool.query(`
      DROP SCHEMA IF EXISTS sluice, geo CASCADE;
      DROP TABLE IF EXISTS pair;
      CREATE SCHEMA geo;
      CREATE TABLE geo.city (id bigint PRIMARY KEY, name text, big numeric, day date, active boolean, secret text);
      INSERT INTO geo.city SELECT n, 'Zürich', 12.50, '2026-01-01', n <> 2, 'xyz' FROM generate_series(1, 9) AS n;
      CREATE TABLE pair (a text, b int, PRIMARY KEY (a, b));
      INSERT INTO pair VALUES ('x:y%', 1)`)
    await world().place.write('sluice.config.mjs', config(installed))
  }

  async function install(): Promise<void> {
    expect((await world().place.sluice(['install', '--no-backfill'])).code).toBe(0)
  }

  async function preview(name: string, id: string) {
    const { code, value } = await world().place.json(['preview', name, id])
    expect(code).toBe(0)
    return previewJson.parse(value)
  }

  async function inspect(name: string, id: string) {
    const { code, value } = await world().place.json(['inspect', name, id])
    return { code, ...inspectJson.parse(value) }
  }

  async function status() {
    return statusJson.parse((await world().place.json(['status'])).value)
  }

  return { config, begin, install, preview, inspect, status }
}
