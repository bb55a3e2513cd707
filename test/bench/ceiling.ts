import { type Cell, usual } from './cell.ts'
import { readDocuments } from './raw-bulk.ts'
import { article, articleTable, fillTable } from './rows.ts'
import { costMeter, measureCeiling, WARM_VIEW, warmUp } from './world.ts'

/** Raw `_bulk`: what Elasticsearch takes from a sender that has nothing else to do. */
export const ceiling: Cell = {
  name: 'ceiling',
  about: 'Raw _bulk of --rows documents of 800 bytes: what the servers can take at most.',
  defaults: usual,
  figures: {},
  world: { documents: { article } },
  async *measure(world, { rounds, rows }, note) {
    await world.pool.query(articleTable('article'))
    await fillTable(world.postgresUrl, { count: rows })
    await world.sluice('install', '--no-backfill')
    await warmUp(world, { view: WARM_VIEW, alias: article.index, note })
    const documents = await readDocuments(world.pool, 'sluice.document_article')
    const bytes = documents.bodies.reduce((sum, body) => sum + body.length, 0)
    for (let round = 1; round <= rounds; round++) {
      const costOf = costMeter(world)
      const value = await measureCeiling(world, article.index, documents)
      const { cpu_us_elasticsearch } = costOf(documents.count)
      const details = {
        bytes_each: Math.round(bytes / documents.count),
        documents: documents.count,
        ...(cpu_us_elasticsearch === undefined ? {} : { cpu_us_elasticsearch }),
      }
      yield { round, case: 'raw bulk', value, unit: 'documents/s', details }
    }
  },
}
