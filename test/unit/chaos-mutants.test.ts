import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mutants } from '../chaos/mutants.ts'

const source = join(import.meta.dirname, '../../src')

// A mutation whose text is gone would fail only when somebody runs it.
test.each(Object.entries(mutants))('the mutant %s can still be made', (_, mutations) => {
  for (const { file, find } of mutations) {
    const times = readFileSync(join(source, file), 'utf8').split(find).length - 1
    expect({ file, find, times }).toEqual({ file, find, times: 1 })
  }
})
