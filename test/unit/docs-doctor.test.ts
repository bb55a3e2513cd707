import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { findingNames } from '../../src/answers/json/doctor.ts'
import { alertNames } from '../../src/queue/read-conditions.ts'

const page = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8')
const rows = page.split('\n').filter((line) => line.startsWith('| `'))

test('docs/doctor.md has a row for every finding, and no other, in their order', () => {
  expect(rows.map((row) => /^\| `([a-z_]+)` \|/.exec(row)?.[1])).toEqual([...findingNames])
})

test('each row says what it means and what to do', () => {
  for (const row of rows) {
    const [severity = '', meaning, , remedy] = row.split(' | ').slice(1)
    for (const one of severity.split(', ')) expect(['error', 'warning', 'note']).toContain(one)
    expect([meaning, remedy]).not.toContain('')
  }
})

test('every alert is a finding of the same name, or is told by another', () => {
  const told = { brake_tripped: 'document_alarm', capture_gap: 'not_as_configured' } as const
  for (const name of alertNames)
    expect(findingNames).toContain(Object.hasOwn(told, name) ? told[name as keyof typeof told] : name)
})
