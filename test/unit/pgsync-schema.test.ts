import { describe, expect, it } from 'vitest'
import { parsePgsync } from '../../src/cli/pgsync/schema.ts'
import { child } from './pgsync-file.ts'

describe('a file that PGSync would refuse', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['is no list', { nodes: {} }, ['the schema file: got {"nodes":{}}, expected a list of documents']],
    ['is empty', [], ['the schema file: got [], expected a list of documents: at least one']],
    ['has a document that is none', [7], ['[0]: got 7, expected a document: { "database": …, "nodes": … }']],
    ['has no root', [{ index: 'a' }], ['[0].nodes: is missing, expected a node: { "table": … }']],
    [
      'has a child without a relationship, and one of an unknown type',
      [{ nodes: { table: 'a', children: [{ table: 'b' }, child({}, { type: 'many' })] } }],
      [
        '[0].nodes.children[0].relationship: is missing, expected an object: { "type": …, "variant": … }',
        '[0].nodes.children[1].relationship.type: got "many", expected one of "one_to_one", "one_to_many"',
      ],
    ],
    [
      'goes through two tables, with half a foreign key',
      [
        {
          nodes: {
            table: 'a',
            children: [child({}, { through_tables: ['x', 'y'], foreign_key: { child: ['id'] } })],
          },
        },
      ],
      [
        '[0].nodes.children[0].relationship.through_tables: got ["x","y"], expected a list of at most one table',
        '[0].nodes.children[0].relationship.foreign_key.parent: is missing, expected a list of columns',
      ],
    ],
  ])('%s', (_, value, expected) => {
    expect(parsePgsync(value).problems.map(({ where, what }) => `${where}: ${what}`)).toEqual(expected)
  })

  const root = { table: 'film' }
  it.each<[where: string, document: object]>([
    ['database', { database: '', nodes: root }],
    ['index', { index: ' ', nodes: root }],
    ['setting', { setting: [], nodes: root }],
    ['mapping', { mapping: 'x', nodes: root }],
    ['pipeline', { pipeline: 7, nodes: root }],
    ['routing', { routing: ' ', nodes: root }],
    ['plugins', { plugins: 'Hero', nodes: root }],
    ['plugins[0]', { plugins: [''], nodes: root }],
    ['nodes', { nodes: [] }],
    ['nodes[0]', { nodes: ['film'] }],
    ['nodes.table', { nodes: { table: ' ' } }],
    ['nodes.schema', { nodes: { ...root, schema: 7 } }],
    ['nodes.label', { nodes: { ...root, label: '' } }],
    ['nodes.columns', { nodes: { ...root, columns: 'id' } }],
    ['nodes.primary_key', { nodes: { ...root, primary_key: 'id' } }],
    ['nodes.base_tables', { nodes: { ...root, base_tables: 'a' } }],
    ['nodes.transform', { nodes: { ...root, transform: 'x' } }],
    ['nodes.transform.rename', { nodes: { ...root, transform: { rename: [] } } }],
    ['nodes.transform.mapping', { nodes: { ...root, transform: { mapping: [] } } }],
    ['nodes.transform.mapping.id', { nodes: { ...root, transform: { mapping: { id: 'long' } } } }],
    ['nodes.children', { nodes: { ...root, children: {} } }],
    ['nodes.children[0]', { nodes: { ...root, children: ['actor'] } }],
    ...(
      [
        ['variant', { variant: 'list' }],
        ['variant', { variant: 7 }],
        ['through_tables', { through_tables: 'x' }],
        ['foreign_key', { foreign_key: 'id' }],
        ['foreign_key.key', { foreign_key: { child: 'a', parent: 'b', key: 'c' } }],
        ['foreign_key.child', { foreign_key: { child: [], parent: 'b' } }],
        ['foreign_key.parent', { foreign_key: { child: 'a', parent: ' ' } }],
      ] as const
    ).map(([key, relationship]): [string, object] => [
      `nodes.children[0].relationship.${key}`,
      { nodes: { ...root, children: [child({}, relationship)] } },
    ]),
  ])('has a bad %s', (where, document) => {
    const { problems } = parsePgsync([document])
    expect(problems.map((problem) => problem.where)).toEqual([`[0].${where}`])
    // A key too many is told by its name; of all others it is said what was expected.
    if (where.endsWith('.key')) return
    expect(problems[0]?.what).toMatch(/^got .*, expected (an? |the |one of )[a-z"]/)
  })
})
