import { once } from 'node:events'
import { findOrStartServers } from '../../test/support/servers/index.ts'
import { openShop, type Shop } from './shop.ts'

/** `npm run example:shop`: servers, unless DATABASE_URL and ELASTICSEARCH_URL name some; the shop; until Ctrl-C. */

const PORT = Number(process.env.PORT ?? 3000)

const print = (text: string) => process.stdout.write(`${text}\n`)

print('starting Postgres and Elasticsearch (the first time, Elasticsearch is fetched: 107 MB)')
const servers = await findOrStartServers()
let shop: Shop | undefined
try {
  shop = await openShop({ ...servers, logLevel: process.env.LOG_LEVEL ?? 'warn' })
  await shop.sluice.drain()
  const url = await shop.app.listen({ port: PORT })
  print(`
240 products are in Postgres, and those that are sold are in the index. Try

  curl '${url}/products?q=kettle'
  curl '${url}/products?brand=Fjord&tag=sale&maxPrice=50'
  curl -X PATCH -H 'content-type: application/json' -d '{"name":"A kettle that sings"}' '${url}/products/1'
  curl '${url}/products?q=sings'
  curl -X DELETE '${url}/products/1'
  psql '${servers.postgresUrl}' -c "UPDATE shop.brand SET name = 'Fjord of Norway' WHERE name = 'Fjord'"
  curl '${url}/products?brand=Fjord%20of%20Norway'

Ctrl-C ends it.`)
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
} finally {
  await shop?.close()
  await servers.stop()
}
