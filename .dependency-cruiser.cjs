// The layers of src/, top to bottom. A folder imports only from folders below it:
//   cli, demo, admin, library, metrics → answers → runs → sync → queue, documents, elasticsearch, capture → catalog, postgres, config
// and what is pure (documents/, elasticsearch/bulk, elasticsearch/outcome) touches no network.
const layers = [
  ['cli', 'demo', 'admin', 'library', 'metrics'],
  ['answers'],
  ['runs'],
  ['sync'],
  ['queue', 'documents', 'elasticsearch', 'capture'],
  ['catalog', 'postgres', 'config'],
]
const above = (n) => layers.slice(0, n).flat().join('|')

module.exports = {
  forbidden: [
    ...layers.slice(1).map((layer, n) => ({
      name: `no-upward-import-from-${layer.join('-')}`,
      severity: 'error',
      from: { path: `^src/(${layer.join('|')})/` },
      to: { path: `^src/(${above(n + 1)})/` },
    })),
    {
      name: 'the-command-line-is-the-top',
      comment: 'what others answer as well stands in answers/',
      severity: 'error',
      from: { path: '^src/(?!cli/)' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'pure-parts-touch-no-network',
      comment: 'documents/, the bulk body and the outcomes are functions of their arguments',
      severity: 'error',
      from: { path: '^src/(documents/|elasticsearch/(bulk|outcome))' },
      to: {
        path: '^(node:)?(net|http|https|tls|dns|dgram|fs|child_process)$|node_modules/(pg|@elastic)/|^src/(postgres|queue)/(?!types)',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'only-metrics-know-prometheus',
      comment: 'the daemon tells an observer what it does, and not a library',
      severity: 'error',
      from: { path: '^src/(?!metrics/)' },
      to: { path: 'node_modules/prom-client' },
    },
    {
      name: 'pages-are-loaded-when-asked-for',
      comment: 'fastify and the schemas of its answers are 14 MB; server.ts loads them at the first request',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/admin/(app|routes/|endpoint|audit|guard|openapi|errors)' },
      to: {
        path: 'node_modules/@?fastify|^src/admin/(app|endpoints|openapi)[.]ts|^src/admin/routes/',
        dependencyTypesNot: ['type-only', 'dynamic-import'],
      },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'src-does-not-import-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|examples)/' },
    },
    {
      name: 'no-dev-dependencies-in-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^test/.mutants/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: 'specify',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
}
