import { type Chapter, config } from './world.ts'

/** What comes last: migrations of the application, an index that is adopted, the end; and what is typed in this repository. */
export const ending: readonly Chapter[] = [
  {
    title: 'migrations of the application',
    steps: [
      {
        run: 'sluice check --migration db/42.sql',
        before: (world) => world.write('db/42.sql', 'ALTER TABLE city DROP COLUMN name;'),
        code: 3,
        says: /^breaks {2}city/m,
      },
      { run: 'sluice check --migration db/*.sql --json', code: 3, says: /"effect": "breaks"/ },
      { run: 'sluice check', says: /^Everything is as the configuration has it\.$/m },
    ],
  },
  {
    title: 'an index that has the name of the alias, and the end',
    steps: [
      {
        run: 'sluice reindex cities --adopt',
        before: async (world) => {
          await world.search('PUT', `/${world.index('towns')}`, {})
          await world.write(
            'sluice.config.json',
            config(world, { cities: { table: 'country', index: world.index('towns') } }),
          )
        },
        says: /^What was before is dropped\.$/m,
      },
      { run: 'sluice uninstall city --yes', says: /^Uninstalled\.$/m },
      {
        run: 'npx sluice reindex city --adopt',
        before: async (world) => {
          await world.search('PUT', `/${world.index('cities')}`, {})
          await world.write('sluice.config.json', config(world))
        },
        says: /^What was before is dropped\.$/m,
      },
      { run: 'sluice uninstall city', answers: 'no', code: 1, says: /Nothing was changed/ },
      { run: 'kill -TERM <pid>', ends: true },
      { run: 'sluice uninstall', answers: 'yes', says: /^Uninstalled\.\r?$/m },
      { run: 'sluice install', says: /^Installed: /m },
      { run: 'npx sluice uninstall', answers: 'yes', says: /^Uninstalled\.\r?$/m },
      { run: 'sluice install', says: /^Installed: /m },
      { run: 'sluice uninstall --keep-indices', answers: 'yes', says: /and its template stay/ },
    ],
  },
  {
    title: 'in this repository',
    steps: [
      { run: 'npm run bench -- --help', in: 'repository', says: /^Cells:$/m },
      { run: 'npm run drill -- --help', in: 'repository', says: /^ {2}failover /m },
      { run: 'npm run model -- --help', in: 'repository', says: /^ {2}version-after-load /m },
      {
        run: 'npm run model -- --variant version-after-load',
        in: 'repository',
        says: /no mark is left, the rows say root c, child a, and index old has root b, child a/,
      },
      { run: 'npm run simulate -- --seed 7', in: 'repository', says: /nothing lost\n {2}seed 7: \d+ steps/ },
    ],
  },
]
