/** Real servers for tests, demo and benchmarks: found or fetched, on free ports, and always stopped. */
export { elasticsearchVersion, startElasticsearch } from './elasticsearch.ts'
export { elasticsearch9Version, startElasticsearch9 } from './elasticsearch-9.ts'
export { type SecuredServer, startSecuredElasticsearch } from './elasticsearch-secured.ts'
export { findOrStartServers, type Servers } from './given.ts'
export { findJava } from './java.ts'
export { opensearchVersion, startOpenSearch } from './opensearch.ts'
export { type PostgresServer, startPostgres } from './postgres.ts'
export type { Server } from './server.ts'
