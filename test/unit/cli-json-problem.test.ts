import { expect, test } from 'vitest'
import { jsonProblem } from '../../src/cli/json-problem.ts'

test.each([
  ['{"a":1,"a":2}', '"a"', "'a'"],
  ['{"raw":{"a":{"b":1,"c":2,"b":3}},"b":1}', '"raw.a.b"', "'b'"],
  // The same name, written in two ways.
  ['{"raw":[{"x":1},{"x":1,"\\u0078":2}]}', '"raw.1.x"', "'x'"],
])('%s: says what stands twice', (json, path, name) => {
  const problem = jsonProblem(json)
  expect(problem).toMatch(/^"[^"]+" stands twice in it: Elasticsearch refuses the document/)
  expect(problem).toContain(`${path} stands twice`)
  expect(problem).toContain(`(Duplicate field ${name})`)
})

test.each(['{"a":{"a":1},"b":[{"a":1},{"a":1}]}', '{"a":"\\"a\\":1,\\"a\\":2"}', '{"a":1,"A":2}'])(
  '%s: there is nothing wrong',
  (json) => expect(jsonProblem(json)).toBeNull(),
)
